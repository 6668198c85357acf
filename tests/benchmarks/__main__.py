"""`make bench`: measure, against real servers of its own, and print one table.

python -m tests.benchmarks [--only panel,gateway,worker,store,latency] [--seconds 30]
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
NAMES = ("panel", "gateway", "worker", "store", "latency")


def main() -> None:
    """Run the benchmarks that were asked for and print what they found."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(NAMES), help="names, with commas between")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the latency run")
    options = parser.parse_args()
    # A pipe has no width of its own, and the table is wider than the usual guess.
    console = Console(width=None if sys.stdout.isatty() else 150)
    found: list[Figure | Latency] = []
    for name in options.only.split(","):
        if name not in NAMES:
            sys.exit(f"no benchmark `{name}`; there are {', '.join(NAMES)}")
        console.rule(name)
        found += import_module(f"tests.benchmarks.bench_{name}").run(console, options.seconds)
    show(console, found)


def show(console: Console, found: Iterable[Figure | Latency]) -> None:
    """Print the table that `docs/performance.md` keeps: the ratio first, it is what counts."""
    when, cores = datetime.now(UTC).strftime("%Y-%m-%d"), os.cpu_count()
    table = Table(
        title=f"{when}, {cores} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    for column in ("what", "ratio", "ours", "against", "other"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*(_compared(one) if isinstance(one, Figure) else _spread(one)))
    console.print(table)


def _compared(figure: Figure) -> tuple[str, ...]:
    ours, other = (f"{rate:,.0f} {figure.unit}" for rate in (figure.ours, figure.other))
    return figure.what, f"{figure.ratio:.2f}", ours, figure.against, other


def _spread(latency: Latency) -> tuple[str, ...]:
    p50, p95, p99 = (f"{1000 * seconds:.0f} ms" for seconds in latency.percentiles)
    told = f"p50 {p50}, p95 {p95}, p99 {p99}"
    return latency.what, "", told, f"{len(latency.seconds):,} samples", ""


if __name__ == "__main__":
    main()
