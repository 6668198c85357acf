"""Both halves of the account on real servers: what was stored, and what was refused."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ingest import kafka as log
from ingest.codec import Bundle, Message, Refused, Rejected, encode
from ingest.quarantine.records import Outcome, Settled
from ingest.readings import Instant, Refusal, Vital
from ingest.registry.entities import Patient, key
from streams import migrations, timescale
from streams.refusals import refusals
from tests.integration.site import PARTITIONS, Site
from tests.unit.streams.log import moment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
BAD = Rejected("d-1", "vigie/v1/d-1/readings", (Refused(Refusal.NOT_JSON),), NOW, "g", 1, b"{")
COUNT = Rejected("", "", (Refused(Refusal.NO_CONSENT),), NOW, "g", 0, b"", more=9)


async def write(kafka: str, topic: str, *records: Rejected | Settled) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for record in records:
            await producer.send_and_wait(topic, encode(record))


async def test_refusals_are_counted_from_the_quarantine_itself(kafka: str) -> None:
    topic = f"rejected.{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    await write(kafka, topic, BAD, COUNT, BAD, Settled(0, Outcome.REPLAYED, NOW, "me"))
    found = await refusals(kafka, topic)
    assert found.reasons == {"not-json": 2, "no-consent": 10}
    assert (found.messages, found.replayed, found.since) == (12, 1, NOW)
    await write(kafka, topic, COUNT)
    assert (await refusals(kafka, topic)).reasons["no-consent"] == 20


def ledger(database: str, kafka: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VIGIE_DATABASE": database, "VIGIE_KAFKA": kafka}
    return subprocess.run(
        [sys.executable, "-m", "vigie", "ledger", *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_shows_both_halves_and_the_first_alone_while_kafka_is_away(
    kafka: str, database: str
) -> None:
    migrations.migrate(database, {log.READINGS: 2, log.BACKFILL: 2})
    asyncio.run(log.ensure_topics(kafka))
    before = json.loads(ledger(database, kafka, "--json").stdout)["refused"]["reasons"]
    asyncio.run(write(kafka, log.REJECTED, BAD, COUNT))
    ran = ledger(database, kafka, "--json")
    assert ran.returncode == 0, ran.stderr
    after = json.loads(ran.stdout)
    assert len(after["partitions"]) == 4
    for reason, more in (("not-json", 1), ("no-consent", 10)):
        assert after["refused"]["reasons"][reason] == before.get(reason, 0) + more
    assert "no-consent" in ledger(database, kafka).stdout
    alone = ledger(database, "127.0.0.1:1", "--json")
    assert alone.returncode == 0
    assert json.loads(alone.stdout)["refused"] is None
    assert "refusals are not counted" in alone.stderr


BUNDLES, INSTANTS = 100, 50
EACH = BUNDLES * INSTANTS


def told(patient: str, bundle: int, value: float) -> tuple[int, bytes]:
    """Build a record of one patient, always in the same partition."""
    instants = (
        Instant(moment(bundle * INSTANTS + n), {Vital.SPO2: value}) for n in range(INSTANTS)
    )
    sent = Message(patient, f"d-{patient}", bundle + 1, moment(EACH), tuple(instants))
    return int(patient[2:]) % PARTITIONS, encode(Bundle("gateway", (sent,)))


def test_the_account_is_whole_after_kills_with_every_outcome_in_both_lanes(
    kafka: str, database: str, tmp_path: Path
) -> None:
    site = Site(kafka, database, tmp_path)
    site.prepare()
    refuses = Patient("p-3", consents=())
    site.register((key(refuses), encode(refuses)))
    for n in range(BUNDLES):
        # p-1 once in each lane, with other values; p-2 twice in each, the same; p-3 does not agree.
        others = [told("p-2", n, 96.0)] * 2 + [told("p-3", n, 95.0)]
        site.send([told("p-1", n, 97.0), *others])
        site.send_late([told("p-1", n, 98.0), *others])
    site.send([(0, b"\xff")])
    site.send_late([(0, b"\xff")])
    for fraction in (0.1, 0.3, 0.6):
        with site.worker() as worker:
            wait_until(lambda: site.applied() > fraction * site.sent, "some is applied", pause=0.01)  # noqa: B023 (it is asked at once)
            worker.kill()
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    account = asyncio.run(timescale.ledger(database))
    names = ("received", "stored", "duplicate", "conflict", "consent", "dead", "lost", "difference")
    found = {name: sum(getattr(entry, name) for entry in account.entries) for name in names}
    assert found == {
        "received": 8 * EACH,
        "stored": 2 * EACH,
        "duplicate": 3 * EACH,
        "conflict": EACH,
        "consent": 2 * EACH,
        "dead": 2,
        "lost": 0,
        "difference": 0,
    }
    assert (account.rows, account.balanced) == (2 * EACH, True)
