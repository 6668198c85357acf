"""Readings a worker takes from a backlog and commits, against the same detectors in a bare loop.

The bare loop has no Kafka, no database and no Faust: it is what the pure heart costs here.
"""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from alerts.watch import Watch
from ingest.codec import Bundle, Message, decode_record, encode
from ingest.readings import Instant, Vital
from ingest.registry.entities import Patient
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import migrated, running, spent
from tests.integration.site import PARTITIONS, Site
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENTS, PER_BUNDLE, BUNDLES = 400, 33, 1200
MESSAGES = PER_BUNDLE * BUNDLES
VITALS = 6
ROUNDS = 3


class Pace(NamedTuple):
    """Readings a second, and readings a second of the process' own processor time."""

    rate: float
    by_processor: float


def run(console: Console, _seconds: float) -> Iterator[Figure]:
    """Measure a worker process on a backlog, and the bare loop over the very same bytes."""
    bundles = list(_bundles(random.Random(1)))
    ours, bare = [], []
    with running(console, "kafka", "timescale") as servers, tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            database = migrated(servers, f"bench_worker_{number}")
            site = Site(servers.environment["VIGIE_KAFKA"], database, Path(folder))
            site.prepare()
            site.send(bundles)
            ours.append(_worker(site))
            bare.append(_bare(bundles))
            console.print(
                f"round {number + 1} of {ROUNDS}: the worker {ours[-1].rate:,.0f} readings/s, "
                f"{1e6 / ours[-1].by_processor:.1f} us each, "
                f"the bare loop {bare[-1].rate:,.0f}/s, {1e6 / bare[-1].by_processor:.1f} us each"
            )
    for what, place in (("", 0), (", by processor time", 1)):
        yield Figure(
            f"worker, backlog of bundles of 33 messages{what}",
            middle([pace[place] for pace in ours]),
            "decode + the same panel and episodes in a bare loop",
            middle([pace[place] for pace in bare]),
            "readings/s",
        )


def _bundles(rng: random.Random) -> Iterator[tuple[int, bytes]]:
    for bundle in range(BUNDLES):
        partition = bundle % PARTITIONS
        messages = []
        for place in range(PER_BUNDLE):
            number = (bundle // PARTITIONS) * PER_BUNDLE + place
            patient, turn = number % (PATIENTS // PARTITIONS), number // (PATIENTS // PARTITIONS)
            time = START + timedelta(seconds=turn)
            name = f"{partition}-{patient}"
            instant = Instant(time, _healthy(rng))
            messages.append(Message(f"p-{name}", f"d-{name}", turn + 1, time, (instant,)))
        yield partition, encode(Bundle("bench", tuple(messages)))


def _healthy(rng: random.Random) -> dict[Vital, float]:
    return {
        Vital.HEART_RATE: float(rng.randint(60, 85)),
        Vital.SPO2: float(rng.randint(96, 99)),
        Vital.RESPIRATORY_RATE: float(rng.randint(13, 18)),
        Vital.TEMPERATURE: round(rng.uniform(36.5, 37.4), 1),
        Vital.SYSTOLIC: float(rng.randint(115, 135)),
        Vital.DIASTOLIC: float(rng.randint(70, 82)),
    }


def _worker(site: Site) -> Pace:
    """Measure from the first commit to the last: how long a process takes to start is not asked."""
    with site.worker() as worker, psycopg.connect(site.database, autocommit=True) as connection:

        def applied() -> int:
            # Over one connection: a new one each time would take time from the database.
            rows = connection.execute("SELECT sum(next_offset) FROM ledger").fetchone()
            return int(rows[0]) if rows else 0

        wait_until(lambda: applied() > 0, "the first commit", pause=0.005)
        began, used, first = perf_counter(), spent(worker.process.pid), applied()
        wait_until(lambda: applied() >= site.sent, "all is applied", 300, pause=0.02)
        readings = (site.sent - first) * PER_BUNDLE * VITALS
        pace = Pace(
            readings / (perf_counter() - began),
            readings / (spent(worker.process.pid) - used),
        )
        worker.terminate()
    return pace


def _bare(bundles: list[tuple[int, bytes]]) -> Pace:
    watches: dict[str, Watch] = {}
    began, used = perf_counter(), process_time()
    for _, value in bundles:
        record = decode_record(value)
        assert isinstance(record, Bundle)
        for message in record.messages:
            watch = watches.get(message.patient)
            if watch is None:
                watch = watches[message.patient] = Watch(message.patient)
            settings = Patient(message.patient)
            for instant in message.readings:
                watch.observe(settings, message.device, instant)
    readings = MESSAGES * VITALS
    return Pace(readings / (perf_counter() - began), readings / (process_time() - used))
