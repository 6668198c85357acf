"""Carries the outbox to Kafka: what the worker's transaction committed is published after it.

A record is deleted only once Kafka has it, so a crash publishes it once more: at least once, and
recognisable (an alert event by its alert and number). One relay works at a time, whatever the
number of dispatchers, so records keep their order per topic and key.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from alerts import metrics
from alerts.trouble import Trouble
from ingest.ports import LogUnavailable, VigieError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from alerts.journal import Journal, Outbox, Record
    from ingest.ports import Sink

log = structlog.get_logger()

BATCH = 500  # records taken at once
LOOK_EVERY_SECONDS = 1.0  # a NOTIFY usually comes first


class Relay:
    """Publishes the outbox until cancelled.

    connect: opens the log; entered anew after each trouble, and closed on the way out.
    """

    def __init__(
        self, journal: Journal, connect: Callable[[], AbstractAsyncContextManager[Sink]]
    ) -> None:
        self._journal, self._connect = journal, connect
        self._wake = asyncio.Event()
        self._trouble = Trouble("the outbox is not relayed")

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    async def run(self) -> None:
        """Relay for ever; trouble with the database or Kafka is waited out."""
        while True:
            try:
                async with self._journal.outbox() as outbox:
                    await self._take_turns(outbox)
            except VigieError as error:
                if not error.retryable:
                    raise
                self._trouble.because(error)
            await self._pause()

    async def _take_turns(self, outbox: Outbox) -> None:
        while not await outbox.ours():
            self._trouble.over()  # another relay works
            await self._pause()
        async with self._connect() as sink:
            log.info("relaying the outbox")
            while True:
                self._wake.clear()
                records = await outbox.take(BATCH)
                if records:
                    await _publish(outbox, sink, records)
                self._trouble.over()
                if not records:
                    await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_SECONDS):
                await self._wake.wait()
        self._wake.clear()


async def _publish(outbox: Outbox, sink: Sink, records: Sequence[Record]) -> None:
    """Send records in order, and delete those that Kafka has, up to the first that it has not."""
    futures = []
    failed: VigieError | None = None
    try:
        for record in records:
            futures.append(await sink.send(record.topic, record.value, key=record.key))  # noqa: PERF401 (what was sent before a failure must be waited for)
    except VigieError as error:
        failed = error
    acknowledged = 0
    for ended in await asyncio.gather(*futures, return_exceptions=True):
        if isinstance(ended, BaseException):
            # The client's own error, whichever it is, or a future that it cancelled (which is no
            # cancellation of ours): a new connection is all that can help, and deliveries go on.
            failed = LogUnavailable(f"Kafka did not take a record ({type(ended).__name__})")
            break
        acknowledged += 1
    if acknowledged:
        await outbox.delete(records[:acknowledged])
        metrics.RELAYED.inc(acknowledged)
    if failed is not None:
        raise failed
