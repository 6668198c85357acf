"""What the terminal shows of a simulation: progress, rates, and the account at the end."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import structlog
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console

    from simulators.pending import Tally
    from simulators.play import Outcome
    from simulators.scenarios import Scenario, Truth

# Without a terminal, under a supervisor, a line of the log a minute is enough.
LOG_SECONDS = 60.0


@contextmanager
def watching(console: Console, instants: int | None) -> Iterator[Callable[[Tally], None]]:
    """Show how far a run is; `instants` is how many there are to send, None when without end."""
    if not console.is_terminal:
        yield _logged()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("instants safe", total=instants, figures="")
        began = monotonic()

        def show(tally: Tally) -> None:
            rate = tally.safe / max(monotonic() - began, 0.001)
            figures = f"{tally.sent:,} messages sent, {tally.safe:,} safe, {rate:,.0f}/s"
            progress.update(task, completed=tally.instants, figures=figures)

        yield show


def _logged() -> Callable[[Tally], None]:
    log, last = structlog.get_logger(), monotonic()

    def say(tally: Tally) -> None:
        nonlocal last
        if monotonic() - last >= LOG_SECONDS:
            last = monotonic()
            log.info("simulating", sent=tally.sent, safe=tally.safe, repeated=tally.repeated)

    return say


def account(outcome: Outcome) -> Table:
    """Lay out what was sent, what is safe, and what was refused and why."""
    tally, seconds = outcome.tally, max(outcome.seconds, 0.001)
    table = Table("what", "number", "per second", title="Simulation")
    table.columns[1].justify = table.columns[2].justify = "right"
    table.add_row("messages sent", f"{tally.sent:,}", f"{tally.sent / seconds:,.1f}")
    table.add_row("messages safe", f"{tally.safe:,}", f"{tally.safe / seconds:,.1f}")
    table.add_row("instants safe", f"{tally.instants:,}", f"{tally.instants / seconds:,.1f}")
    table.add_row("messages repeated", f"{tally.repeated:,}", "")
    table.add_row("readings refused", f"{tally.refused.total():,}", "")
    for reason, number in tally.refused.most_common():
        table.add_row(f"  {reason}", f"{number:,}", "")
    table.add_row("messages without a receipt", f"{outcome.unsettled:,}", "")
    table.add_row("devices given up before their end", f"{outcome.unplayed:,}", "")
    table.add_row("seconds", f"{outcome.seconds:,.1f}", "")
    return table


def courses(truths: Sequence[Truth]) -> Table:
    """Lay out what will happen to whom, and what should come of it."""
    table = Table("patient", "scenario", "from", "noticed by", "priority", "vitals", title="Truth")
    for truth in truths:
        table.add_row(
            truth.bed.patient,
            truth.scenario.name,
            f"{truth.onset:%d %b %H:%M:%S}Z",
            f"{truth.noticed_by:%d %b %H:%M:%S}Z",
            truth.scenario.priority or "none",
            ", ".join(truth.scenario.vitals),
        )
    return table


def stories(scenarios: Iterable[Scenario]) -> Table:
    """List the scenarios that can be played."""
    table = Table("scenario", "what happens", "priority")
    for scenario in scenarios:
        table.add_row(scenario.name, scenario.story, scenario.priority or "none")
    return table
