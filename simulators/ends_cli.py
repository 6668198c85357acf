"""The commands of the two receiving ends: the physician's mailbox and the e-health space."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()


@app.command()
def mailbox(
    listing: Annotated[
        bool, typer.Option("--list", help="Show the mails that were kept, and end.")
    ] = False,
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics and /healthz; 0 takes a free one.")
    ] = 9469,
) -> None:
    """Play the physician's mailbox, at the address of VIGIE_SMTP.

    Mails are kept as files in the state folder's `mailbox`.

    Example: vigie mailbox --list
    """
    from ingest import health, settings
    from simulators import mailbox as box

    found = settings.load()
    folder = Path(found.state) / "mailbox"
    if listing:
        table = Table("received", "to", "subject", "copies")
        seen = box.repeats(folder)
        for mail in box.mails(folder):
            row = (f"{mail.date:%Y-%m-%d %H:%M:%S %Z}", mail.to, mail.subject)
            table.add_row(*row, str(seen[mail.message_id]))
        Console().print(table)
        return
    served = box.serve(folder, found.smtp)
    watched = health.serve(found.metrics_host, metrics_port, {})
    _until_told()
    watched.close()
    served.close()


@app.command()
def ens(
    metrics_port: Annotated[
        int, typer.Option(help="Port of /metrics and /healthz; 0 takes a free one.")
    ] = 9468,
) -> None:
    """Play the patients' e-health space, at the address of VIGIE_ENS.

    It accepts measures by the rules of the ANS guide; GET /accepted tells which.

    Example: vigie ens
    """
    from ingest import health, settings
    from simulators import ens as space

    found = settings.load()
    kept = space.Space(Path(found.state) / "ens" / "accepted.jsonl")
    kept.temper.token = found.ens_token
    served = space.serve(kept, found.ens)
    watched = health.serve(found.metrics_host, metrics_port, {})
    _until_told()
    watched.close()
    served.close()


def _until_told() -> None:
    """Wait for SIGTERM or Ctrl-C."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()
