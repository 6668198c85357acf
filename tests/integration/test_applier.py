"""The agent's one guarded call on a real database, with what comes in its way while it writes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from ingest.ports import SystemClock
from ingest.registry.entities import Patient, Purpose, key
from ingest.registry.follower import Follower
from streams import migrations, timescale
from streams.agents import Applier
from streams.lanes import BACKFILL, LIVE, Lane
from streams.timescale import Store
from streams.transaction import Destinations
from tests.integration.telling import until
from tests.unit.streams.log import TOPIC, bundle, message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

pytestmark = pytest.mark.servers

NO_COLLECT = Patient("p-1", consents=(Purpose.MONITOR,))
NO_MONITOR = Patient("p-1", consents=(Purpose.COLLECT,))


async def no_starts(partitions: Iterable[int]) -> dict[int, int]:
    """Say that Kafka has deleted nothing."""
    del partitions
    return {}


@asynccontextmanager
async def applying(database: str, follower: Follower, lane: Lane) -> AsyncIterator[Applier]:
    """Hand out an applier on a fresh schema; the follower is told of changes by the test."""
    migrations.migrate(database, {TOPIC: 1})
    store = Store(
        database, TOPIC, Destinations("vigie.alerts", "vigie.rejected", "on-call@x"), lane
    )
    yield Applier(store, follower, no_starts, SystemClock(), topic=TOPIC, by="worker", lane=lane)
    await store.close()


def waits(database: str) -> bool:
    """Whether somebody in the database waits for a lock."""
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
    with psycopg.connect(database, autocommit=True) as connection:
        return bool(connection.execute(query, (connection.info.dbname,)).fetchall())


async def withdraw_while_it_writes(database: str, lane: Lane, after: Patient) -> list[str]:
    """Let a withdrawal come between a batch's first row and its commit; returns whose rows stay."""
    follower = Follower("127.0.0.1:1")
    told = bundle(0, message(1), message(1, patient="p-2", device="d-2"))
    async with applying(database, follower, lane) as applier:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE internal.latest IN ACCESS EXCLUSIVE MODE")
            settling = asyncio.create_task(applier.settle([told]))
            await until(lambda: waits(database), "the batch waits in the middle of its writing")
            follower.registry.apply(0, key(after), after)
        await settling
    with psycopg.connect(database) as connection:
        return [patient for (patient,) in connection.execute("SELECT patient FROM readings")]


@pytest.mark.parametrize("lane", [LIVE, BACKFILL], ids=["live", "backfill"])
async def test_collect_withdrawn_while_a_batch_is_written_takes_the_patient_out_of_it(
    database: str, lane: Lane
) -> None:
    assert await withdraw_while_it_writes(database, lane, NO_COLLECT) == ["p-2"]
    (entry,) = (await timescale.ledger(database)).entries
    assert (entry.received, entry.stored, entry.consent, entry.difference) == (2, 1, 1, 0)


async def test_monitor_withdrawn_while_a_batch_is_written_leaves_rows_and_no_score(
    database: str,
) -> None:
    assert sorted(await withdraw_while_it_writes(database, LIVE, NO_MONITOR)) == ["p-1", "p-2"]
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT patient FROM internal.state").fetchall() == [("p-2",)]
        assert connection.execute("SELECT patient FROM assessments").fetchall() == [("p-2",)]
