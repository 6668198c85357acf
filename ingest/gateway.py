"""The gateway: receive, identify, decode, bundle, write to the log; only then acknowledge.

One asyncio loop, a callback per message, a few tasks in all. What belongs to a message (its
bundles, its refusals) is in Kafka before the broker hears PUBACK and the device gets its receipt.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from ingest import breaker, kafka, metrics
from ingest.bundles import Flush, Heard, ticks
from ingest.codec import Message, Refused
from ingest.conduct import Conduct
from ingest.door import Door, Passed, marked
from ingest.pipeline import Pipeline, Shipment
from ingest.readings import Quality, Refusal
from ingest.receipts import Receipts
from ingest.refusals import Refusals

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.formats.catalogue import Formats
    from ingest.ports import Clock, Sink, Source
    from ingest.registry.follower import Follower

log = structlog.get_logger()

# Messages of so many milliseconds share their bundles: it costs that much latency, and saves the
# worker and Kafka a record per message (docs/performance.md).
FLUSH_SECONDS = 0.005
# Most bundles stay so below the 1 MiB that a Kafka of default settings takes; others are split.
FLUSH_BYTES = 256 * 1024
# Back-pressure: with so much under way, the broker's socket is not read until half of it is safe.
UNDER_WAY_MESSAGES, UNDER_WAY_BYTES = 20_000, 64 * 1024 * 1024
TICK_SECONDS = 2.0
DRAIN_SECONDS = 10.0
TELL_SECONDS, TELL_REFUSALS_SECONDS = 10.0, 60.0
# Values a second that a device may send for ever; an intensive care monitor sends about ten.
QUOTA = 200.0


class Gateway:
    """One gateway, named `name` in bundles, ticks and quarantine.

    `follower` holds the registry under which messages are accepted; `quota` is what a device may
    send for ever, in values a second.
    """

    def __init__(
        self,
        source: Source,
        sink: Sink,
        follower: Follower,
        formats: Formats,
        clock: Clock,
        name: str,
        *,
        quota: float = QUOTA,
    ) -> None:
        self._source, self._clock, self._name = source, clock, name
        self._follower = follower
        self._door = Door(follower.registry, formats)
        self._conduct = Conduct(quota)
        self._breaker = breaker.Breaker()
        self._pipeline = Pipeline(sink)
        self._receipts = Receipts(source.publish)
        self._session = 0
        self._flush = Flush(0, 0.0)
        self._timer: asyncio.TimerHandle | None = None
        self._messages = self._bytes = 0
        self._refusals = Refusals(name)
        self._leaving = False

    @property
    def trouble(self) -> str | None:
        """What Kafka said last, while it does not take records."""
        return self._pipeline.trouble

    @property
    def refusing(self) -> str | None:
        """Why messages are not taken although the line is well: nearly all were refused."""
        return self._breaker.trouble

    def resume(self) -> None:
        """Take messages again, on an operator's command."""
        if self._breaker.resume():
            self._turned()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then settle what was taken. Raises SettingError."""
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._follower.run())
            await _first(self._follower.caught_up(), stop)
            background = [
                following,
                tasks.create_task(self._pipeline.run()),
                tasks.create_task(self._source.run(self.take, self._connected)),
                tasks.create_task(self._tick_for_ever()),
                tasks.create_task(self._tell()),
            ]
            await stop.wait()
            await self._drain()
            for task in background:
                task.cancel()

    def changed(self) -> None:
        """Let the log know, before any message is accepted under it, that the registry moved."""
        self._ship()
        self._tick(always=True)

    def take(self, topic: str, payload: bytes, packet: int) -> None:
        """Take one message. Called for each PUBLISH, in order of arrival; never raises."""
        if self._leaving:
            return  # not acknowledged, so the broker gives it to whoever comes next
        # What is only heard comes with QoS 0.
        if not packet and self._conduct.heard(topic, payload):
            return
        flush = self._flush
        if not flush.messages:
            flush.session, flush.began = self._session, monotonic()
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._ship)
        flush.messages += 1
        flush.size += len(payload)
        if packet:
            flush.packets.append(packet)
        received = self._clock.now()
        try:
            self._accept(flush, topic, payload, received)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not stop the line)
            # No trace: it may quote a value. Whose it was is not known, so its bytes are not kept;
            # it gets no receipt, so its device still has it.
            log.error("the gateway has a fault", error=type(error).__name__)  # noqa: TRY400
            faulty = Passed("", refused=[Refused(Refusal.UNDECODABLE)], secret=True)
            self._refusals.keep(flush, topic, payload, received, faulty)
        if flush.size >= FLUSH_BYTES:
            self._ship()

    def _accept(self, flush: Flush, topic: str, payload: bytes, received: datetime) -> None:
        passed = self._door.open(topic, payload, received)
        device = passed.device
        heard = flush.heard.get(device)
        if heard is None:
            heard = flush.heard[device] = Heard()
        heard.last = passed
        if passed.values:
            heard.values += passed.values
            heard.live += self._lay(flush, passed, received)
        bad = not passed.values and breaker.bad(passed)
        if bad or self._breaker.state:
            self._doubt(flush, device, bad=bad)
        else:
            heard.good = True
        name = passed.seq if passed.seq is not None else passed.id
        if passed.refused:
            self._refusals.keep(flush, topic, payload, received, passed)
            if name is not None:
                heard.refused.append((name, passed.refused))
        if name is not None:  # last of all: it is a promise
            heard.names.append(name)

    def _lay(self, flush: Flush, passed: Passed, received: datetime) -> int:
        """Lay what passed on its lanes, a message per patient; returns how many values are live.

        Late ones count for no quota: a device that has much to catch up on is watched all the same.
        """
        if passed.live and self._conduct.over(passed.device, flush.began):
            _slow_down(passed)
        seq, live = passed.seq or 0, passed.values
        for patient, instants in passed.live.items():
            message = Message(patient, passed.device, seq, received, tuple(instants))
            flush.live[kafka.partition_of(patient)].append(message)
        for patient, instants in passed.late.items():
            message = Message(patient, passed.device, seq, received, tuple(instants))
            flush.late[kafka.partition_of(patient)].append(message)
            live -= sum(len(instant.values) for instant in instants)
        return live

    def _doubt(self, flush: Flush, device: str, *, bad: bool) -> None:
        """Tell the breaker of one message, when not all is as usual."""
        flush.told += 1
        if self._breaker.seen(flush.began, device, bad=bad):
            self._turned()

    def _ship(self) -> None:
        """Send what was gathered on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        flush = self._flush
        if not flush.messages:
            return
        self._flush = Flush(self._session, 0.0)
        self._messages += flush.messages
        self._bytes += flush.size
        metrics.MESSAGES_RECEIVED.inc(flush.messages)
        metrics.READINGS_ACCEPTED.inc(sum(heard.values for heard in flush.heard.values()))
        for messages in flush.late.values():
            metrics.BACKFILLED.inc(sum(len(i.values) for m in messages for i in m.readings))
        metrics.UNACKNOWLEDGED.set(self._messages)
        if self._messages > UNDER_WAY_MESSAGES or self._bytes > UNDER_WAY_BYTES:
            self._source.pause()
        now = self._clock.now()
        records = list(flush.records(self._name, now))
        self._pipeline.ship(Shipment(records, lambda: self._settled(flush)))
        well = {device for device, heard in flush.heard.items() if heard.good}
        self._breaker.well(flush.began, flush.messages - flush.told, well)
        self._conduct.shipped(flush, now)

    def _settled(self, flush: Flush) -> None:
        """Acknowledge: Kafka has everything of this flush, and of all before it."""
        if flush.session == self._session:
            self._source.acknowledge(flush.packets)
        for device, heard in flush.heard.items():
            if heard.names:
                self._receipts.add(device, heard.names, heard.refused)
        self._receipts.prompt()
        self._messages -= flush.messages
        self._bytes -= flush.size
        metrics.UNACKNOWLEDGED.set(self._messages)
        metrics.MESSAGES_SAFE.inc(flush.messages)
        metrics.PUBLISH_SECONDS.observe(monotonic() - flush.began)
        self._flow()

    def _flow(self) -> None:
        """Read from the broker again, when there is room and nothing speaks against it."""
        room = self._messages <= UNDER_WAY_MESSAGES // 2 and self._bytes <= UNDER_WAY_BYTES // 2
        if room and self._breaker.taking and not self._leaving:
            self._source.resume()

    def _turned(self) -> None:
        """Do what the breaker says now; what was read already is still settled."""
        metrics.BREAKER.set(self._breaker.state)
        if self._breaker.taking:
            log.warning("messages are taken again", state=self._breaker.state.name.lower())
            self._flow()
        else:
            log.error("nearly all is refused: no more is taken for now")
            self._source.pause()

    def _connected(self) -> None:
        """Begin a session: packets of the one before are void, the broker sends them again."""
        self._ship()
        self._session += 1
        self._tick()

    def _tick(self, *, always: bool = False) -> None:
        revision = self._follower.reached
        metrics.REGISTRY_REVISION.set(revision)
        # While Kafka is away ticks would pile up; when the feed is dead, time stands still. But a
        # change of the registry must come before what is accepted under it.
        if always or self._pipeline.trouble is None:
            records = list(ticks(self._name, self._clock.now(), revision))
            self._pipeline.ship(Shipment(records, lambda: None))

    async def _tick_for_ever(self) -> None:
        while True:
            self._beat()
            await asyncio.sleep(TICK_SECONDS)

    def _beat(self) -> None:
        metrics.CONNECTED.set(self._source.connected)
        if self._breaker.probe_due(monotonic()):
            self._turned()
        elif not self._breaker.taking:
            self._source.pause()  # a new connection reads
        # While nothing is taken time stands still, or every patient would be called silent.
        if self._source.connected and self._breaker.taking:
            self._ship()
            self._tick()

    async def _tell(self) -> None:
        """Say now and then what is odd: devices by name, refusals by their counts only."""
        refusals_due = monotonic() + TELL_REFUSALS_SECONDS
        while True:
            await asyncio.sleep(TELL_SECONDS)
            self._conduct.tell(monotonic())
            if monotonic() >= refusals_due:
                refusals_due += TELL_REFUSALS_SECONDS
                self._refusals.tell()

    async def _drain(self) -> None:
        """Take no more, settle what was taken, say so, and leave."""
        self._leaving = True
        self._source.pause()
        self._ship()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._pipeline.idle()
        except TimeoutError:
            log.warning("left without Kafka's answer", messages=self._messages)
        self._receipts.send()
        await self._source.close()


def _slow_down(passed: Passed) -> None:
    """Move what is above the quota to the backfill lane, marked."""
    for patient, instants in passed.live.items():
        moved = [marked(instant, Quality.BACKFILLED) for instant in instants]
        passed.late.setdefault(patient, []).extend(moved)
    passed.live = {}


async def _first(waited: object, stop: asyncio.Event) -> None:
    """Wait for a coroutine, or for the order to stop."""
    tasks = [asyncio.ensure_future(waited), asyncio.ensure_future(stop.wait())]  # type: ignore[call-overload]  # any awaitable
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
