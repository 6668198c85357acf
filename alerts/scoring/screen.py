"""What whoever scores a table sees of it: how far it is, and what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from alerts.scoring.rows import meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from alerts.scoring.rows import BadRows, Row, Unreadable
    from alerts.scoring.tables import Table

# Rows between two looks at the clock.
EVERY = 2000


def followed(table: Table, console: Console) -> Iterator[Row | Unreadable]:
    """Read a table's rows, and show how far it is, with rows a second; nothing off a terminal."""
    columns = (
        TextColumn("scoring"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
    )
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task("", total=table.size, rows=0, rate=0.0)
        for number, row in enumerate(table.rows(), 1):
            yield row
            if number % EVERY == 0 and not hidden:
                elapsed = progress.tasks[0].elapsed or 0.0
                rate = number / elapsed if elapsed else 0.0
                progress.update(task, completed=table.done(), rows=number, rate=rate)


def summary(bad: BadRows) -> list[str]:
    """Say in lines which rows were left out, the first few by number, and how many why."""
    if not bad:
        return []
    lines = [f"bad rows: {len(bad)}, left out"]
    lines += [f"  {one}: {count}{meaning(one)}" for one, count in sorted(bad.counts.items())]
    lines += [f"  {one}" for one in bad.first]
    if len(bad) > len(bad.first):
        lines.append("  (the others are counted only)")
    return lines
