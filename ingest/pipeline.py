"""Shipments to Kafka: sent in order, settled in order, sent again until Kafka has them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from ingest import kafka
from ingest.ports import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.bundles import Outgoing
    from ingest.ports import Sink

log = structlog.get_logger()

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
# Kafka acknowledges within milliseconds. An idempotent producer sends again for ever without a
# word, so silence is told here.
SILENCE_SECONDS = 5.0


@dataclass(slots=True)
class Shipment:
    """Records that belong together; `settled` is called once Kafka has all of them."""

    records: Sequence[Outgoing]
    settled: Callable[[], None]
    futures: list[asyncio.Future[object] | None] = field(default_factory=list)


class Pipeline:
    """Any number of shipments under way, and no task or future per message.

    While Kafka is away nothing is settled and nothing given up: the same records are sent again.
    Shipments behind a failed one may reach the log before it (docs/decisions/0002-receipts.md).
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting: asyncio.Queue[Shipment] = asyncio.Queue()
        self._sent: asyncio.Queue[Shipment] = asyncio.Queue()
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.trouble: str | None = None

    def ship(self, shipment: Shipment) -> None:
        """Take a shipment; never blocks. Whoever ships bounds how much is under way."""
        self._open += 1
        self._idle.clear()
        self._waiting.put_nowait(shipment)

    async def run(self) -> None:
        """Send and settle until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_all())
            tasks.create_task(self._settle_all())

    async def idle(self) -> None:
        """Return once everything shipped so far is settled."""
        await self._idle.wait()

    async def _send_all(self) -> None:
        while True:
            shipment = await self._waiting.get()
            shipment.futures = [await self._try(record) for record in shipment.records]
            self._sent.put_nowait(shipment)

    async def _settle_all(self) -> None:
        while True:
            shipment = await self._sent.get()
            await self._until_safe(shipment)
            shipment.settled()
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def _until_safe(self, shipment: Shipment) -> None:
        pause = FIRST_PAUSE_SECONDS
        records, futures = list(shipment.records), shipment.futures
        while True:
            failed = [
                record
                for record, future in zip(records, futures, strict=True)
                if not await self._arrived(future)
            ]
            if not failed:
                if self.trouble is not None:
                    log.info("Kafka takes records again")
                self.trouble = None
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            records = failed
            futures = [await self._try(record) for record in records]

    async def _try(self, record: Outgoing) -> asyncio.Future[object] | None:
        try:
            return await self._sink.send(
                record.topic, record.value, partition=record.partition, key=record.key
            )
        except LogUnavailable as error:
            self._failed(str(error))
            return None

    async def _arrived(self, future: asyncio.Future[object] | None) -> bool:
        if future is None:
            return False
        done, _ = await asyncio.wait([future], timeout=SILENCE_SECONDS)
        if not done:
            self._failed("no answer")
            await asyncio.wait([future])
        if future.cancelled():
            self._failed("given up by the producer")
            return False
        error = future.exception()
        if error is not None:
            if kafka.is_fatal(error):
                # Nothing was acknowledged, so nothing is lost: the supervisor starts us again.
                raise LogUnavailable(f"the producer is of no more use: {type(error).__name__}")
            self._failed(type(error).__name__)
        return error is None

    def _failed(self, why: str) -> None:
        if self.trouble is None:
            log.warning("Kafka does not take records: nothing is acknowledged", why=why)
        self.trouble = why
