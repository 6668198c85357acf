"""The commands for templates of vendor JSON: list, check, try."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.ports import VigieError

template = typer.Typer(help="Vendor JSON, read by declarative template.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


class SampleRefused(VigieError):
    """The sample cannot be read, or its time of receipt is no time."""


@template.command("list")
def list_templates(*, as_json: Json = False) -> None:
    """List the templates in force: those of Vigie and those in the folder of VIGIE_TEMPLATES.

    Example: VIGIE_TEMPLATES=/etc/vigie/templates vigie template list
    """
    import msgspec

    from ingest import settings
    from ingest.formats.catalogue import Formats

    found = sorted(Formats(settings.load().templates).templates.items())
    if as_json:
        told = [
            {"name": name, "description": one.description, "file": one.source}
            for name, one in found
        ]
        typer.echo(msgspec.json.encode(told).decode())
        return
    table = Table("topic", "description", "file")
    for name, one in found:
        table.add_row(f"vigie/v1/DEVICE/raw/{name}", Text(one.description), Text(one.source))
    Console().print(table)


@template.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Templates (TOML).")],
    *,
    as_json: Json = False,
) -> None:
    """Check templates without using them. Exit 1 when one has a fault, which is told.

    Example: vigie template check /etc/vigie/templates/*.toml
    """
    import msgspec

    from ingest.formats.template import from_file

    told = []
    for file in files:
        try:
            name, fault = from_file(file).name, None
        except VigieError as error:
            name, fault = None, str(error)
        told.append({"file": str(file), "name": name, "fault": fault})
        if not as_json:
            typer.echo(f"{file}: {name}: fine" if fault is None else fault)
    if as_json:
        typer.echo(msgspec.json.encode(told).decode())
    if any(one["fault"] for one in told):
        raise typer.Exit(1)


@template.command("try")
def try_template(
    file: Annotated[Path, typer.Argument(help="A template (TOML).")],
    sample: Annotated[Path, typer.Argument(help="One message of the vendor's (JSON).")],
    *,
    received: Annotated[
        str | None, typer.Option(help="When it is to have come, RFC 3339; default: now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show step by step what a template makes of a sample, and why not.

    Exit 0 when something is kept and nothing is refused, else 1. It shows the sample's values.

    Example: vigie template try acme-patch.toml sample.json --received 2026-11-24T03:00:01Z
    """
    import msgspec

    from ingest.formats.explain import explain
    from ingest.formats.template import from_file

    try:
        payload = sample.read_bytes()
    except OSError as error:
        raise SampleRefused(f"{sample}: cannot be read: {error.strerror}") from None
    explained = explain(from_file(file), payload, _moment(received))
    if as_json:
        typer.echo(msgspec.json.encode(explained).decode())
    else:
        table = Table("part")
        for title in ("expression", "gave", "what came of it"):
            table.add_column(title, overflow="fold")
        for step in explained.steps:
            came = Text(step.came, style="red" if step.refused else "")
            table.add_row(step.what, Text(step.at), Text(step.gave), came)
        Console().print(table)
        values = sum(len(instant.values) for instant in explained.kept)
        named = f"seq {explained.seq}" if explained.seq else f"id {explained.id}"
        unnamed = explained.seq is None and explained.id is None
        name = "no number: no receipt" if unnamed else named
        typer.echo(f"{name}; {values} values kept, {len(explained.refused)} refusals")
    if explained.refused or not explained.kept:
        raise typer.Exit(1)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SampleRefused(f"--received: `{text}` is no time such as 2026-11-24T03:00Z") from None
    if moment.tzinfo is None:
        raise SampleRefused("--received: the time needs a zone, such as 2026-11-24T03:00:00Z")
    return moment.astimezone(UTC)
