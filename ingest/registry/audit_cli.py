"""Commands of the audit log: is it whole, and what is in it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.registry.cli import Json

app = typer.Typer(help="Who changed what, when and why.", no_args_is_help=True)


@app.command()
def verify(
    *,
    contains: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash that was printed before: is it still there?"),
    ] = None,
    tables_only: Annotated[
        bool, typer.Option("--tables-only", help="Do not ask Kafka, as for a backup.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Walk the whole chain; exit with 1 and name the first entry that is not as it was written.

    An end that was cut off, or a log that was written anew, shows against the hashes that went to
    Kafka with each change; and against the one that is printed here, if you keep it elsewhere.

    Example: vigie audit verify --contains 3f1c...
    """
    import asyncio

    from ingest.registry import anchors, audit, database

    in_force = settings.load()
    told = [] if tables_only else asyncio.run(anchors.read(in_force.kafka))
    with database.transaction(in_force.database) as connection:
        count, newest = audit.verify(connection)
        fit = anchors.check(connection, told)
        if contains is not None and not audit.contains(connection, contains):
            raise audit.CutOff(contains)
    if as_json:
        answer = {"entries": count, "anchors": fit, "hash": newest.hex()}
        typer.echo(msgspec.json.encode(answer).decode())
        return
    typer.echo(f"{count} entries, each as it was written")
    if not tables_only:
        typer.echo(f"{fit} hashes in vigie.registry, each of an entry that is still there")
    typer.echo(f"newest hash: {newest.hex()}")


@app.command("list")
def list_entries(
    *,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    key: Annotated[
        str | None, typer.Option(help="Only of this entry: `patient:p-0042`, `device:dev-0042`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List changes, the newest first.

    Example: vigie audit list --key patient:p-0042 --json
    """
    from ingest.registry import audit, database

    with database.transaction(settings.load().database) as connection:
        found = audit.newest(connection, limit, key)
    if as_json:
        told = [
            {
                "number": one.number,
                "time": one.time,
                "by": one.by,
                "why": one.why,
                "key": one.key,
                "change": msgspec.Raw(one.change.encode()),
            }
            for one in found
        ]
        typer.echo(msgspec.json.encode(told).decode())
        return
    table = Table("number", "time (UTC)", "by", "why", "what", "fields")
    for one in found:
        fields = ", ".join(msgspec.json.decode(one.change))
        time = f"{one.time:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(one.number), time, one.by, one.why, one.key, fields)
    Console(markup=False).print(table)
