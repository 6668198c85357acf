"""`make bench`: measure, against real servers of its own, and print one table.

python -m tests.benchmarks [--only gateway,worker,store,latency] [--seconds 30]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figure, Latency

if TYPE_CHECKING:
    from collections.abc import Iterable

# Each module has `run(console, seconds)`, which yields figures and latencies.
NAMES = ("gateway", "worker", "store", "latency")


def main() -> None:
    """Run the benchmarks that were asked for and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(NAMES), help="names, with commas between")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the latency run")
    options = parser.parse_args()
    console = Console()
    found: list[Figure | Latency] = []
    for name in options.only.split(","):
        if name not in NAMES:
            sys.exit(f"no benchmark `{name}`; there are {', '.join(NAMES)}")
        console.rule(name)
        found += import_module(f"tests.benchmarks.bench_{name}").run(console, options.seconds)
    show(console, found)


def show(console: Console, found: Iterable[Figure | Latency]) -> None:
    """Print the table that `docs/performance.md` keeps."""
    found = list(found)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    cores = os.cpu_count()
    table = Table(
        title=f"{when}, {cores} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    for column in ("what", "ours", "against", "other", "ratio"):
        table.add_column(column, overflow="fold")
    for figure in (f for f in found if isinstance(f, Figure)):
        table.add_row(
            figure.what,
            f"{figure.ours:,.0f} {figure.unit}",
            figure.against,
            f"{figure.other:,.0f} {figure.unit}",
            f"{figure.ratio:.2f}",
        )
    console.print(table)
    for latency in (x for x in found if isinstance(x, Latency)):
        p50, p95, p99 = (1000 * seconds for seconds in latency.percentiles)
        console.print(
            f"{latency.what}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms "
            f"({len(latency.seconds)} samples)"
        )


if __name__ == "__main__":
    main()
