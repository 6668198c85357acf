"""What goes into the log together: the messages of a few milliseconds, one bundle per partition."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from ingest import kafka
from ingest.codec import Bundle, Message, Refused, Rejected, Tick, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from ingest.door import Passed
    from ingest.readings import Refusal


# A Kafka of default settings takes 1 MiB. What a message says in ten bytes a bundle may need a
# hundred for, and a record that Kafka refuses for its size would hold up the line for ever.
BUNDLE_BYTES = 1_000_000


class Outgoing(NamedTuple):
    """A record on its way to Kafka."""

    topic: str
    value: bytes
    partition: int | None = None
    key: bytes | None = None


class Heard:
    """One device's part in a flush, noted here so that little is done for each message.

    `names` are the numbers or ids of its messages, all to be named in its receipt; `refused` what
    was refused of which. `values` passed, `live` of them by the live lane; `good`: at least one
    message was no sign of a fault of ours; `last` is its newest message.
    """

    __slots__ = ("good", "last", "live", "names", "refused", "values")

    def __init__(self) -> None:
        self.names: list[int | str] = []
        self.refused: list[tuple[int | str, list[Refused]]] = []
        self.values = self.live = 0
        self.good = False
        self.last: Passed | None = None


@dataclass(slots=True)
class Flush:
    """Messages that share their acknowledgement: none is acknowledged before all are in Kafka.

    `live` and `late` are what passed, for the live and the backfill lane, by partition. `packets`
    are the broker's, in order of arrival, of the connection `session`. `heard` is what was heard of
    each device. `untold` are refusals of messages of which nothing may be kept. `began` is the
    monotonic time of the first message; `size` the bytes that came; `told` messages the breaker has
    heard of one by one.
    """

    session: int
    began: float
    live: defaultdict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    late: defaultdict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)
    untold: Counter[Refusal] = field(default_factory=Counter)
    packets: list[int] = field(default_factory=list)
    heard: dict[str, Heard] = field(default_factory=dict)
    messages: int = 0
    size: int = 0
    told: int = 0

    def records(self, gateway: str, now: datetime) -> Iterator[Outgoing]:
        """Encode what goes to Kafka; `now` (UTC) is written on what is only counted."""
        for topic, lane in ((kafka.READINGS, self.live), (kafka.BACKFILL, self.late)):
            for partition, messages in lane.items():
                for value in bundled(gateway, messages):
                    yield Outgoing(topic, value, partition)
        for rejected in self.rejected:
            key = rejected.device.encode() or None
            yield Outgoing(kafka.REJECTED, encode(rejected), key=key)
        for reason, count in self.untold.items():
            # A count and nothing else: not of which device, and nothing of what it sent.
            yield Outgoing(
                kafka.REJECTED,
                encode(Rejected("", "", (Refused(reason),), now, gateway, 0, b"", more=count - 1)),
            )


def bundled(gateway: str, messages: Sequence[Message]) -> Iterator[bytes]:
    """Encode messages of one partition, in order, in as many bundles as they need."""
    value = encode(Bundle(gateway, tuple(messages)))
    if len(value) <= BUNDLE_BYTES:
        yield value
    elif len(messages) > 1:
        middle = len(messages) // 2
        yield from bundled(gateway, messages[:middle])
        yield from bundled(gateway, messages[middle:])
    else:
        # One instant has a kilobyte at most, so there is more than one.
        (whole,) = messages
        middle = len(whole.readings) // 2
        for part in (whole.readings[:middle], whole.readings[middle:]):
            yield from bundled(gateway, [structs.replace(whole, readings=part)])


def ticks(gateway: str, time: datetime, revision: int) -> Iterator[Outgoing]:
    """Make the tick of each partition: time moves on, and this registry revision holds."""
    value = encode(Tick(gateway, time, revision))
    for partition in range(kafka.PARTITIONS):
        yield Outgoing(kafka.READINGS, value, partition)
