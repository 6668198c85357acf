"""Commands of the way in: the gateway, topics, the registry, the quarantine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from ingest import settings
from ingest.erasure import cli as erase_cli
from ingest.formats.cli import template
from ingest.identity import authority_cli as authority
from ingest.identity import cli as devices
from ingest.quarantine import cli as quarantine
from ingest.registry import audit_cli as audit
from ingest.registry import cli as registry
from ingest.registry import consent_cli, editing_cli
from ingest.vault import cli as identity_cli

app = typer.Typer()
topics = typer.Typer(help="Kafka topics.", no_args_is_help=True)
app.add_typer(topics, name="topics")
app.add_typer(template, name="template")
registry.app.add_typer(editing_cli.app)
registry.app.add_typer(consent_cli.app, name="consent")
registry.app.command("erase")(erase_cli.erase)
app.add_typer(registry.app, name="registry")
app.add_typer(audit.app, name="audit")
app.add_typer(identity_cli.app, name="identity")
app.add_typer(quarantine.app, name="rejected")
app.add_typer(devices.app, name="devices", no_args_is_help=True)
app.add_typer(authority.app, name="authority", no_args_is_help=True)


@app.command()
def gateway(
    name: Annotated[
        str, typer.Option(help="Client id at the broker: `gateway...`, another one per gateway.")
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
