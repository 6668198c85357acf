"""Commands that set how one patient is watched: limits, trends, prescriptions, and for NEWS2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ingest import settings
from ingest.readings import Vital
from ingest.registry.cli import By, tell_gateways

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ingest.registry.entities import Entity

app = typer.Typer()

Whom = Annotated[str, typer.Argument(help="A patient's pseudonym.")]
What = Annotated[Vital, typer.Argument(help="Which vital.")]


@app.command()
def limit(
    patient: Whom,
    vital: What,
    by: By,
    low: Annotated[float | None, typer.Option(help="Alert below this.")] = None,
    high: Annotated[float | None, typer.Option(help="Alert above this.")] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, max=86_400, help="Once it has lasted so long.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Once so many readings have shown it.")
    ] = None,
    *,
    margin: Annotated[
        float | None, typer.Option(min=0, help="It is over once it has come back by so much.")
    ] = None,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="Beyond it, an urgent consultation is needed.")
    ] = False,
) -> None:
    """Prescribe the limits of a vital, in its own unit; without any bound there are none any more.

    What is not given is as the patient's profile has it.

    Example: vigie registry limit p-0042 spo2 --low 88 --seconds 30 --margin 1 --urgent
    """
    from ingest.registry import editing
    from ingest.registry.entities import Limit

    bounded = low is not None or high is not None
    if not bounded and (urgent or any(one is not None for one in (seconds, count, margin))):
        raise typer.BadParameter("a limit needs --low or --high")
    one = Limit(low, high, seconds, count, margin, urgent) if bounded else None
    amend(
        [f"patient:{patient}"],
        lambda known: editing.limited(known, patient, vital, one),
        by=by,
        why="limits prescribed",
    )


@app.command()
def trend(
    patient: Whom,
    vital: What,
    by: By,
    days: Annotated[
        float, typer.Option(min=0.01, max=90, help="Within so many days.", show_default=True)
    ] = 3.0,
    rise: Annotated[float | None, typer.Option(help="Alert when it rises by more.")] = None,
    fall: Annotated[float | None, typer.Option(help="Alert when it falls by more.")] = None,
) -> None:
    """Set by how much a vital must not change, in its own unit; without both, as in the profile.

    Example: vigie registry trend p-0042 weight --days 3 --rise 1.5
    """
    from ingest.registry import editing
    from ingest.registry.entities import Trend

    one = None if rise is None and fall is None else Trend(days, rise, fall)
    amend(
        [f"patient:{patient}"],
        lambda known: editing.trended(known, patient, vital, one),
        by=by,
        why="trend prescribed",
    )


@app.command()
def prescribe(
    patient: Whom,
    vital: What,
    by: By,
    every: Annotated[
        float | None, typer.Option(min=0.01, max=2400, metavar="HOURS", help="Measure so often.")
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, max=2400, metavar="HOURS", help="It may come so much later.")
    ] = 12.0,
) -> None:
    """Prescribe a measurement; an alert tells when it is missed. No --every: as in the profile.

    The daily weight in heart failure is mandatory: it can be made stricter, not taken away.

    Example: vigie registry prescribe p-0042 weight --every 24 --grace 6
    """
    from ingest.registry import editing
    from ingest.registry.entities import Prescription

    one = None if every is None else Prescription(every, grace)
    amend(
        [f"patient:{patient}"],
        lambda known: editing.prescribed(known, patient, vital, one),
        by=by,
        why="measurement prescribed" if one is not None else "prescription taken back",
    )


@app.command("news2")
def news2_of(
    patient: Whom,
    by: By,
    scale: Annotated[
        int | None,
        typer.Option(min=1, max=2, help="SpO2 scale; 2 for a confirmed hypercapnic failure only."),
    ] = None,
    born: Annotated[
        int | None, typer.Option(min=1880, max=2200, metavar="YEAR", help="Year of birth.")
    ] = None,
    *,
    pregnant: Annotated[
        bool | None, typer.Option("--pregnant/--not-pregnant", show_default=False)
    ] = None,
) -> None:
    """Set what NEWS2 must know of a patient; it is for neither children nor pregnancy.

    Example: vigie registry news2 p-0042 --scale 2 --born 1950
    """
    from ingest.registry import editing

    amend(
        [f"patient:{patient}"],
        lambda known: editing.scored(known, patient, scale=scale, born=born, pregnant=pregnant),
        by=by,
        why="for NEWS2",
    )


def amend(
    keys: Sequence[str], edit: Callable[[Mapping[bytes, Entity]], Entity], *, by: str, why: str
) -> None:
    """Change what these keys name in one transaction, and say what came of it."""
    from ingest.registry import office

    told = office.amend(
        settings.load(),
        [key.encode() for key in keys],
        lambda known: [edit(known)],
        by=by,
        why=why,
    )
    typer.echo("changed" if told.changed else "it was so already: nothing was changed")
    tell_gateways(told)
