"""Everything is accounted for: what came in, and what became of it, per partition of the log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec
from rich.box import SIMPLE
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streams.refusals import Refusals


@dataclass(frozen=True, slots=True)
class Entry:
    """One partition's account since the beginning. All but `dead` and `lost` count readings.

    `dead` counts records and messages put into quarantine, `lost` records that Kafka deleted before
    they were applied; `tick` is the gateways' time (UTC) up to which the log was applied, None
    before the first tick (the backfill lane has none). `consent` was dropped because the patient
    does not agree to it, `conflict` had come before with another value (the first stays), `erased`
    was stored and deleted with its patient since. `difference` is received less stored, duplicate,
    conflict, rejected and consent; the worker counts as duplicate what it did not store, so what
    proves the account is the count of rows.
    """

    topic: str
    partition: int
    next_offset: int
    tick: datetime | None
    received: int
    stored: int
    duplicate: int
    rejected: int
    dead: int
    lost: int
    difference: int
    consent: int = 0
    conflict: int = 0
    erased: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Every partition's account, and the rows that really stand in the table, of one snapshot."""

    entries: Sequence[Entry]
    rows: int

    @property
    def erased(self) -> int:
        """Readings that were stored and have been deleted with their patients since."""
        return sum(entry.erased for entry in self.entries)

    @property
    def missing(self) -> int:
        """Readings that were counted as stored and are not there (below 0: rows nobody counted)."""
        return sum(entry.stored for entry in self.entries) - self.erased - self.rows

    @property
    def balanced(self) -> bool:
        """Whether every reading is accounted for, and no record was lost."""
        return not (self.missing or any(entry.difference or entry.lost for entry in self.entries))


def as_json(account: Account, refused: Refusals | None = None) -> str:
    """Write the account for programs; `refused` is null there when Kafka did not answer."""
    body: dict[str, Any] = {
        "balanced": account.balanced,
        "rows": account.rows,
        "missing": account.missing,
        "erased": account.erased,
        "partitions": [asdict(entry) for entry in account.entries],
        "refused": refused,
    }
    return msgspec.json.encode(body).decode()


def as_table(entries: Sequence[Entry]) -> Table:
    """Write the account for people, with a sum at the end; what never had a record is left out."""
    summed = (
        "received",
        "stored",
        "duplicate",
        "conflict",
        "consent",
        "dead",
        "lost",
        "difference",
    )
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("partition", footer="all", no_wrap=True)
    table.add_column("next", justify="right")
    table.add_column("tick (UTC)", no_wrap=True)
    for name in summed:
        total = sum(getattr(entry, name) for entry in entries)
        table.add_column(name, footer=str(total), justify="right")
    for entry in entries:
        if not entry.next_offset:
            continue
        tick = f"{entry.tick.astimezone(UTC):%m-%d %H:%M:%S}" if entry.tick else "-"
        place = f"{entry.topic.removeprefix('vigie.')}/{entry.partition}"
        counts = (str(getattr(entry, name)) for name in summed)
        table.add_row(place, str(entry.next_offset), tick, *counts)
    return table
