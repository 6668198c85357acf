"""The live summary of `make up`: what the line does now, and what to do when something is red."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.local import processes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType

    from deploy.local.servers import Servers

REFRESH_SECONDS = 2.0
# Columns that the figures and the programs need side by side.
WIDE = 122
# What the summary shows, the PromQL that answers it, and the unit.
FIGURES = (
    ("messages received", "vigie:messages_received:rate1m", "per second"),
    ("readings stored", "vigie:readings_stored:rate1m", "per second"),
    ("readings refused", "vigie:refused:ratio5m * 100", "% of the last 5 min"),
    ("alerts open, high", 'vigie:alerts_open:max{priority="high"}', "urgent consultation"),
    ("alerts open, medium", 'vigie:alerts_open:max{priority="medium"}', "closer follow-up"),
    ("alerts open, low", 'vigie:alerts_open:max{priority="low"}', "advice"),
    ("deliveries due", "sum(vigie:deliveries_due:max)", "mails and measures not yet taken"),
    ("worker behind", "vigie:worker_lag:records", "records"),
    ("gateway to database", "vigie:reading_age_seconds:p95 * 1000", "ms for 95 % of readings"),
)
FIRING = 'ALERTS{alertstate="firing"}'


def watch(running: Servers, console: Console) -> None:
    """Show the live summary until Ctrl-C."""
    console.print("Ctrl-C stops everything. The first figures take a few seconds.", style="dim")
    with Live(console=console, refresh_per_second=1, transient=True) as live:
        while True:
            live.update(summary(running, console.width))
            time.sleep(REFRESH_SECONDS)


def summary(running: Servers, width: int) -> RenderableType:
    """Put first what to do, then the figures, and the programs beside them where `width` allows.

    A terminal that is too low cuts off the end.
    """
    address = running.environment.get("VIGIE_PROMETHEUS", "")
    left, right = figures(address), programs(running)
    both = Table.grid(padding=(0, 4))
    both.add_row(left, right)
    parts = (both,) if width >= WIDE else (left, right)
    said = advice(running, address) or [Text("all is well", style="green")]
    return Group(*said, *parts)


def figures(address: str) -> Table:
    """Ask Prometheus for the figures of this moment; `-` is what it does not know yet."""
    table = Table(
        title=f"Now, {time.strftime('%H:%M:%S')}", title_justify="left", show_header=False
    )
    for what, query, unit in FIGURES:
        value = number(ask(address, query))
        table.add_row(what, Text("-" if value is None else _shown(value), justify="right"), unit)
    return table


def programs(running: Servers) -> Table:
    """Say of each program whether it runs, for how long, and how often it was started again."""
    table = Table("program", "state", "for", "restarts", title="Programs", title_justify="left")
    restarts = running.supervisor.restarts()
    for name, seen in sorted(running.supervisor.seen().items()):
        style = "green" if seen.state == "RUNNING" else "red"
        minutes, seconds = divmod(seen.uptime_seconds, 60)
        lasting = f"{minutes} min {seconds:02} s" if seen.runs else ""
        again = restarts.get(name, 0)
        count = Text(str(again), style="yellow" if again else "", justify="right")
        table.add_row(name, Text(seen.state.lower(), style=style), lasting, count)
    return table


def advice(running: Servers, address: str) -> list[Text]:
    """Say what is wrong, each with the command or the page that helps; empty when nothing is."""
    known = running.supervisor.seen()
    if not known:
        return [_red("the supervisor is gone: `vigie down` cleans up, `vigie up` starts again")]
    down = [
        _red(f"{name} is {seen.state.lower()}; vigie servers logs {name}")
        for name, seen in known.items()
        if seen.state != "RUNNING"
    ]
    ours = [name for name in known if f"{name}-metrics" in running.state.record.ports]
    ill = [
        _red(f"{name}: {said}; vigie servers logs {name}")
        for name in ours
        if known[name].state == "RUNNING"
        and (said := processes.health(running.state, name)) != "healthy"
    ]
    firing = {one["metric"].get("alertname", "") for one in ask(address, FIRING)}
    pages = [_red(f"{name}: docs/operations.md#{name.lower()}") for name in sorted(firing)]
    return [*down, *ill, *pages]


def ask(address: str, query: str) -> list[dict[str, Any]]:
    """Ask Prometheus one question; nothing when there is no answer."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    if not url.startswith(("http://", "https://")):
        return []
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (http, checked above)
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    except (OSError, ValueError, LookupError):
        return []
    return result


def number(result: Iterable[dict[str, Any]]) -> float | None:
    """Take the one number of an answer; None when there is none, or not yet (NaN)."""
    for one in result:
        value = float(one["value"][1])
        return value if value == value else None  # noqa: PLR0124 (NaN differs from itself)
    return None


def _shown(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _red(text: str) -> Text:
    return Text(text, style="bold red")
