"""A consent that is withdrawn holds within a second, at the worker and at the dispatcher."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import pytest
from aiokafka import AIOKafkaProducer

from ingest.codec import Bundle, Message, Tick, encode
from ingest.kafka import partition_of
from ingest.readings import Instant, Vital
from ingest.registry.entities import USUAL, Patient, Purpose, key
from tests.integration.site import PARTITIONS, Site
from tests.integration.telling import Telling, story, until
from tests.unit.alerts.stories import MARKED_PATIENT
from tests.unit.streams.log import moment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

PATIENTS = [f"p-{n}" for n in range(50)]
LEAVER = "p-7"
WHOSE = f"{MARKED_PATIENT}-0"  # the story's patient
# The issue's own figure.
WITHIN = timedelta(seconds=1)


@pytest.fixture
def site(kafka: str, database: str, tmp_path: Path) -> Site:
    """Give a test a log, a schema and names of its own."""
    made = Site(kafka, database, tmp_path)
    made.prepare()
    return made


def without(site: Site, patient: str, *purposes: Purpose) -> datetime:
    """Withdraw consents in the registry; returns when Kafka had the record."""
    agreed = tuple(purpose for purpose in USUAL if purpose not in purposes)
    changed = Patient(patient, consents=agreed)
    site.register((key(changed), encode(changed)))
    return datetime.now(UTC)


class Ward:
    """A steady stream: each patient sends two values ten times a second, in both lanes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        seq, names = 0, self._site.names
        async with AIOKafkaProducer(bootstrap_servers=self._site.kafka, acks="all") as producer:
            while not self._over.is_set():
                seq += 1
                now = datetime.now(UTC)
                for partition in range(PARTITIONS):
                    live, late = self._bundle(partition, seq, now), now - timedelta(days=2)
                    await producer.send(names.readings, live, partition=partition)
                    aged = self._bundle(partition, seq, late)
                    await producer.send(names.backfill, aged, partition=partition)
                await asyncio.sleep(0.1)

    @staticmethod
    def _bundle(partition: int, seq: int, time: datetime) -> bytes:
        told = Instant(time, {Vital.HEART_RATE: 72.0, Vital.SPO2: 97.0})
        return encode(
            Bundle(
                "gateway",
                tuple(
                    Message(patient, f"d-{patient}", seq, time, (told,))
                    for patient in PATIENTS
                    if partition_of(patient) % PARTITIONS == partition
                ),
            )
        )


def counts(site: Site) -> dict[str, int]:
    """Count every patient's rows."""
    return dict(site.rows("SELECT patient, count(*) FROM readings GROUP BY patient"))


def test_who_withdraws_collect_under_load_has_no_new_row_from_a_second_later_on(
    site: Site,
) -> None:
    with site.worker() as one, site.worker() as other, Ward(site):
        for worker in (one, other):
            worker.wait_share(size=PARTITIONS // 2)
        wait_until(lambda: len(counts(site)) == len(PATIENTS), "every patient is heard")
        told = without(site, LEAVER, Purpose.COLLECT)
        wait_until(lambda: datetime.now(UTC) >= told + WITHIN, "a second is over", pause=0.01)
        then = counts(site)
        others = [patient for patient in PATIENTS if patient != LEAVER]
        wait_until(
            lambda: all(counts(site)[patient] > then[patient] + 40 for patient in others),
            "everybody else goes on",
        )
        assert counts(site)[LEAVER] == then[LEAVER]
        assert site.rows("SELECT patient FROM internal.state WHERE patient = %s", LEAVER) == []
        lanes = "SELECT count(DISTINCT topic) FROM ledger WHERE consent > 0"
        assert site.rows(lanes) == [(2,)], "counted in both lanes"
        assert [one.terminate(), other.terminate()] == [0, 0]
    found = site.rows("SELECT sum(difference)::int, sum(stored)::int FROM ledger")
    assert found == [(0, sum(counts(site).values()))]


def reading(patient: str, second: int, spo2: float) -> tuple[int, bytes]:
    """Build a record of partition 0."""
    instant = Instant(moment(second), {Vital.SPO2: spo2})
    told = Message(patient, f"d-{patient}", second + 1, moment(second), (instant,))
    return 0, encode(Bundle("gateway", (told,)))


def test_who_withdraws_monitor_is_stored_and_watched_no_more_and_open_alerts_end(
    site: Site,
) -> None:
    with site.worker() as worker:
        for patient in ("p-1", "p-2"):
            site.send(reading(patient, second, 70.0) for second in range(60))
        site.wait_applied(worker)
        started = dict(site.rows("SELECT patient, count(*) FROM alerts GROUP BY patient"))
        assert started.keys() == {"p-1", "p-2"}
        without(site, "p-1", Purpose.MONITOR)
        # Nobody hears of p-1 any more; the tick that each change brings is enough.
        site.send([(0, encode(Tick("gateway", moment(60), 1)))])
        ended = "SELECT count(*) FROM alerts WHERE patient = 'p-1' AND ended IS NULL"
        wait_until(lambda: site.rows(ended) == [(0,)], "p-1's alerts end")
        site.send(reading("p-1", second, 70.0) for second in range(61, 121))
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert counts(site) == {"p-1": 120, "p-2": 60}
    last = (
        "SELECT phase, reason, finding->'evidence' FROM alert_events e WHERE patient = 'p-1'"
        " AND number = (SELECT max(number) FROM alert_events WHERE alert = e.alert)"
    )
    assert site.rows(last) == [("end", "consent-withdrawn", [])] * started["p-1"]
    assert site.rows("SELECT patient FROM internal.state") == [("p-2",)]
    assert site.rows("SELECT max(time) FROM assessments WHERE patient = 'p-1'") == [(moment(59),)]
    assert site.rows("SELECT DISTINCT patient FROM alerts WHERE ended IS NULL") == [("p-2",)]


@pytest.mark.parametrize(
    ("agreed", "mail", "ens"),
    [
        pytest.param((Purpose.COLLECT, Purpose.MONITOR), "sent", "rejected", id="share"),
        pytest.param((Purpose.COLLECT, Purpose.SHARE), "rejected", "accepted", id="monitor"),
        pytest.param((Purpose.MONITOR, Purpose.SHARE), "rejected", "rejected", id="collect"),
        pytest.param((), "rejected", "rejected", id="all"),
    ],
)
async def test_a_delivery_that_waits_is_not_sent_once_the_patient_has_withdrawn_what_it_needs(
    telling: Telling, agreed: tuple[Purpose, ...], mail: str, ens: str
) -> None:
    """Kafka is not asked: a withdrawal holds from its commit on, and no mail waits for Kafka."""
    telling.agree(WHOSE, *USUAL)
    space, mailbox = telling.space.temper, telling.mailbox.mailbox.temper
    space.answer, mailbox.recipient = HTTPStatus.SERVICE_UNAVAILABLE, "451 later"
    async with telling.dispatching():
        telling.tell(story())
        await until(lambda: tried(telling) == 2, "both tried, and put back")
        await asyncio.to_thread(telling.agree, WHOSE, *agreed)
        space.answer = mailbox.recipient = None
        await until(telling.settled, "both deliveries settled")
    found = {channel: (state, reason) for channel, state, reason in telling.journal()}
    for channel, state in (("mail", mail), ("ens", ens)):
        assert found[channel] == (state, "no consent" if state == "rejected" else None)
    assert len(telling.mails()) == (mail == "sent")
    assert len(telling.space.accepted) == (ens == "accepted")


def tried(telling: Telling) -> int:
    """Count the deliveries that were tried in vain."""
    query = "SELECT count(*) FROM deliveries WHERE attempts > 0 AND reason IS NOT NULL"
    return int(telling.rows(query)[0][0])
