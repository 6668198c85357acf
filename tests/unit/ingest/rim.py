"""A gateway between a broker and a log in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest import kafka
from ingest.codec import Bundle, Message, Rejected, Tick, decode_record, decode_rejected
from ingest.formats.catalogue import Formats
from ingest.gateway import QUOTA, Gateway
from ingest.readings import Vital
from ingest.registry.entities import Assignment, Device, Format, Listing, Model, key
from ingest.registry.follower import Follower
from tests.fakes import MemoryLog
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ingest.registry.entities import Entity

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
PATCH = Model(
    "patch",
    "Acme",
    "Patch",
    tuple(Format),
    dict.fromkeys(Vital, Listing()),
    datetime(2020, 1, 1, tzinfo=UTC),
)
SECONDS = 30


class MemoryBroker:
    """A broker in memory: `ports.Source`, which keeps what the gateway did to it, in order."""

    def __init__(self) -> None:
        self.connected = False
        self.acknowledged: list[int] = []
        self.receipts: list[tuple[str, dict[str, Any]]] = []
        self.reading = True
        self.closed = False
        self._on_message: Callable[[str, bytes, int], None] | None = None
        self._on_connected: Callable[[], None] | None = None

    async def run(
        self, on_message: Callable[[str, bytes, int], None], on_connected: Callable[[], None]
    ) -> None:
        self._on_message, self._on_connected = on_message, on_connected
        self.reconnect()
        await asyncio.Event().wait()

    def reconnect(self) -> None:
        assert self._on_connected is not None
        self._on_connected()
        self.connected = True

    def deliver(self, device: str, payload: bytes, packet: int) -> None:
        assert self._on_message is not None
        self._on_message(f"vigie/v1/{device}/readings", payload, packet)

    def publish_to(self, topic: str, payload: bytes, packet: int) -> None:
        assert self._on_message is not None
        self._on_message(topic, payload, packet)

    def say(self, topic: str, payload: bytes) -> None:
        """Deliver what is only heard."""
        assert self._on_message is not None
        self._on_message(topic, payload, 0)

    def acknowledge(self, packets: Sequence[int]) -> None:
        self.acknowledged += packets

    def publish(self, topic: str, payload: bytes) -> None:
        self.receipts.append((topic, json.loads(payload)))

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    async def close(self) -> None:
        self.closed = True


class KnownRegistry(Follower):
    """A registry that is there from the start; `step` moves it on."""

    def __init__(self, *devices: Device) -> None:
        super().__init__("")
        self._moves: Callable[[], None] = lambda: None
        self.step(PATCH)
        for device in devices:
            self.step(device)

    def on_change(self, changed: Callable[[], None]) -> None:
        self._moves = changed

    def step(self, entity: Entity) -> None:
        self.registry.apply(self.reached, key(entity), entity)
        self.reached += 1
        self._moves()

    async def run(self) -> None:
        self._caught_up.set()
        await asyncio.Event().wait()


class StoppedClock:
    """It is always the same moment."""

    def now(self) -> datetime:
        return NOW


class Rim:
    """A running gateway, and both its ends."""

    def __init__(self, *devices: Device, quota: float = QUOTA) -> None:
        self.broker, self.log = MemoryBroker(), MemoryLog()
        self.registry = KnownRegistry(*devices)
        self.gateway = Gateway(
            self.broker, self.log, self.registry, Formats(), StoppedClock(), "gw", quota=quota
        )
        self.registry.on_change(self.gateway.changed)
        self.stop = asyncio.Event()

    @property
    def live(self) -> list[Bundle | Tick]:
        """What is in `vigie.readings`, in order, of all partitions."""
        return [decode_record(kept.value) for kept in self.log.kept if kept.topic == kafka.READINGS]

    @property
    def messages(self) -> list[Message]:
        return [m for record in self.live if isinstance(record, Bundle) for m in record.messages]

    @property
    def late(self) -> list[Message]:
        """The messages in `vigie.backfill`, in order, of all partitions."""
        kept = [decode_record(k.value) for k in self.log.kept if k.topic == kafka.BACKFILL]
        return [m for record in kept if isinstance(record, Bundle) for m in record.messages]

    @property
    def rejected(self) -> list[Rejected]:
        kept = [kept for kept in self.log.kept if kept.topic == kafka.REJECTED]
        return [decode_rejected(one.value) for one in kept]

    async def until(self, holds: Callable[[], object], what: str) -> None:
        await asyncio.to_thread(wait_until, holds, what, SECONDS, pause=0.005)


def worn(name: str, patient: str = "p-1", since: datetime | None = None) -> Device:
    """Build a device that one patient wears."""
    start = since or datetime(2000, 1, 1, tzinfo=UTC)
    return Device(name, "patch", (Assignment(patient, start),))


def sent(seq: int, *readings: dict[str, object]) -> bytes:
    """Build a message; without readings, of one good instant."""
    return json.dumps({"seq": seq, "readings": list(readings) or [good()]}).encode()


def good(**vitals: object) -> dict[str, object]:
    """Build one instant, now."""
    return {"time": NOW.isoformat(), **(vitals or {"spo2": 97})}


@asynccontextmanager
async def running(*devices: Device, quota: float = QUOTA) -> AsyncIterator[Rim]:
    """Start a gateway, wait for its session, and stop it in order at the end."""
    rim = Rim(*devices, quota=quota)
    work = asyncio.create_task(rim.gateway.run(rim.stop))
    await rim.until(lambda: rim.broker.connected, "a session")
    yield rim
    rim.stop.set()
    async with asyncio.timeout(SECONDS):
        await work


def reasons(rejected: list[Rejected]) -> list[tuple[str, str]]:
    """List what was refused and where, of each record."""
    return [(one.at, one.reason.value) for r in rejected for one in r.refused]


async def answered(rim: Rim, count: int = 1) -> None:
    """Wait until devices have so many receipts."""
    await rim.until(lambda: len(rim.broker.receipts) >= count, "a receipt")
