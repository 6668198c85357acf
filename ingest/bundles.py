"""What goes into the log together: the messages of a few milliseconds, one bundle per partition."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ingest import kafka
from ingest.codec import Bundle, Message, Refused, Rejected, Tick, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class Outgoing(NamedTuple):
    """A record on its way to Kafka."""

    topic: str
    value: bytes
    partition: int | None = None
    key: bytes | None = None


@dataclass(slots=True)
class Flush:
    """Messages that share their acknowledgement: none is acknowledged before all are in Kafka.

    `packets` are the broker's, in order of arrival, of the connection `session`. `answers` are the
    receipts that are due: device, number of the message, what was refused of it. `began` is the
    monotonic time of the first message; `size` the bytes that came; `readings` the good values.
    """

    session: int
    began: float
    bundles: defaultdict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)
    packets: list[int] = field(default_factory=list)
    answers: list[tuple[str, int, list[Refused]]] = field(default_factory=list)
    messages: int = 0
    size: int = 0
    readings: int = 0

    def records(self, gateway: str) -> Iterator[Outgoing]:
        """Encode what goes to Kafka."""
        for partition, messages in self.bundles.items():
            bundle = Bundle(gateway, tuple(messages))
            yield Outgoing(kafka.READINGS, encode(bundle), partition)
        for rejected in self.rejected:
            key = rejected.device.encode() or None
            yield Outgoing(kafka.REJECTED, encode(rejected), key=key)


def ticks(gateway: str, time: datetime, revision: int) -> Iterator[Outgoing]:
    """Make the tick of each partition: time moves on, and this registry revision holds."""
    value = encode(Tick(gateway, time, revision))
    for partition in range(kafka.PARTITIONS):
        yield Outgoing(kafka.READINGS, value, partition)
