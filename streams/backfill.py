"""The backfill lane's own reader: stores what came late, in the time that live readings leave.

It is no second Faust agent. Faust fetches all topics in one loop, and an agent that takes its time
fills its buffer and holds up that loop, live readings with it. Here nothing is fetched that was not
asked for, a record costs a small part of what it costs there, and whatever goes wrong stays in this
lane. The worker has the same partitions in both lanes; the places are in the database, as always.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from ingest import kafka
from ingest.ports import SystemClock, VigieError
from streams import metrics
from streams.agents import Applier, slices
from streams.batch import Record
from streams.errors import LogReplaced, StoreUnavailable, trace
from streams.lanes import BACKFILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.agents import Settings
    from streams.timescale import Store

log = structlog.get_logger()

# While live readings keep the worker busy, one slice is stored after so long all the same.
PATIENCE_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.01
LAG_EVERY_SECONDS = 2.0
# After trouble, whatever it is, the lane starts again at its own place.
AGAIN_SECONDS = 2.0


class Backfill:
    """Stores the backfill lane's records of this worker's share.

    `store` is this lane's own, `by` names the worker in quarantine, and `busy` says whether live
    readings need the worker now.
    """

    def __init__(
        self,
        address: str,
        store: Store,
        registry: Settings,
        *,
        topic: str,
        by: str,
        busy: Callable[[], bool],
    ) -> None:
        self._address, self._store, self._topic = address, store, topic
        self._applier = Applier(
            store, registry, self._log_starts, SystemClock(), topic=topic, by=by, lane=BACKFILL
        )
        self._busy = busy
        self._share: frozenset[int] = frozenset()
        self._changed = asyncio.Event()
        self._told = ""

    def share(self, partitions: frozenset[int]) -> None:
        """Take over a new share of the log, between two slices; what is under way is fenced."""
        for gone in self._share - partitions:
            metrics.BACKFILL_LAG.remove(str(gone))  # another worker's: two must not report it
        for new in partitions - self._share:
            metrics.BACKFILL_LAG.labels(str(new))
        self._share = partitions
        self._applier.keep(partitions)
        self._changed.set()

    async def close(self) -> None:
        """Close the connection to the database."""
        await self._store.close()

    async def run(self) -> None:
        """Store until cancelled. Nothing that happens here may end the worker: it is told of."""
        while True:
            self._changed.clear()
            try:
                if self._share:
                    await self._read(self._share)
                else:
                    await self._changed.wait()
                continue
            except StoreUnavailable:
                pass  # whoever has live readings to store tells of it
            except VigieError as error:
                self._tell(str(error))
            except Exception as error:  # noqa: BLE001 (a fault in this lane must not stop the other)
                self._tell(trace(error))
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            log.error("the backfill lane waits", error=trouble)
        self._told = trouble

    async def _read(self, share: frozenset[int]) -> None:
        """Read and store one share until it changes."""
        async with self._store.transaction() as transaction:
            standing = await transaction.progress(share, lock=False)
        ours = {partition: progress.next_offset for partition, progress in standing.items()}
        async with kafka.reading(self._address, self._topic, share) as reader:
            ends = await reader.ends()
            for partition, place in ours.items():
                if place > ends[partition]:
                    raise LogReplaced(self._topic, partition, place, ends[partition])
            reader.seek(ours)
            self._applier.places.update(ours)
            measuring = asyncio.create_task(self._measure(reader))
            try:
                while share == self._share:
                    await self._take(await reader.take(), share)
                    self._told = ""
            finally:
                measuring.cancel()
                # Not awaited itself: else a cancellation of this lane could be taken for its own.
                await asyncio.wait([measuring])

    async def _take(self, found: Sequence[kafka.Record], share: frozenset[int]) -> None:
        records = [Record(one.partition, one.offset, one.value) for one in found]
        for part in slices(records, BACKFILL.slice_bytes):
            await self._spare()
            if share != self._share:
                return
            await self._applier.settle(part)

    async def _spare(self) -> None:
        """Return when live readings leave time; at the latest after a second: none waits for ever.

        A slice takes some 30 ms, so live readings keep nearly all of the worker.
        """
        until = monotonic() + PATIENCE_SECONDS
        await asyncio.sleep(0)
        while self._busy() and monotonic() < until:  # noqa: ASYNC110 (no one event says it)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _log_starts(self, partitions: Iterable[int]) -> dict[int, int]:
        async with kafka.reading(self._address, self._topic, list(partitions)) as reader:
            return await reader.starts()

    async def _measure(self, reader: kafka.Reader) -> None:
        while True:
            with suppress(Exception):  # Kafka is away: the lag is what it was
                ends = await reader.ends()
                for partition in self._share & ends.keys():
                    lag = ends[partition] - self._applier.places.get(partition, 0)
                    metrics.BACKFILL_LAG.labels(str(partition)).set(max(0, lag))
            await asyncio.sleep(LAG_EVERY_SECONDS)
