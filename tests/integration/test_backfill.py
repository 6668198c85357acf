"""The backfill lane on real Kafka and TimescaleDB: stored in full, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from ingest.codec import Bundle, Message, decode_rejected, encode
from ingest.readings import Instant, Quality, Refusal, Vital
from ingest.registry.follower import Follower
from streams.backfill import Backfill
from streams.lanes import BACKFILL
from streams.timescale import Store
from streams.transaction import Destinations
from tests.integration.site import PARTITIONS, Site
from tests.unit.streams.log import moment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

VITALS = (Vital.HEART_RATE, Vital.SPO2)
# The issue's own figures: 100,000 stored readings may delay another patient's by a second at most.
RETURNING, BOUND = 100_000, timedelta(seconds=1)


@pytest.fixture
def site(kafka: str, database: str, tmp_path: Path) -> Site:
    """Give a test a log, a schema and names of its own."""
    made = Site(kafka, database, tmp_path)
    made.prepare()
    return made


def late(patient: str, readings: int, *, instants: int = 500) -> Iterator[bytes]:
    """Make the bundles of a device that comes back with so many readings, all below limits."""
    flags = dict.fromkeys(VITALS, int(Quality.BACKFILLED))
    total = readings // len(VITALS)
    for first in range(0, total, instants):
        told = tuple(
            Instant(moment(n), {Vital.HEART_RATE: 200.0, Vital.SPO2: 60.0}, flags)
            for n in range(first, min(first + instants, total))
        )
        sent = Message(patient, f"d-{patient}", first + 1, moment(90_000), told)
        yield encode(Bundle("gateway", (sent,)))


def count(site: Site, patient: str) -> int:
    """Count a patient's rows."""
    return int(site.rows("SELECT count(*) FROM readings WHERE patient = %s", patient)[0][0])


def lanes(site: Site) -> dict[str, tuple[int, int, int]]:
    """Read received, stored and difference of each lane."""
    found = site.rows(
        "SELECT topic, sum(received)::int, sum(stored)::int, sum(difference)::int FROM ledger"
        " GROUP BY topic"
    )
    return {topic.partition(".")[0]: (r, s, d) for topic, r, s, d in found}


def test_late_readings_are_stored_in_full_and_nobody_is_called_for_them(site: Site) -> None:
    site.send_late((n % PARTITIONS, v) for n, v in enumerate(late("p-1", 4000)))
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert count(site, "p-1") == 4000
    assert site.rows("SELECT DISTINCT quality, flags FROM readings") == [("good", 4)]
    assert site.rows("SELECT DISTINCT time FROM latest") == [(moment(1999),)]
    for untouched in ("assessments", "alerts", "internal.state"):
        assert site.rows(f"SELECT count(*) FROM {untouched}") == [(0,)]  # noqa: S608 (our own names)
    assert lanes(site) == {"backfill": (4000, 4000, 0), "readings": (0, 0, 0)}


def test_what_was_live_already_is_a_copy_and_newer_than_what_is_late_stays_the_latest(
    site: Site,
) -> None:
    (bundle,) = late("p-1", 100)
    newer = Message("p-1", "d-p-1", 9, moment(99), (Instant(moment(99), {Vital.SPO2: 97.0}),))
    site.send([(0, bundle), (0, encode(Bundle("gateway", (newer,))))])
    with site.worker() as worker:
        site.wait_applied(worker)
        site.send_late([(0, bundle)])
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert count(site, "p-1") == 101
    assert site.rows("SELECT value FROM latest WHERE vital = 'spo2'") == [(97.0,)]
    assert site.rows("SELECT duplicate FROM ledger WHERE topic = %s", site.names.backfill)[0] == (
        100,
    )


def test_a_worker_killed_in_the_middle_of_it_loses_and_doubles_nothing(site: Site) -> None:
    site.send_late((n % PARTITIONS, v) for n, v in enumerate(late("p-1", 40_000)))
    for fraction in (0.1, 0.5):
        with site.worker() as worker:
            wait_until(lambda: site.applied() > fraction * site.sent, "some is stored", pause=0.01)  # noqa: B023
            worker.kill()
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert count(site, "p-1") == 40_000
    assert lanes(site)["backfill"] == (40_000, 40_000, 0)


def test_two_workers_share_the_lane_and_one_takes_over_what_the_other_leaves(site: Site) -> None:
    with site.worker() as first, site.worker() as second:
        for worker in (first, second):
            worker.wait_share(size=PARTITIONS // 2)
        site.send_late((n % PARTITIONS, v) for n, v in enumerate(late("p-1", 40_000)))
        wait_until(lambda: site.applied() > 0, "some is stored", pause=0.01)
        assert first.terminate() == 0
        second.wait_share()
        site.wait_applied(second)
        assert second.terminate() == 0
    assert lanes(site)["backfill"] == (40_000, 40_000, 0)


def test_the_same_readings_in_both_lanes_at_once_are_stored_once_and_delay_no_live_one(
    site: Site,
) -> None:
    """The lanes' transactions wait for each other's rows: the backfill lane gives way."""
    bundles = list(late("p-1", 40_000, instants=200))
    site.send((0, bundle) for bundle in bundles)
    site.send_late((0, bundle) for bundle in reversed(bundles))
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
        assert "database away" not in worker.log()
    assert count(site, "p-1") == 40_000
    found = lanes(site)
    assert [received for received, _, _ in found.values()] == [40_000, 40_000]
    assert sum(stored for _, stored, _ in found.values()) == 40_000
    assert {difference for _, _, difference in found.values()} == {0}


def test_an_outage_of_the_database_is_waited_out_in_this_lane_too(site: Site) -> None:
    site.send_late((n % PARTITIONS, v) for n, v in enumerate(late("p-1", 40_000)))
    with site.worker() as worker:
        wait_until(lambda: site.applied() > 0, "some is stored", pause=0.01)
        with site.database_away():
            worker.wait_said("database away")
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert count(site, "p-1") == 40_000
    assert lanes(site)["backfill"] == (40_000, 40_000, 0)


def test_poison_goes_to_quarantine_and_the_lane_goes_on(site: Site) -> None:
    good = list(late("p-1", 2000))
    site.send_late([(0, good[0]), (0, b"\xffnot ours"), (0, good[1])])
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert count(site, "p-1") == 2000
    ((value,),) = site.rows("SELECT value FROM internal.outbox")
    letter = decode_rejected(value)
    assert [refused.reason for refused in letter.refused] == [Refusal.UNDECODABLE]
    assert letter.place == f"{site.names.backfill}/0/1"


def test_a_lane_whose_log_was_made_anew_is_told_of_and_live_readings_go_on(site: Site) -> None:
    site.do("UPDATE internal.progress SET next_offset = 9 WHERE topic LIKE 'backfill.%'")
    with site.worker() as worker:
        worker.wait_said("the backfill lane waits")
        live = Message("p-2", "d-2", 1, moment(0), (Instant(moment(0), {Vital.SPO2: 97.0}),))
        site.send([(0, encode(Bundle("gateway", (live,))))])
        wait_until(lambda: count(site, "p-2") == 1, "the live reading stored")
        assert worker.terminate() == 0


def test_what_kafka_deleted_of_several_partitions_before_it_came_is_counted_and_gone_past(
    site: Site,
) -> None:
    site.send_late((n % PARTITIONS, v) for n, v in enumerate(late("p-1", 4000, instants=50)))
    for partition in (0, 1, 3):
        site.delete_below(partition, 4, site.names.backfill)
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    lost = "SELECT partition, lost::int FROM ledger WHERE lost > 0 ORDER BY partition"
    assert site.rows(lost) == [(0, 4), (1, 4), (3, 4)]
    assert count(site, "p-1") == 4000 - 3 * 4 * 100


def test_a_place_that_was_moved_back_is_noticed_and_gone_on_from_and_live_readings_never_stop(
    site: Site,
) -> None:
    """To the lane's reader it looks like records that it has skipped."""
    bundles = list(late("p-1", 2000, instants=50))
    site.send_late((0, bundle) for bundle in bundles[:-1])
    with site.worker() as worker:
        site.wait_applied(worker)
        site.do(
            "UPDATE internal.progress SET next_offset = next_offset - 3"
            " WHERE partition = 0 AND topic LIKE 'backfill.%'"
        )
        site.send_late([(0, bundles[-1])])
        site.wait_applied(worker)
        assert "start again at its own offset" in worker.log()
        assert worker.terminate() == 0
    assert count(site, "p-1") == 2000
    assert lanes(site)["backfill"] == (2300, 2000, 0)


async def test_while_live_readings_never_leave_time_the_lane_moves_all_the_same(site: Site) -> None:
    names = site.names
    bundles = [(n % 2, bundle) for n, bundle in enumerate(late("p-1", 8000, instants=1000))]
    await asyncio.to_thread(site.send_late, bundles)
    store = Store(site.database, names.backfill, Destinations("a", "r", "o"), BACKFILL)
    follower = Follower(site.kafka, names.registry)
    lane = Backfill(
        site.kafka, store, follower, topic=names.backfill, by="worker", busy=lambda: True
    )
    running = asyncio.create_task(lane.run())
    lane.share(frozenset({0, 1}))
    await asyncio.to_thread(site.wait_applied)
    running.cancel()
    await asyncio.wait([running])
    await lane.close()
    assert count(site, "p-1") == 8000


class Clinic:
    """Another patient's live readings, each looked for until its row is there."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self.delays: list[timedelta] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        topic = self._site.names.readings
        async with (
            AIOKafkaProducer(bootstrap_servers=self._site.kafka, acks="all") as producer,
            await psycopg.AsyncConnection.connect(self._site.database, autocommit=True) as rows,
        ):
            seq = 0
            while not self._over.is_set():
                seq += 1
                now = datetime.now(UTC)
                told = Instant(now, {Vital.HEART_RATE: 72.0, Vital.SPO2: 97.0})
                # In the very partition, so in the very worker, that the late readings come to.
                value = encode(Bundle("gateway", (Message("p-2", "d-2", seq, now, (told,)),)))
                await producer.send(topic, value, partition=0)
                await self._stored(rows, now)
                self.delays.append(datetime.now(UTC) - now)

    async def _stored(self, rows: psycopg.AsyncConnection, time: datetime) -> None:
        query = "SELECT 1 FROM readings WHERE patient = 'p-2' AND vital = 'spo2' AND time = %s"
        while await (await rows.execute(query, (time,))).fetchone() is None:  # noqa: ASYNC110 (a row)
            await asyncio.sleep(0.01)


def test_a_patient_who_comes_back_with_100_000_readings_delays_no_other_by_a_second(
    site: Site,
) -> None:
    with site.worker() as worker:
        worker.wait_share()
        with Clinic(site) as clinic:
            wait_until(lambda: len(clinic.delays) > 5, "live readings flow")
            site.send_late((0, bundle) for bundle in late("p-1", RETURNING))
            before = len(clinic.delays)
            wait_until(lambda: count(site, "p-1") == RETURNING, "all is stored", seconds=120)
            during = clinic.delays[before:]
        assert worker.terminate() == 0
    assert len(during) > 5, "live readings went on all the while"
    assert max(during) < BOUND, f"{max(during)}"
    assert site.rows("SELECT count(*) FROM alerts") == [(0,)]
