"""Commands that change one entry: who wears a device, and the health store."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.registry import watching_cli
from ingest.registry.cli import By, Json
from ingest.registry.watching_cli import amend

app = typer.Typer()
app.add_typer(watching_cli.app)


def moment(text: str | datetime) -> datetime:
    """Read a time with its zone. Raises typer.BadParameter, which is a usage error."""
    if isinstance(text, datetime):
        return text  # Typer passes a default through here too
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter("write a time with its zone, such as 2026-01-01T00:00:00Z")
    return time


def now() -> datetime:
    """Return this moment, which a command takes when it is given none."""
    from ingest.ports import SystemClock

    return SystemClock().now()


At = Annotated[
    datetime, typer.Option(parser=moment, default_factory=now, show_default="now", metavar="TIME")
]


@app.command()
def assign(
    device: Annotated[str, typer.Argument(help="A device of the registry.")],
    patient: Annotated[str, typer.Argument(help="A patient's pseudonym.")],
    start: Annotated[
        datetime,
        typer.Option(
            "--from", parser=moment, default_factory=now, show_default="now", metavar="TIME"
        ),
    ],
    by: By,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, metavar="TIME", help="None: no end yet.")
    ] = None,
) -> None:
    """Give a device to a patient: its readings of that time are this patient's, also late ones.

    A device is worn by one patient at a time: release it first.

    Example: vigie registry assign dev-0042 p-0042 --from 2026-01-01T08:00:00Z
    """
    from ingest.registry import editing

    amend(
        [f"device:{device}"],
        lambda known: editing.assigned(known, device, patient, start, until),
        by=by,
        why="assigned",
    )


@app.command()
def release(
    device: Annotated[str, typer.Argument(help="A device of the registry.")],
    at: At,
    by: By,
) -> None:
    """End the assignment that holds now, or did at a time: from then on nobody wears the device.

    Example: vigie registry release dev-0042 --at 2026-02-01T08:00:00Z
    """
    from ingest.registry import editing

    amend(
        [f"device:{device}"],
        lambda known: editing.released(known, device, at),
        by=by,
        why="released",
    )


@app.command()
def delist(
    model: Annotated[str, typer.Argument(help="A model of the health store.")],
    at: At,
    by: By,
) -> None:
    """Take a model off the health store's list: its devices are refused from that time on.

    Example: vigie registry delist old-oximeter
    """
    from ingest.registry import editing

    amend(
        [f"model:{model}"],
        lambda known: editing.delisted(known, model, at),
        by=by,
        why="delisted",
    )


@app.command("models")
def list_models(
    model: Annotated[str | None, typer.Argument(help="Show this one only, in full.")] = None,
    *,
    install: Annotated[
        bool,
        typer.Option("--install", help="Add the shipped models that a site has not; safe always."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List the health store: the device models and applications that may publish.

    A site adds to it with `vigie registry import`.

    Example: vigie registry models bedside-monitor
    """
    from ingest.registry import health_store
    from ingest.registry.files import toml_file
    from ingest.registry.rules import stamp
    from ingest.registry.store import NotInRegistry

    in_force = settings.load()
    if install:
        typer.echo(f"{health_store.install(in_force)} models added to the health store")
        return
    found = [one for one in health_store.models(in_force) if model in {None, one.id}]
    if model is not None and not found:
        raise NotInRegistry(f"model `{model}` is not in the health store")
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    elif model is not None:
        typer.echo(toml_file.write(found), nl=False)
    else:
        table = Table("model", "maker", "name", "formats", "listed (UTC)")
        for one in found:
            until = "" if one.listed_until is None else f" to {stamp(one.listed_until)}"
            listed = f"{stamp(one.listed_from)}{until}"
            table.add_row(one.id, one.maker, one.name, ", ".join(one.formats), listed)
        Console(markup=False).print(table)
