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
    as_json: Json = False,
) -> None:
    """Walk the whole chain; exit with 1 and name the first entry that is not as it was written.

    An end that was cut off shows only against a hash that was noted before: keep the one that is
    printed outside of the database.

    Example: vigie audit verify --contains 3f1c...
    """
    from ingest.registry import audit, database

    with database.transaction(settings.load().database) as connection:
        count, newest = audit.verify(connection)
        if contains is not None and not audit.contains(connection, contains):
            raise audit.CutOff(contains)
    if as_json:
        told = {"entries": count, "hash": newest.hex()}
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"{count} entries, each as it was written")
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
    Console().print(table)
