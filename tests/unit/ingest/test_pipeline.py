"""Shipments: settled in order, never before the log has them, sent again until it has."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ingest.bundles import Outgoing
from ingest.pipeline import Pipeline, Shipment
from tests.fakes import MemoryLog
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 30


@asynccontextmanager
async def running(log: MemoryLog) -> AsyncIterator[Pipeline]:
    pipeline = Pipeline(log)
    work = asyncio.create_task(pipeline.run())
    yield pipeline
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def shipment(name: str, settled: list[str], records: int = 1) -> Shipment:
    made = [Outgoing("t", f"{name}{n}".encode()) for n in range(records)]
    return Shipment(made, lambda: settled.append(name))


async def test_shipments_are_settled_in_order_once_the_log_has_them() -> None:
    log, settled = MemoryLog(), list[str]()
    async with running(log) as pipeline:
        for name in "abc":
            pipeline.ship(shipment(name, settled, records=2))
        async with asyncio.timeout(SECONDS):
            await pipeline.idle()
    assert settled == ["a", "b", "c"]
    assert [kept.value for kept in log.kept] == [b"a0", b"a1", b"b0", b"b1", b"c0", b"c1"]


async def test_nothing_is_settled_before_the_acknowledgement() -> None:
    log, settled = MemoryLog(), list[str]()
    log.held = True
    async with running(log) as pipeline:
        pipeline.ship(shipment("a", settled))
        await asyncio.to_thread(wait_until, lambda: log.kept, "the record is sent", SECONDS)
        assert settled == []
        log.release()
        async with asyncio.timeout(SECONDS):
            await pipeline.idle()
    assert settled == ["a"]


async def test_what_was_lost_on_the_way_is_sent_again_and_nothing_overtakes_its_settling() -> None:
    log, settled = MemoryLog(), list[str]()
    log.failing = 2
    async with running(log) as pipeline:
        pipeline.ship(shipment("a", settled, records=3))
        pipeline.ship(shipment("b", settled))
        async with asyncio.timeout(SECONDS):
            await pipeline.idle()
    assert settled == ["a", "b"]
    assert sorted(kept.value or b"" for kept in log.kept) == [b"a0", b"a1", b"a2", b"b0"]
    assert pipeline.trouble is None


async def test_while_the_log_is_away_the_trouble_is_told_and_all_is_kept() -> None:
    log, settled = MemoryLog(), list[str]()
    log.away = True
    async with running(log) as pipeline:
        pipeline.ship(shipment("a", settled))
        await asyncio.to_thread(wait_until, lambda: pipeline.trouble, "it is told", SECONDS)
        assert settled == []
        log.away = False
        async with asyncio.timeout(SECONDS):
            await pipeline.idle()
    assert settled == ["a"]
