"""`make up`: servers, topics, schema, processes, a simulated ward."""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING

from rich.table import Table

from deploy.local import processes, servers, site
from deploy.local.errors import LocalError
from deploy.local.state import State, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from deploy.local.servers import Servers

# What `addresses` shows, and the setting that says where it is.
SHOWN = {
    "devices publish to": "VIGIE_MQTT_DEVICES",
    "with a certificate": "VIGIE_MQTT_TLS",
    "with a password": "VIGIE_MQTT_TLS_BY_PASSWORD",
    "Kafka": "VIGIE_KAFKA",
    "TimescaleDB": "VIGIE_DATABASE",
    "Prometheus": "VIGIE_PROMETHEUS",
    "Alertmanager": "VIGIE_ALERTMANAGER",
    "mail for physicians": "VIGIE_SMTP",
    "e-health space (ENS)": "VIGIE_ENS",
}


def start(folder: Path, console: Console, *, brokers: int | None, patients: int) -> Servers:
    """Bring everything up and write `env`; what runs already is left alone. Raises LocalError."""

    def say(text: str) -> None:
        console.print(
            f"[dim]{time.strftime('%H:%M:%S')}[/dim] {text}", highlight=False, soft_wrap=True
        )

    own = site.own(State(folder), os.environ)
    if site.has(own, "VIGIE_MQTT") and patients and not site.has(own, "VIGIE_MQTT_DEVICES"):
        raise LocalError(
            "VIGIE_MQTT names your own broker: set VIGIE_MQTT_DEVICES, where the simulated ward "
            "may publish, or say --patients 0."
        )
    if own.get("VIGIE_MQTT_ANONYMOUS") == "off" and patients:
        raise LocalError(
            "VIGIE_MQTT_ANONYMOUS=off leaves no door for the simulated ward: say --patients 0."
        )
    running = servers.start(folder, brokers=brokers, say=say, own=own)
    state = running.state
    ends, simulated = processes.ends(state, own, seen=running.supervisor.seen())
    known = {**running.environment, **ends, "VIGIE_STATE": str(state.folder)}
    state.give_out(ends)
    state.save()
    lines = "".join(f"{key}={shlex.quote(value)}\n" for key, value in sorted(known.items()))
    write_private(state.folder / "env", lines)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(site.PREFIX)}
    environment = {**kept, **known, "PYTHONUNBUFFERED": "1"}
    processes.prepare(environment, say)
    ward = [processes.ward(patients)] if patients else []
    wanted = [*simulated, *processes.LINE, *ward]
    for name in processes.NAMES - {process.name for process in wanted}:
        running.supervisor.remove(name)
    processes.start(running, wanted, environment, say)
    addresses(running, known, console)
    return running


def addresses(running: Servers, known: dict[str, str], console: Console) -> None:
    """Print where everything is; passwords stay in the file."""
    table = Table("what", "where", title="Vigie is up", title_justify="left", show_header=False)
    for what, setting in SHOWN.items():
        file = known.get(setting + site.FILE)
        where = known.get(setting, "").rpartition("@")[2]
        table.add_row(what, where or (f"as {file} says" if file else "not set"))
    table.add_row("all settings, with passwords", str(running.state.folder / "env"))
    table.add_row("logs", str(running.state.logs))
    console.print(table)
