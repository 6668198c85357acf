"""The command that fits a risk model to labelled recordings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from detectors.risk.table import Row
    from detectors.risk.training import Plan

app = typer.Typer()


@app.command()
def train(  # noqa: PLR0917 (options, which have no order)
    name: Annotated[str, typer.Argument(help="The question: lower case letters, `-`, `_`.")],
    labelled: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet: patient,time,vital,value,label (0, 1; empty: not asked)."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The model's file. [default: NAME-VERSION.toml]")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="The model card. [default: NAME.md]")] = None,
    data: Annotated[
        str | None, typer.Option(help="What the recordings are. [default: the file's name]")
    ] = None,
    licence: Annotated[str, typer.Option(help="Their licence.")] = "not stated",
    about: Annotated[str, typer.Option(help="What is asked, for the model card.")] = "",
    model_version: Annotated[int, typer.Option(min=1, help="The model's version.")] = 1,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of patients.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and intervals.")] = 7,
    penalty: Annotated[
        float, typer.Option(min=0.0, help="Ridge penalty: more for fewer events.")
    ] = 0.01,
    budget: Annotated[
        float, typer.Option(min=0.001, help="Alerts per patient-day that the threshold may give.")
    ] = 1.0,
    refractory_hours: Annotated[
        float, typer.Option(min=0.0, help="No alert so soon after one of the same patient.")
    ] = 3.0,
    horizon_hours: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="The event begins so long after its first label. [default: at its last label]",
        ),
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=0, help="Samples of patients for the intervals; 0: no intervals.")
    ] = 1000,
) -> None:
    """Fit a risk model to labelled recordings: cross-validated, calibrated, with a model card.

    The rows of a patient are together and in order of time; the label is that of the time, the
    same on each of its rows. The same table gives the same files.

    Example: vigie train sepsis sepsis.parquet --penalty 0.02 --horizon-hours 6
    """
    from rich.console import Console

    from detectors.risk.training import Plan

    console = Console(stderr=True)
    plan = Plan(
        question=name,
        data=data if data is not None else labelled.name,
        licence=licence,
        about=about,
        version=model_version,
        folds=folds,
        seed=seed,
        penalty=penalty,
        budget=budget,
        refractory_hours=refractory_hours,
        horizon_hours=horizon_hours,
        replicates=replicates,
    )
    model_file = out if out is not None else Path(f"{name}-{model_version}.toml")
    card_file = card if card is not None else Path(f"{name}.md")
    wrong = _wrong(name, labelled, model_file, card_file)
    if wrong is not None:
        console.print(wrong, style="red", markup=False)
        raise typer.Exit(2)
    _train(console, plan, labelled, model_file, card_file)


def _train(console: Console, plan: Plan, table: Path, out: Path, card_file: Path) -> None:
    """Fit and write; anything wrong with the table ends the command with one clear sentence."""
    from rich.markdown import Markdown
    from rich.progress import Progress

    from detectors.risk import card, model, training
    from detectors.risk.table import BadTable, rows

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)

        def told(step: str) -> None:
            progress.update(task, description=step, completed=0.0)

        def read() -> Iterator[Row]:
            return rows(table, lambda share: progress.update(task, completed=share))

        try:
            trained = training.train(read, plan, told)
            text = model.text(trained.model)
            model.parse(text)
        except (BadTable, model.BadModel) as error:
            progress.stop()
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(2) from None
    written = card.card(trained)
    try:
        _put(card_file, written)
        _put(out, text)
    except OSError as error:
        console.print(f"cannot be written: {error.strerror}", style="red", markup=False)
        raise typer.Exit(2) from None
    console.print(Markdown(written))
    console.print(f"{out}\n{card_file}", markup=False)


def _wrong(name: str, table: Path, out: Path, card_file: Path) -> str | None:
    """Say what would be found wrong only after minutes of fitting; None: nothing."""
    from detectors.risk.model import NAMED

    if re.match(NAMED, name) is None:
        return "NAME: lower case letters, figures, `-` and `_`, a letter first"
    if not table.is_file():
        return f"{table}: there is no such file"
    for file in (out, card_file):
        if not file.parent.is_dir():
            return f"{file.parent}: there is no such folder"
        if file.is_dir():
            return f"{file}: this is a folder"
        if file.resolve() == table.resolve():
            return f"{file}: this is the table"
    return "the model and its card are two files" if out.resolve() == card_file.resolve() else None


def _put(file: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, whenever the command is broken off."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    app()
