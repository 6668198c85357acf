"""The agent's one guarded call: records in, committed when it returns. Knows nothing of Faust."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import structlog

from streams import consent, metrics
from streams.batch import Context, Record, Work, apply
from streams.errors import (
    Busy,
    Fenced,
    OffsetGap,
    RegistryBehind,
    StoreUnavailable,
    Unstorable,
    Withdrawn,
)
from streams.lanes import LIVE
from streams.state import Watches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from ingest.ports import Clock
    from ingest.registry.memory import Registry
    from streams.batch import Progress
    from streams.lanes import Lane
    from streams.timescale import Store
    from streams.transaction import Transaction, Written

log = structlog.get_logger()

# Back-off while the database is away: the first pause, and the longest.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0


class Settings(Protocol):
    """The registry, as far as it was read; patients' settings come from it."""

    @property
    def registry(self) -> Registry:
        """The registry with its history."""
        ...

    @property
    def reached(self) -> int:
        """The revision up to which every record was read."""
        ...

    async def wait_for(self, revision: int) -> None:
        """Return once the revision is reached; may take as long as Kafka is away."""
        ...


class LogStarts(Protocol):
    """Asks Kafka for the first offset that it still has of each partition."""

    async def __call__(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return partition -> offset. Raises LogUnavailable."""
        ...


class Applier:
    """Brings records into the database, whatever happens to it meanwhile.

    `by` names this worker in quarantine. `settling` says whether it is at work, `places` is the
    next offset of each partition that was committed here, and `moved` the monotonic time at which
    anything was last tried to its end.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        log_starts: LogStarts,
        clock: Clock,
        *,
        topic: str,
        by: str,
        lane: Lane = LIVE,
    ) -> None:
        self._store = store
        self._settings = settings
        self._log_starts = log_starts
        self._clock = clock
        self._topic = topic
        self._by = by
        self._lane = lane
        self._watches: dict[int, Watches] = {}
        self._starts: dict[int, int] = {}
        self.places: dict[int, int] = {}
        self.settling = False
        self.trouble: str | None = None
        self.moved = monotonic()

    async def settle(self, records: Sequence[Record]) -> None:
        """Return once every record is committed, or was before.

        Waits through an absent database and a late registry. Raises only what a new start must
        mend: OffsetGap, SchemaMismatch.
        """
        self.settling = True
        try:
            for part in slices(records, self._lane.slice_bytes):
                await self._settle(part)
        finally:
            self.settling = False

    def keep(self, partitions: Collection[int]) -> None:
        """Forget the patients of partitions that this worker no longer has."""
        for gone in set(self._watches) - set(partitions):
            del self._watches[gone]
        self.places = {p: at for p, at in self.places.items() if p in partitions}

    async def _settle(self, records: Sequence[Record]) -> None:
        try:
            await self._until_committed(records, frozenset())
        except Unstorable as error:
            if len(records) > 1:  # find the one by halves; the others are stored
                middle = len(records) // 2
                await self._settle(records[:middle])
                await self._settle(records[middle:])
                return
            one = records[0]
            log.error(  # noqa: TRY400 (the trace leads into psycopg and tells nothing)
                "record refused by the database",
                partition=one.partition,
                offset=one.offset,
                error=str(error),
            )
            await self._until_committed(records, {(one.partition, one.offset)})

    async def _until_committed(
        self, records: Sequence[Record], poison: Collection[tuple[int, int]]
    ) -> None:
        began = monotonic()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                works, written = await self._attempt(records, poison)
            except RegistryBehind as behind:
                self._forget(records)
                await self._settings.wait_for(behind.revision)
                continue
            except OffsetGap as gap:
                self._forget(records)
                if not await self._deleted(gap):
                    raise
                continue
            except Withdrawn:
                self._forget(records)
                continue
            except (StoreUnavailable, Fenced) as error:
                self._forget(records)
                self._away(error)
            except Busy:
                self._forget(records)
                self.moved = monotonic()
            except BaseException:
                self._forget(records)
                raise
            else:
                self._committed(works, written, len(records), monotonic() - began)
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _attempt(
        self, records: Sequence[Record], poison: Collection[tuple[int, int]]
    ) -> tuple[list[Work], Written | None]:
        by_partition: defaultdict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_partition[record.partition].append(record)
        context = Context(
            registry=self._settings.registry,
            reached=self._settings.reached,
            topic=self._topic,
            by=self._by,
            now=self._clock.now(),
            poison=poison,
            log_starts=self._starts,
        )
        works, written = [], None
        known = context.registry.revision
        async with self._store.transaction() as transaction:
            progress = await transaction.progress(by_partition)
            watched = self._lane.watched
            standing = await self._standing(progress, transaction) if watched else {}
            for p, at in progress.items():
                works.append(apply(at, by_partition[p], standing.get(p), context))
                await asyncio.sleep(0)  # signals and the lag want their turn
            fresh = [work for work in works if work.after != work.before]
            if fresh:
                written = await transaction.write(fresh)
                # Writing may have waited for long: what was withdrawn meanwhile is not kept.
                moved = context.registry.revision != known
                if moved and consent.withdrawn(context.registry, fresh):
                    raise Withdrawn
        return works, written

    async def _standing(
        self, progress: Mapping[int, Progress], transaction: Transaction
    ) -> dict[int, Watches]:
        """Return the watches as of these places, from memory where memory stands there.

        Elsewhere the partition is new here, a batch was rolled back, or another worker moved on.
        """
        standing = {
            p: watches
            for p, watches in self._watches.items()
            if p in progress and watches.next_offset == progress[p].next_offset
        }
        cold = [p for p in progress if p not in standing]
        if cold:
            states = await transaction.states(cold)
            for p in cold:
                at = progress[p]
                standing[p] = self._watches[p] = Watches(
                    at.next_offset, states[p], self._lane.kind, at.fed
                )
        return standing

    def _forget(self, records: Iterable[Record]) -> None:
        """Drop watches that may have seen what was rolled back: the database has the truth."""
        for partition in {record.partition for record in records}:
            self._watches.pop(partition, None)

    async def _deleted(self, gap: OffsetGap) -> bool:
        """Whether what is missing was deleted by Kafka's retention, so that it cannot come."""
        # Added to what is known: a batch may hold the gaps of several partitions.
        self._starts |= await self._log_starts([gap.partition])
        if self._starts.get(gap.partition, 0) < gap.found:
            return False
        log.error(
            "records lost: Kafka deleted them before they were applied",
            partition=gap.partition,
            first=gap.expected,
            count=gap.found - gap.expected,
        )
        return True

    def _away(self, error: Exception) -> None:
        self.moved = monotonic()  # waiting for a database that says no is not being stuck
        metrics.DATABASE_UP.set(0)
        if self.trouble is None:
            log.warning("database away, the log waits", lane=self._lane.name, error=str(error))
        self.trouble = str(error)

    def _committed(
        self, works: Sequence[Work], written: Written | None, records: int, seconds: float
    ) -> None:
        if self.trouble is not None:
            log.info("database back", lane=self._lane.name)
        self.trouble = None
        self.moved = monotonic()
        for work in works:
            partition = work.before.partition
            if partition in self._watches:  # a rebalance may have taken it meanwhile
                self._watches[partition].commit(work.after.next_offset, work.snapshots)
            self.places[partition] = work.after.next_offset
        metrics.count(self._lane, works, written, records, seconds, self._clock.now())


def slices(records: Sequence[Record], size_limit: int) -> Iterator[Sequence[Record]]:
    """Cut a batch so that no transaction becomes too large; a record is never cut.

    >>> [len(part) for part in slices([Record(0, i, bytes(50)) for i in range(5)], 100)]
    [2, 2, 1]
    """
    first = size = 0
    for i, record in enumerate(records):
        size += len(record.value or b"")
        if size > size_limit and i > first:
            yield records[first:i]
            first, size = i, len(record.value or b"")
    if first < len(records):
        yield records[first:]
