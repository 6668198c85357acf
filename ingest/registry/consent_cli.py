"""Commands of the consents: given, withdrawn, and shown with all that was recorded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.registry.cli import By, Json, line, tell_gateways
from ingest.registry.editing_cli import moment
from ingest.registry.entities import Purpose

app = typer.Typer(help="What patients agreed to, purpose by purpose.", no_args_is_help=True)

Patient = Annotated[str, typer.Argument(help="A patient's pseudonym.")]
Wanted = Annotated[Purpose, typer.Argument(help="What for.")]
At = Annotated[
    datetime | None,
    typer.Option(
        parser=moment, metavar="TIME", show_default="now", help="When the patient said so."
    ),
]
Evidence = Annotated[
    str, typer.Option(callback=line, help="Where the proof is kept: a reference, no name.")
]


@app.command()
def grant(
    patient: Patient,
    purpose: Wanted,
    text_version: Annotated[
        str, typer.Option(callback=line, help="Which version of the text was signed.")
    ],
    evidence: Evidence,
    by: By,
    at: At = None,
) -> None:
    """Record that a patient agrees to a purpose; returns when every gateway knows it.

    Example: vigie registry consent grant p-0042 share --text-version 2026-03 --evidence dms:77812
    """
    _decide(patient, purpose, text_version, evidence, by, at, granted=True)


@app.command()
def withdraw(
    patient: Patient,
    purpose: Wanted,
    by: By,
    text_version: Annotated[
        str, typer.Option(callback=line, help="Which version of the text was withdrawn.")
    ] = "any",
    evidence: Evidence = "said by the patient",
    at: At = None,
) -> None:
    """Record that a patient agrees no more; readings are refused at once when it was `collect`.

    Example: vigie registry consent withdraw p-0042 collect --by "Dr A. Martin"
    """
    _decide(patient, purpose, text_version, evidence, by, at, granted=False)


@app.command()
def show(patient: Patient, *, as_json: Json = False) -> None:
    """List everything that was recorded of a patient's consents, the newest last.

    Example: vigie registry consent show p-0042 --json
    """
    from ingest.registry import database
    from ingest.registry.consent import acts
    from ingest.registry.store import NotInRegistry, read

    with database.transaction(settings.load().database) as connection:
        if not read(connection, [f"patient:{patient}".encode()]):
            raise NotInRegistry(f"patient `{patient}` is not in the registry")
        found = acts(connection, patient)
    if as_json:
        typer.echo(msgspec.json.encode([one._asdict() for one in found]).decode())
        return
    table = Table("when (UTC)", "purpose", "", "text", "evidence", "recorded by")
    for one in found:
        said = "given" if one.granted else "withdrawn"
        time = f"{one.time:%Y-%m-%d %H:%M}"
        table.add_row(time, one.purpose, said, one.text_version, one.evidence, one.recorded_by)
    table.columns[0].no_wrap = True
    Console(markup=False).print(table)


def _decide(
    patient: str,
    purpose: Purpose,
    text_version: str,
    evidence: str,
    by: str,
    at: datetime | None,
    *,
    granted: bool,
) -> None:
    from ingest.registry import agreeing, office
    from ingest.registry.consent import Basis

    basis = Basis(evidence, text_version, at)
    told = office.apply(
        settings.load(),
        lambda connection: agreeing.decide(
            connection, patient, purpose, granted=granted, by=by, basis=basis
        ),
    )
    typer.echo("recorded" if told.changed else "recorded; it was so already")
    tell_gateways(told)
