"""Both halves of the account on real servers: what was stored, and what was refused."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ingest import kafka as log
from ingest.codec import Refused, Rejected, encode
from ingest.quarantine.records import Outcome, Settled
from ingest.readings import Refusal
from streams import migrations
from streams.refusals import refusals

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
