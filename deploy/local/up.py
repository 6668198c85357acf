"""`make up`: servers, topics, schema, processes, a simulated ward; then a live summary."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.table import Table

from deploy.local import processes, servers
from deploy.local.state import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from deploy.local.servers import Servers

REFRESH_SECONDS = 2.0
PATIENTS = 20
# What the summary shows, and the PromQL that answers it.
FIGURES = {
    "messages received per second": "vigie:messages_received:rate1m",
    "readings stored per second": "vigie:readings_stored:rate1m",
    "readings refused, share of 5 min": "vigie:refused:ratio5m",
    "open alerts, high": 'vigie:alerts_open:max{priority="high"}',
    "open alerts, medium": 'vigie:alerts_open:max{priority="medium"}',
    "open alerts, low": 'vigie:alerts_open:max{priority="low"}',
    "deliveries due": "sum(vigie:deliveries_due:max)",
    "records the worker is behind": "vigie:worker_lag:records",
    "from gateway to database, p95 in s": "vigie:reading_age_seconds:p95",
}


def start(folder: Path, console: Console, *, brokers: int, patients: int) -> Servers:
    """Bring everything up and write `env`; what runs already is left alone. Raises LocalError."""

    def say(text: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {text}", highlight=False)

    site = {key: value for key, value in os.environ.items() if key.startswith("VIGIE_")}
    running = servers.start(folder, brokers=brokers, say=say)
    ends, simulated = processes.ends(running.state, site)
    known = {**running.environment, **ends, "VIGIE_STATE": str(running.state.folder)}
    if site.get("VIGIE_RECORDINGS"):
        known["VIGIE_RECORDINGS"] = site["VIGIE_RECORDINGS"]
    environment = {**os.environ, **known, "PYTHONUNBUFFERED": "1"}
    lines = "".join(f"{key}={value}\n" for key, value in sorted(known.items()))
    write_private(running.state.folder / "env", lines)
    processes.prepare(environment, say)
    ward = [processes.ward(patients)] if patients else []
    processes.start(running, [*simulated, *processes.LINE, *ward], environment, say)
    addresses(running, known, console)
    return running


def addresses(running: Servers, known: dict[str, str], console: Console) -> None:
    """Print where everything is; passwords stay in the file."""
    table = Table("what", "where", title="Vigie is up", title_justify="left", show_header=False)
    shown = {
        "devices publish to": known.get("VIGIE_MQTT_DEVICES", ""),
        "Kafka": known.get("VIGIE_KAFKA", ""),
        "TimescaleDB": known.get("VIGIE_DATABASE", "").rpartition("@")[2],
        "Prometheus": known.get("VIGIE_PROMETHEUS", ""),
        "Alertmanager": known.get("VIGIE_ALERTMANAGER", ""),
        "mail for physicians": known["VIGIE_SMTP"].rpartition("@")[2],
        "e-health space (ENS)": known["VIGIE_ENS"].rpartition("@")[2],
        "all settings, with passwords": str(running.state.folder / "env"),
        "logs": str(running.state.logs),
    }
    for what, where in shown.items():
        table.add_row(what, where)
    console.print(table)


def watch(running: Servers, console: Console) -> None:
    """Show the live summary until Ctrl-C."""
    console.print("Ctrl-C stops everything.")
    with Live(console=console, refresh_per_second=1, transient=True) as live:
        while True:
            live.update(Group(figures(running), programs(running)))
            time.sleep(REFRESH_SECONDS)


def figures(running: Servers) -> Table:
    """Ask Prometheus for the figures of this moment; `-` is what it does not know yet."""
    table = Table(show_header=False, title="Now", title_justify="left")
    address = running.environment.get("VIGIE_PROMETHEUS", "")
    for what, query in FIGURES.items():
        value = ask(address, query)
        table.add_row(what, "-" if value is None else f"{value:,.2f}".rstrip("0").rstrip("."))
    return table


def programs(running: Servers) -> Table:
    """Say of each program whether it runs, since when, and how often it was started again."""
    table = Table("program", "state", "for", "restarts")
    restarts = running.supervisor.restarts()
    for name, seen in sorted(running.supervisor.seen().items()):
        style = "green" if seen.state == "RUNNING" else "red"
        minutes, seconds = divmod(seen.uptime_seconds, 60)
        for_ = f"{minutes} min {seconds} s" if seen.runs else ""
        table.add_row(name, f"[{style}]{seen.state.lower()}[/]", for_, str(restarts.get(name, 0)))
    return table


def ask(address: str, query: str) -> float | None:
    """Ask Prometheus one question; None when there is no answer or no number."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    if not url.startswith(("http://", "https://")):
        return None
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (http, checked above)
            result = json.load(answer)["data"]["result"]
            value = float(result[0]["value"][1])
    except (OSError, ValueError, LookupError):
        return None
    return value if value == value else None  # noqa: PLR0124 (NaN: no observation yet)
