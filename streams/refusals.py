"""The other half of the account: what gateways and workers refused, counted from the quarantine.

A refusal is in `vigie.rejected` before its message is acknowledged to the broker, so this count
loses nothing; it goes back as far as Kafka keeps the topic (30 days).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from ingest import kafka
from ingest.ports import MalformedRecord
from ingest.quarantine.records import Outcome, Settled, decode
from ingest.quarantine.search import between

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.codec import Rejected

# A message with very many refusals lists some and counts the others, whose reasons are not known.
UNLISTED = "unlisted"


@dataclass(slots=True)
class Refusals:
    """What the quarantine has: refusals by reason, and how many of its messages were dealt with.

    `messages` were refused, in whole or in part; those of patients without consent are counted and
    not kept. `since` is the time of the oldest refusal, UTC; None when there is none.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    replayed: int = 0
    dropped: int = 0
    unreadable: int = 0
    since: datetime | None = None

    def take(self, value: bytes | None) -> None:
        """Count one record of the quarantine."""
        try:
            record = decode(value)
        except MalformedRecord:
            self.unreadable += 1
            return
        if isinstance(record, Settled):
            self.replayed += record.outcome is Outcome.REPLAYED
            self.dropped += record.outcome is Outcome.DROPPED
            return
        self._count(record)

    def _count(self, rejected: Rejected) -> None:
        reasons = Counter(one.reason.value for one in rejected.refused)
        self.reasons.update(reasons)
        if rejected.more:
            self.reasons[next(iter(reasons)) if len(reasons) == 1 else UNLISTED] += rejected.more
        # A record without a topic only counts: one refusal for each message that was not kept.
        self.messages += 1 if rejected.topic else 1 + rejected.more
        if self.since is None or rejected.time < self.since:
            self.since = rejected.time


async def refusals(address: str, topic: str = kafka.REJECTED) -> Refusals:
    """Count all that the quarantine has now. Raises LogUnavailable."""
    found = Refusals()
    async with kafka.reading(address, topic) as reader:
        async for record in between(reader, await reader.starts(), await reader.ends()):
            found.take(record.value)
    return found


def as_table(found: Refusals) -> Table:
    """Write the refusals for people, the most frequent reason first."""
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("refused because", footer="all", no_wrap=True)
    table.add_column("refusals", footer=str(found.reasons.total()), justify="right")
    for reason, count in found.reasons.most_common():
        table.add_row(reason, str(count))
    return table
