"""Commands of the way in: the gateway, topics, the registry, the quarantine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.readings import Refusal

app = typer.Typer()
topics = typer.Typer(help="Kafka topics.", no_args_is_help=True)
registry = typer.Typer(help="Patients, devices, and who wears which.", no_args_is_help=True)
rejected = typer.Typer(help="What was refused, and why.", no_args_is_help=True)
app.add_typer(topics, name="topics")
app.add_typer(registry, name="registry")
app.add_typer(rejected, name="rejected")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command()
def gateway(
    name: Annotated[
        str, typer.Option(help="Client id at the broker; another one per gateway.")
    ] = "gateway-1",
    metrics_port: Annotated[int, typer.Option(help="Port of /metrics; 0 takes a free one.")] = 9464,
) -> None:
    """Take messages from the broker into Kafka; a device hears what is safe.

    Example: vigie gateway --name gateway-2 --metrics-port 9564
    """
    from ingest import process

    asyncio.run(process.run(settings.load(), name, metrics_port))


@topics.command("create")
def create() -> None:
    """Make the topics that are missing, with the settings they need. Safe to repeat.

    Example: VIGIE_KAFKA=kafka:9092 vigie topics create
    """
    from ingest import kafka

    made = asyncio.run(kafka.ensure_topics(settings.load().kafka))
    Console().print(f"made {', '.join(made)}" if made else "all topics are there")


@registry.command("import")
def import_file(file: Annotated[Path, typer.Argument(help="A registry file (TOML).")]) -> None:
    """Take a registry file into the running system; returns when every gateway knows it.

    Nothing is imported from a file with a fault. What is not named in the file stays as it is.

    Example: vigie registry import ward.toml
    """
    from ingest.registry import file as registry_file
    from ingest.registry import topic as registry_topic

    entities = registry_file.read(file)
    address = settings.load().kafka
    console = Console()

    async def work() -> list[str]:
        changed, revision = await registry_topic.change(address, entities)
        console.print(f"{len(entities)} entries, {changed} new or changed: revision {revision}")
        return await registry_topic.confirmed(address, revision)

    try:
        gateways = asyncio.run(work())
    except TimeoutError:
        console.print("a gateway that runs has not followed yet: see its /healthz", style="red")
        raise typer.Exit(1) from None
    if gateways:
        console.print(f"in force at {', '.join(gateways)}")
    else:
        console.print("no gateway runs: it takes effect when one starts")


@registry.command("list")
def list_entries(*, as_json: Json = False) -> None:
    """List patients (by pseudonym) and devices with their newest assignment.

    Example: vigie registry list --json
    """
    from ingest.registry import topic as registry_topic
    from ingest.registry.entities import Model, Patient

    found = asyncio.run(registry_topic.everything(settings.load().kafka))
    entities = sorted(found.values(), key=lambda entity: (type(entity).__name__, entity.id))
    if as_json:
        typer.echo(msgspec.json.encode(entities).decode())
        return
    table = Table("kind", "id", "profile or model", "worn by")
    for entity in entities:
        if isinstance(entity, Patient):
            table.add_row("patient", entity.id, entity.profile, "")
        elif isinstance(entity, Model):
            table.add_row("model", entity.id, f"{entity.maker} {entity.name}", "")
        else:
            worn = entity.assignments[-1].patient if entity.assignments else "nobody"
            table.add_row("device", entity.id, entity.model, worn)
    Console().print(table)


@rejected.command("list")
def list_rejected(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    reason: Annotated[Refusal | None, typer.Option(help="Only with this reason.")] = None,
    as_json: Json = False,
) -> None:
    """List refused messages: device, number, reasons and places; never what was in them.

    Example: vigie rejected list --reason unknown-unit --limit 5
    """
    from ingest import quarantine

    found = asyncio.run(quarantine.newest(settings.load().kafka, limit, reason))
    if as_json:
        told = [
            {"time": r.time, "device": r.device, "seq": r.seq, "by": r.by, "refused": r.refused}
            for r in found
        ]
        typer.echo(msgspec.json.encode(told).decode())
        return
    table = Table("time (UTC)", "device", "seq", "why", "by")
    for one in found:
        why = ", ".join(f"{r.reason} {r.at}".strip() for r in one.refused[:3])
        more = f" and {len(one.refused) - 3} more" if len(one.refused) > 3 else ""  # noqa: PLR2004 (three are shown)
        seq = "" if one.seq is None else str(one.seq)
        table.add_row(f"{one.time:%Y-%m-%d %H:%M:%S}", one.device, seq, why + more, one.by)
    Console().print(table)
