"""The command of this folder: the picture of one patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def plot(
    patient: Annotated[str, typer.Argument(help="The patient's pseudonym.", metavar="PATIENT")],
    start: Annotated[
        str | None,
        typer.Option("--from", help="ISO 8601 with a zone, or a date. [default: a day before]"),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="As --from. [default: the newest reading]")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="A long table, as for `vigie score`. [default: the database]"),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Who watches. [default: the patient's own in the database, `ward` for a table]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture: .png or .svg.")] = Path("plot.png"),
) -> None:
    """Draw one patient: what was measured, what is usual, the scores, and the alerts.

    From the database, scores and alerts are those that were stored; from a table, those that Vigie
    would have given. The band is what the patient's own readings made usual, worked out anew.

    Example: vigie plot p-1 --from 2026-11-24T00:00Z --to 2026-11-24T12:00Z

    Example: vigie plot p-1 --table ward.csv --profile icu --out p-1.svg
    """
    from rich.console import Console

    from alerts.plotting import database, drawing, from_table
    from alerts.plotting.chart import moment
    from alerts.scoring.profiles import named
    from detectors.evaluation.pictures import checked
    from ingest import settings
    from ingest.registry.entities import Patient, Profile

    checked(out)
    since = None if start is None else moment(start, "--from")
    until = None if end is None else moment(end, "--to")
    who = None if profile is None else named(profile)
    errors, bad = Console(stderr=True), 0
    with errors.status("reading"):
        if table is not None:
            watched_by = Patient(patient, profile=who or Profile.WARD)
            chart, bad = from_table.chart(table, watched_by, since, until)
        else:
            chart = database.chart(settings.load().database, patient, who, since, until)
    drawing.draw(chart, out)
    if bad:
        errors.print(f"bad rows: {bad}, left out", markup=False, highlight=False)
    errors.print(f"{out}: written", markup=False, highlight=False, soft_wrap=True)
