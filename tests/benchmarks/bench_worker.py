"""Readings a worker takes from a backlog and commits, against the same detectors in a bare loop.

The bare loop has no Kafka, no database and no Faust: it is what the pure heart costs here.
"""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from alerts.watch import Watch
from ingest.codec import Bundle, Message, decode_record, encode
from ingest.readings import Instant, Vital
from ingest.registry import Patient
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import migrated, running
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
            ours.append(MESSAGES * VITALS / _worker(site))
            bare.append(MESSAGES * VITALS / _bare(bundles))
            console.print(f"round {number + 1} of {ROUNDS}: {ours[-1]:,.0f} readings/s")
    yield Figure(
        "worker, backlog of bundles of 33 messages",
        middle(ours),
        "decode + the same panel and episodes in a bare loop",
        middle(bare),
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


def _worker(site: Site) -> float:
    """Time from the first commit to the last, scaled to the whole backlog."""
    with site.worker() as worker:
        wait_until(lambda: site.applied() > 0, "the first commit", pause=0.005)
        began, first = perf_counter(), site.applied()
        wait_until(lambda: site.applied() >= site.sent, "all is applied", 300, pause=0.02)
        took = perf_counter() - began
        worker.terminate()
    return took * site.sent / (site.sent - first)


def _bare(bundles: list[tuple[int, bytes]]) -> float:
    watches: dict[str, Watch] = {}
    began = perf_counter()
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
    return perf_counter() - began
