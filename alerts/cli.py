"""The command of this folder: the dispatcher."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def dispatcher(
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics and /healthz; 0 takes a free one.")
    ] = 9466,
) -> None:
    """Tell physicians and e-health spaces of alerts, and relay alert events to Kafka.

    Any number may run; no delivery is claimed by two at once.

    Example: VIGIE_SMTP=smtp://mail.hopital.example:587 vigie dispatcher
    """
    from alerts.process import run
    from ingest import settings

    asyncio.run(run(settings.load(), metrics_port))
