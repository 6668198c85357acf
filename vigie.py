"""The front door: one command per process and per question an operator has.

Only parses and mounts; each folder's `cli.py` builds its objects and starts them.
"""

from __future__ import annotations

import sys

import structlog
import typer
from rich.console import Console
from rich.table import Table

import alerts.cli
import alerts.plotting.cli
import alerts.scoring.cli
import deploy.local.cli
import detectors.evaluation.cli
import detectors.population.cli
import detectors.training_cli
import ingest.cli
import simulators.cli
import simulators.ends_cli
import streams.cli
from ingest import settings
from ingest.ports import VigieError

app = typer.Typer(
    name="vigie",
    help="Vigie watches the vital signs that connected devices send, and tells the physician.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (
    deploy.local.cli.app,
    ingest.cli.app,
    streams.cli.app,
    alerts.cli.app,
    alerts.scoring.cli.app,
    detectors.training_cli.app,
    detectors.population.cli.app,
    detectors.evaluation.cli.app,
    alerts.plotting.cli.app,
    simulators.cli.app,
    simulators.ends_cli.app,
):
    app.add_typer(part)


@app.command("settings")
def show_settings() -> None:
    """List every setting: name, value in force, meaning. Secrets are not shown.

    Example: VIGIE_KAFKA=kafka:9092 vigie settings
    """
    in_force = settings.load()
    table = Table("setting", "in force", "meaning")
    for name, default, meaning, secret in settings.names():
        value = str(getattr(in_force, name.removeprefix("VIGIE_").lower()))
        shown = "(secret, set)" if secret and value != default else value
        table.add_row(name, shown, meaning)
    Console().print(table)


def main() -> None:
    """Run the command line; an error that Vigie raises on purpose is one sentence and exit 1."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    try:
        app()
    except VigieError as error:
        Console(stderr=True).print(
            f"vigie: {error}", style="bold red", markup=False, soft_wrap=True
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
