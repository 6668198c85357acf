"""Replay: what a good message would have given, once, and a mark only behind all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingest import kafka
from ingest.codec import Bundle, Message, Refused, Rejected, Tick, decode_record, encode
from ingest.door import Door
from ingest.formats.catalogue import Formats
from ingest.ports import LogUnavailable
from ingest.quarantine.records import Entry, Name, Outcome, Settled, decode
from ingest.quarantine.replay import BATCH_ENTRIES, Account, Replay
from ingest.readings import Instant, Quality, Refusal, Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Format,
    Listing,
    Model,
    Patient,
    Purpose,
    key,
)
from ingest.registry.memory import Registry
from tests.fakes import MemoryLog

if TYPE_CHECKING:
    from ingest.registry.entities import Entity

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
# A ward's live window is an hour.
RECEIVED = NOW - timedelta(minutes=10)
EARLY = datetime(2000, 1, 1, tzinfo=UTC)
MODEL = Model("patch", "Acme", "P", tuple(Format), dict.fromkeys(Vital, Listing()), EARLY)
DEVICE = Device("dev-1", "patch", (Assignment("p-1", EARLY),))
KNOWN = (MODEL, DEVICE, Patient("p-1"))
SILENT = Patient("p-1", consents=(Purpose.MONITOR,))


def at(time: datetime, **vitals: object) -> dict[str, Any]:
    return {"time": time.isoformat(), **vitals}


def entry(
    *readings: dict[str, Any],
    offset: int = 41,
    received: datetime = RECEIVED,
    because: tuple[Refused, ...] = (Refused(Refusal.UNKNOWN_DEVICE),),
) -> Entry:
    """Build what a gateway put into quarantine."""
    sent = list(readings) or [at(received, spo2=97)]
    payload = json.dumps({"seq": 7, "readings": sent}).encode()
    topic, size = "vigie/v1/dev-1/readings", len(payload)
    rejected = Rejected("dev-1", topic, because, received, "gateway-1", size, payload, 7)
    return Entry(Name(3, offset), rejected, size)


def of_the_log(reason: Refusal, payload: bytes) -> Entry:
    """Build what a worker put into quarantine."""
    rejected = Rejected(
        "",
        kafka.READINGS,
        (Refused(reason),),
        RECEIVED,
        "worker-1",
        len(payload),
        payload,
        place="vigie.readings/3/40",
    )
    return Entry(Name(5, 7), rejected, len(payload))


class Quarantine:
    """A replay between a registry and a log in memory."""

    def __init__(self, *entities: Entity, check: bool = False) -> None:
        registry = Registry()
        for offset, entity in enumerate(entities):
            registry.apply(offset, key(entity), entity)
        self.log = MemoryLog()
        door = Door(registry, Formats())
        self.work = Replay(door, registry, None if check else self.log, "replay", NOW)

    async def take(self, *entries: Entry) -> Account:
        for one in entries:
            await self.work.take(one)
        await self.work.flush()
        return self.work.account

    def sent(self, topic: str) -> list[Message]:
        found = [decode_record(kept.value) for kept in self.log.kept if kept.topic == topic]
        return [message for one in found if isinstance(one, Bundle) for message in one.messages]

    @property
    def marks(self) -> list[tuple[int | None, Settled]]:
        kept = [kept for kept in self.log.kept if kept.topic == kafka.REJECTED]
        return [
            (one.partition, mark) for one in kept if isinstance(mark := decode(one.value), Settled)
        ]


async def test_what_passes_now_goes_on_with_the_time_at_which_it_came() -> None:
    quarantine = Quarantine(*KNOWN)
    account = await quarantine.take(entry(at(RECEIVED, spo2=97, heart_rate=70)))
    expected = (Instant(RECEIVED, {Vital.SPO2: 97.0, Vital.HEART_RATE: 70.0}),)
    assert quarantine.sent(kafka.READINGS) == [Message("p-1", "dev-1", 7, RECEIVED, expected)]
    assert quarantine.sent(kafka.BACKFILL) == []
    assert account == Account(entries=1, replayed=1, live=2)
    assert quarantine.marks == [(3, Settled(41, Outcome.REPLAYED, NOW, "replay"))]
    assert quarantine.log.kept[0].partition == kafka.partition_of("p-1")


@pytest.mark.parametrize(
    ("measured", "received"),
    [
        pytest.param(timedelta(days=2), timedelta(days=2), id="live then, long ago now"),
        pytest.param(timedelta(days=2), timedelta(minutes=1), id="late already when it came"),
        pytest.param(timedelta(minutes=61), timedelta(minutes=59), id="just outside the window"),
    ],
)
async def test_what_is_older_than_the_live_window_now_takes_the_backfill_lane(
    measured: timedelta, received: timedelta
) -> None:
    quarantine = Quarantine(*KNOWN)
    account = await quarantine.take(
        entry(at(NOW - measured, spo2=97), at(NOW, spo2=96), received=NOW - received)
    )
    (late,) = quarantine.sent(kafka.BACKFILL)
    assert [(i.time, i.quality) for i in late.readings] == [
        (NOW - measured, {Vital.SPO2: Quality.BACKFILLED})
    ]
    assert account.late == 1


async def test_what_is_refused_again_stays_open_and_is_reported_by_its_reason() -> None:
    quarantine = Quarantine()
    account = await quarantine.take(entry(), entry(offset=42))
    assert quarantine.log.kept == []
    assert account == Account(entries=2, refused=account.refused)
    assert account.refused == {Refusal.UNKNOWN_DEVICE: 2}


async def test_the_good_part_passes_and_the_entry_stays_open() -> None:
    quarantine = Quarantine(*KNOWN)
    account = await quarantine.take(entry(at(RECEIVED, spo2=97, heart_rate=4000)))
    assert len(quarantine.sent(kafka.READINGS)) == 1
    assert quarantine.marks == []
    assert (account.replayed, account.partly, account.live) == (0, 1, 1)
    assert account.refused == {Refusal.OUT_OF_RANGE: 1}


async def test_what_was_refused_in_part_and_still_is_sends_nothing_again() -> None:
    quarantine = Quarantine(*KNOWN)
    because = (Refused(Refusal.OUT_OF_RANGE, "readings[0].heart_rate"),)
    account = await quarantine.take(entry(at(RECEIVED, spo2=97, heart_rate=4000), because=because))
    assert quarantine.log.kept == []
    assert (account.replayed, account.partly) == (0, 0)


async def test_nothing_passes_of_a_patient_who_does_not_agree() -> None:
    quarantine = Quarantine(MODEL, DEVICE, SILENT)
    message = Message("p-1", "dev-1", 7, RECEIVED, (Instant(RECEIVED, {Vital.SPO2: 97.0}),))
    account = await quarantine.take(
        entry(),
        of_the_log(Refusal.DETECTOR_FAILED, encode(message)),
        of_the_log(Refusal.UNDECODABLE, encode(Bundle("gateway-1", (message,)))),
    )
    assert quarantine.log.kept == []
    assert account.refused == {Refusal.NO_CONSENT: 3}


async def test_what_was_not_kept_whole_cannot_be_replayed() -> None:
    quarantine = Quarantine(*KNOWN)
    whole = entry()
    account = await quarantine.take(Entry(whole.name, whole.rejected, kept=whole.kept - 1))
    assert quarantine.log.kept == []
    assert account == Account(entries=1, cut=1)


@pytest.mark.parametrize("reason", [Refusal.DETECTOR_FAILED, Refusal.UNDECODABLE])
async def test_what_a_worker_refused_goes_by_the_backfill_lane(reason: Refusal) -> None:
    quarantine = Quarantine(*KNOWN)
    message = Message("p-1", "dev-1", 7, RECEIVED, (Instant(RECEIVED, {Vital.SPO2: 97.0}),))
    failed = reason is Refusal.DETECTOR_FAILED
    payload = encode(message if failed else Bundle("gateway-1", (message,)))
    account = await quarantine.take(of_the_log(reason, payload))
    (sent,) = quarantine.sent(kafka.BACKFILL)
    assert (sent.patient, sent.received, sent.readings[0].values) == (
        "p-1",
        RECEIVED,
        {Vital.SPO2: 97.0},
    )
    assert account.replayed == 1


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"{}", b'{"schema": "bundle/9"}', b'{"patient": "p-1"}']
)
@pytest.mark.parametrize("reason", [Refusal.DETECTOR_FAILED, Refusal.UNDECODABLE])
async def test_what_this_release_cannot_read_stays_open(reason: Refusal, payload: bytes) -> None:
    quarantine = Quarantine(*KNOWN)
    account = await quarantine.take(of_the_log(reason, payload))
    assert quarantine.log.kept == []
    assert (account.replayed, account.refused) == (0, {reason: 1})


async def test_a_tick_that_can_be_read_again_is_settled_without_being_sent() -> None:
    quarantine = Quarantine(*KNOWN)
    tick = encode(Tick("gateway-1", RECEIVED, 3))
    assert (await quarantine.take(of_the_log(Refusal.UNDECODABLE, tick))).replayed == 1
    assert [kept.topic for kept in quarantine.log.kept] == [kafka.REJECTED]


async def test_a_check_says_the_same_and_sends_nothing() -> None:
    entries = [entry(), entry(at(RECEIVED, spo2=97, heart_rate=4000), offset=42)]
    trial, real = Quarantine(*KNOWN, check=True), Quarantine(*KNOWN)
    assert await trial.take(*entries) == await real.take(*entries)
    assert trial.log.kept == []
    assert real.log.kept != []


async def test_no_mark_is_written_before_kafka_has_the_readings() -> None:
    quarantine = Quarantine(*KNOWN)
    quarantine.log.failing = 1
    with pytest.raises(LogUnavailable, match="repeat the command"):
        await quarantine.take(entry())
    assert quarantine.log.kept == []
    # Repeated, it is all there; readings that come twice are one row, by their key.
    again = Quarantine(*KNOWN)
    again.log = quarantine.log
    again.work = Replay(again.work._door, again.work._registry, again.log, "replay", NOW)
    await again.take(entry())
    assert (len(again.sent(kafka.READINGS)), len(again.marks)) == (1, 1)


async def test_a_mark_that_is_lost_leaves_the_entry_open() -> None:
    quarantine = Quarantine(*KNOWN)
    await quarantine.work.take(entry())

    class Weather(MemoryLog):
        async def send(self, topic: str, value: bytes | None, **rest: Any) -> Any:
            self.failing = int(topic == kafka.REJECTED)
            return await super().send(topic, value, **rest)

    quarantine.log = Weather()
    quarantine.work._sink = quarantine.log
    with pytest.raises(LogUnavailable):
        await quarantine.work.flush()
    assert (len(quarantine.sent(kafka.READINGS)), quarantine.marks) == (1, [])


async def test_a_long_replay_goes_in_batches() -> None:
    quarantine = Quarantine(*KNOWN)
    for offset in range(2 * BATCH_ENTRIES + 1):
        await quarantine.work.take(entry(offset=offset))
    assert len(quarantine.marks) == 2 * BATCH_ENTRIES
    await quarantine.work.flush()
    assert [mark.offset for _, mark in quarantine.marks] == list(range(2 * BATCH_ENTRIES + 1))
    bundles = [kept for kept in quarantine.log.kept if kept.topic == kafka.READINGS]
    assert len(bundles) == 3
