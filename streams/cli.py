"""The commands of this folder: the worker, the database's schema, and the ledger."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()
database = typer.Typer(help="The database's schema.", no_args_is_help=True)
app.add_typer(database, name="database")

# How long `migrate` waits for a database that is still starting (seconds).
WAIT_SECONDS = 60.0


@app.command()
def worker(
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics and /healthz; 0 takes a free one.")
    ] = 9465,
) -> None:
    """Score readings, store them, and open and end alerts.

    Any number may run; they share the partitions of the log.

    Example: VIGIE_KAFKA=kafka:9092 VIGIE_DATABASE_FILE=/run/secrets/database vigie worker
    """
    from ingest import settings
    from streams.app import run

    asyncio.run(run(settings.load(), metrics_port))


@database.command()
def migrate() -> None:
    """Bring the schema up to this version; safe while Vigie runs, and at any number of times."""
    from ingest import settings
    from streams import migrations
    from streams.app import Names

    console, names = Console(stderr=True), Names()
    url = settings.load().database
    migrations.wait(url, WAIT_SECONDS, lambda why: console.print(f"waiting: {why}", markup=False))
    places = {names.readings: names.partitions, names.backfill: names.partitions}
    migrations.migrate(url, places, applied=lambda name: console.print(f"applied {name}"))
    console.print("the schema is up to date")


@database.command()
def status() -> None:
    """List the migrations, and how each stands in the database."""
    from ingest import settings
    from streams import migrations

    table = Table("migration", "state")
    for standing in migrations.status(settings.load().database):
        table.add_row(standing.migration.name, standing.state)
    Console().print(table)


@database.command()
def check() -> None:
    """Exit with 1 unless the schema is the one that this version needs."""
    from ingest import settings
    from streams import migrations

    migrations.check(settings.load().database)
    Console().print("the schema is up to date")


@app.command()
def ledger(
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Account for every reading; exit with 1 when one is missing or a record was lost.

    First what became of the readings that passed the door, in both lanes; then what was refused
    there, by reason, as far back as the quarantine goes (30 days).

    Example: vigie ledger --json
    """
    from ingest import settings
    from ingest.ports import LogUnavailable
    from streams import refusals, timescale
    from streams.ledger import as_json, as_table

    known = settings.load()
    account = asyncio.run(timescale.ledger(known.database))
    refused, trouble = None, ""
    try:
        refused = asyncio.run(refusals.refusals(known.kafka))
    except LogUnavailable as error:
        trouble = f"refusals are not counted: {error}"
    if json:
        sys.stdout.write(as_json(account, refused) + "\n")
    else:
        console = Console()
        console.print(as_table(account.entries))
        gone = f", erased with their patients: {account.erased}" if account.erased else ""
        console.print(f"rows in the table: {account.rows}, missing: {account.missing}{gone}")
        if refused is not None:
            console.print(refusals.as_table(refused))
            console.print(
                f"messages refused: {refused.messages}, of them replayed: {refused.replayed}, "
                f"dropped: {refused.dropped}"
            )
    if trouble:
        Console(stderr=True).print(trouble, markup=False)
    if not account.balanced:
        raise typer.Exit(1)
