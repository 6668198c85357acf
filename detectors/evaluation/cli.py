"""The command of this folder: judge scores against labels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.evaluation.measure import Evaluation

app = typer.Typer()

# More hours than a life has, more alerts than a day has seconds: a slip of the pen.
MOST = 1_000_000.0


class AlertIs(StrEnum):
    """When a score at or above the threshold is an alert."""

    REPEATED = "repeated"
    CROSSING = "crossing"


@app.command()
def evaluate(  # noqa: PLR0917 (options, which have no order)
    scores: Annotated[
        Path,
        typer.Argument(help="What `vigie score` wrote: .csv, .csv.gz, .parquet.", metavar="SCORES"),
    ],
    labels: Annotated[
        Path,
        typer.Argument(
            help="patient,time,label (0 or 1; empty or no row: not asked).", metavar="LABELS"
        ),
    ],
    score: Annotated[
        list[str] | None,
        typer.Option(help="A column of SCORES, may be repeated. [default: all that have numbers]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json and evaluation.png.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="The picture: a file that ends in .png or .svg.")
    ] = None,
    budget: Annotated[
        list[float] | None,
        typer.Option(help="Alerts per patient-day, may be repeated. [default: 1, 2, 5]"),
    ] = None,
    alert: Annotated[
        AlertIs,
        typer.Option(help="`repeated`: while the score is high; `crossing`: when it becomes high."),
    ] = AlertIs.REPEATED,
    refractory_hours: Annotated[
        float, typer.Option(min=0.0, help="No alert so soon after one of the same patient.")
    ] = 1.0,
    horizon_hours: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="The event begins so long after its first label. [default: at its last label]",
        ),
    ] = None,
    row_hours: Annotated[
        float | None,
        typer.Option(help="The time that a row stands for. [default: that between two rows]"),
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=0, help="Samples of patients for the intervals; 0: no intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of these samples.")] = 7,
) -> None:
    """Judge scores against labels: ranking, alarm budgets, lead time, calibration.

    An event is an unbroken run of label 1 of one patient. An unknown score is never an alert and
    ranks below all others.

    Example: vigie evaluate scores.csv labels.csv

    Example: vigie evaluate scores.parquet sepsis.csv --horizon-hours 6 --out figures
    """
    import msgspec
    from rich.console import Console

    from detectors.evaluation import measure, tables
    from detectors.evaluation.budgets import Alert

    pictures_of = _pictures(out, picture)
    _within_reason({"--budget": budget or (), "--row-hours": (row_hours,)}, zero=False)
    hours = {"--refractory-hours": (refractory_hours,), "--horizon-hours": (horizon_hours,)}
    _within_reason(hours, zero=True)
    errors = Console(stderr=True)
    data = tables.read(scores, labels, tuple(dict.fromkeys(score or ())), row_hours)
    how = measure.How(
        budgets=tuple(dict.fromkeys(budget or (1.0, 2.0, 5.0))),
        refractory_hours=refractory_hours,
        alert=Alert(alert.value),
        horizon_hours=horizon_hours,
        replicates=replicates,
        seed=seed,
    )
    with errors.status(f"judging {len(data.scores)} scores"):
        found, drawn = measure.evaluate(data, how)
    written = msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"
    if out is not None:
        _made(out)
        (out / "evaluation.json").write_bytes(written)
    if pictures_of:
        from detectors.evaluation import pictures

        for path in pictures_of:
            pictures.draw(found, drawn, path)
    if json:
        typer.echo(written.decode(), nl=False)
        return
    _show(found)


def _within_reason(options: Mapping[str, Sequence[float | None]], *, zero: bool) -> None:
    """Raise Unusable for what is no number of hours, or of alerts; `zero`: 0 is one too."""
    from detectors.evaluation.tables import Unusable

    said = "from 0" if zero else "above 0"
    for name, numbers in options.items():
        for one in numbers:
            if one is not None and not (0 < one <= MOST or (zero and one == 0)):
                raise Unusable(f"{name}: write a number {said}, up to {MOST:,.0f}")


def _show(found: Evaluation) -> None:
    from rich.console import Console

    from detectors.evaluation import report

    # A file has no width: the tables take what they need.
    console = Console() if Console().is_terminal else Console(width=report.WIDTH)
    for line in report.lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for table in report.tables(found):
        console.print(table)


def _pictures(out: Path | None, picture: Path | None) -> list[Path]:
    """Say which pictures are wanted; one of a bad name is refused before any work is done."""
    from detectors.evaluation import pictures

    if picture is not None:
        pictures.checked(picture)
        return [picture]
    return [] if out is None else [out / "evaluation.png"]


def _made(folder: Path) -> None:
    from detectors.evaluation.tables import Unusable

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"{folder}: cannot be made: {error.strerror}") from None
