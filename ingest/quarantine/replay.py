"""Replay: refused messages come to the door again, once the cause of their refusal is mended.

Safe to repeat and to kill at any point: a reading is one row however often it comes (device, vital
and time are its key), and an entry gets its mark only when Kafka has all that came of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from ingest import kafka
from ingest.bundles import bundled
from ingest.codec import Bundle, Message, Refused, decode_record, encode
from ingest.door import marked
from ingest.ports import LogUnavailable, MalformedRecord
from ingest.quarantine.records import Outcome, Settled, decode_message
from ingest.readings import Quality, Refusal
from ingest.registry.entities import Purpose
from ingest.registry.standing import LIVE_WINDOW

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ingest.codec import Rejected
    from ingest.door import Door
    from ingest.ports import Sink
    from ingest.quarantine.records import Entry, Name
    from ingest.readings import Instant
    from ingest.registry.memory import Registry

# Sent together and acknowledged together.
BATCH_ENTRIES, BATCH_BYTES = 200, 256 * 1024


class Verdict(NamedTuple):
    """What an entry comes to today: messages for each topic, and what is refused still."""

    messages: list[tuple[str, Message]]
    refused: list[Refused]


@dataclass(slots=True)
class Account:
    """What a replay did, or would do.

    Of the `entries` that were looked at, `replayed` passed whole and got their mark, `partly`
    passed in part and stay open like those of which nothing passed. `cut` were kept in part only
    and can never be replayed. `live` and `late` count values sent by either lane; `refused` counts
    what is refused still, by reason.
    """

    entries: int = 0
    replayed: int = 0
    partly: int = 0
    cut: int = 0
    live: int = 0
    late: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)


class Replay:
    """Takes entries one by one and sends what passes. With no `sink` it only gives the account.

    `by` names whoever replays, in bundles and marks; `now` is the moment of the replay, UTC.
    """

    def __init__(
        self, door: Door, registry: Registry, sink: Sink | None, by: str, now: datetime
    ) -> None:
        self.account = Account()
        self._door, self._registry = door, registry
        self._sink, self._by, self._now = sink, by, now
        self._messages: list[tuple[str, Message]] = []
        self._passed: list[Name] = []
        self._entries = self._bytes = 0

    async def take(self, entry: Entry) -> None:
        """Judge one entry with its payload. Raises LogUnavailable when a batch cannot be sent."""
        account = self.account
        account.entries += 1
        if not entry.whole:
            account.cut += 1
            return
        found = judge(entry.rejected, self._door, self._registry, self._now)
        account.refused.update(one.reason for one in found.refused)
        account.replayed += not found.refused
        account.partly += bool(found.refused and found.messages)
        for topic, message in found.messages:
            values = sum(len(instant.values) for instant in message.readings)
            account.live += values if topic == kafka.READINGS else 0
            account.late += values if topic == kafka.BACKFILL else 0
        self._messages += found.messages
        if not found.refused:
            self._passed.append(entry.name)
        self._entries += 1
        self._bytes += entry.kept
        if self._entries >= BATCH_ENTRIES or self._bytes >= BATCH_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Send what was gathered, and mark the entries once Kafka has it. Raises LogUnavailable."""
        messages, self._messages = self._messages, []
        passed, self._passed = self._passed, []
        self._entries = self._bytes = 0
        if self._sink is None:
            return
        bundles: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        for topic, message in messages:
            bundles[topic, kafka.partition_of(message.patient)].append(message)
        await settled(
            [
                await self._sink.send(topic, value, partition=place)
                for (topic, place), some in bundles.items()
                for value in bundled(self._by, some)
            ]
        )
        await mark(self._sink, passed, Outcome.REPLAYED, self._by, self._now)


async def mark(
    sink: Sink, names: Iterable[Name], outcome: Outcome, by: str, now: datetime, why: str = ""
) -> None:
    """Write that these entries are dealt with; returns when Kafka has it. Raises LogUnavailable."""
    await settled(
        [
            await sink.send(
                kafka.REJECTED,
                encode(Settled(name.offset, outcome, now, by, why)),
                partition=name.partition,
            )
            for name in names
        ]
    )


async def settled(futures: Sequence[Future[object]]) -> None:
    """Wait until Kafka has acknowledged everything. Raises LogUnavailable."""
    for outcome in await asyncio.gather(*futures, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise LogUnavailable(
                f"Kafka did not take all of it ({type(outcome).__name__}); repeat the command"
            )


def judge(rejected: Rejected, door: Door, registry: Registry, now: datetime) -> Verdict:
    """Say what comes of a refused message today; its time received stays what it was."""
    if rejected.place:
        return _from_the_log(rejected, registry)
    passed = door.open(rejected.topic, rejected.payload, rejected.time)
    # Refused as before, place for place: what is good in it has been in the log ever since.
    if not rejected.more and set(passed.refused) == set(rejected.refused):
        return Verdict([], passed.refused)
    lanes: dict[tuple[str, str], list[Instant]] = {}
    for patient, instants in passed.late.items():
        lanes[kafka.BACKFILL, patient] = list(instants)
    for patient, instants in passed.live.items():
        window = LIVE_WINDOW[registry.newest(patient).profile]
        for instant in instants:
            # It was live when it came, and is not any more: nobody may be called for it now.
            if now - instant.time > window:
                late = marked(instant, Quality.BACKFILLED)
                lanes.setdefault((kafka.BACKFILL, patient), []).append(late)
            else:
                lanes.setdefault((kafka.READINGS, patient), []).append(instant)
    messages = [
        (topic, Message(patient, passed.device, passed.seq or 0, rejected.time, tuple(instants)))
        for (topic, patient), instants in lanes.items()
    ]
    return Verdict(messages, passed.refused)


def _from_the_log(rejected: Rejected, registry: Registry) -> Verdict:
    """Judge what a worker refused: a record of the log, or a message that broke a detector.

    Both go through the backfill lane, where no detector sees them. A record that this release
    still cannot read stays refused; a tick's moment is over, so nothing is to be done for it.
    """
    why = rejected.refused[0].reason
    try:
        if why is Refusal.DETECTOR_FAILED:
            messages: tuple[Message, ...] = (decode_message(rejected.payload),)
        else:
            record = decode_record(rejected.payload)
            messages = record.messages if isinstance(record, Bundle) else ()
    except MalformedRecord:
        return Verdict([], [Refused(why)])
    kept = [one for one in messages if Purpose.COLLECT in registry.newest(one.patient).consents]
    refused = [Refused(Refusal.NO_CONSENT)] * (len(messages) - len(kept))
    return Verdict([(kafka.BACKFILL, _late(message)) for message in kept], refused)


def _late(message: Message) -> Message:
    readings = tuple(marked(instant, Quality.BACKFILLED) for instant in message.readings)
    return structs.replace(message, readings=readings)
