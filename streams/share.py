"""The worker's share of the log: which partitions, taken up where, and how far behind."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import faust  # noqa: TID251 (streams/ is where Faust lives)
import structlog

from streams import metrics
from streams.errors import LogReplaced
from streams.timescale import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = structlog.get_logger()


class Share:
    """What this worker has of one topic of `size` partitions, by the word of Faust's app.

    `partitions` is None before it joined the group.
    """

    def __init__(self, app: Any, topic: str, size: int, database: str) -> None:
        self._app, self._topic, self._size = app, topic, size
        self._database = database
        self.partitions: frozenset[int] | None = None

    def given(self) -> frozenset[int]:
        """Return, and tell, what a rebalance has just given to this worker: not taken up yet."""
        numbers = frozenset(
            tp.partition for tp in self._app.consumer.assignment() if tp.topic == self._topic
        )
        metrics.PARTITIONS_ASSIGNED.set(len(numbers))
        log.info("share of the log", partitions=sorted(numbers))
        return numbers

    async def seek(self, partitions: Iterable[int]) -> dict[int, int]:
        """Let the consumer read on at our own places, and return them.

        Faust seeks to the offsets that are committed in Kafka right after this; ours are the truth
        (a database restored from a backup is behind them). Raises StoreUnavailable, SchemaMismatch
        and LogReplaced.
        """
        assigned = self._named(partitions)
        ours = await places(self._database, self._topic, [tp.partition for tp in assigned])
        consumer = self._app.consumer
        starts = await consumer.earliest_offsets(*assigned)
        ends = await consumer.highwaters(*assigned)
        for tp in assigned:
            if ours[tp.partition] > ends[tp]:
                raise LogReplaced(tp.topic, tp.partition, ours[tp.partition], ends[tp])
        wanted = {tp: max(ours[tp.partition], starts[tp]) for tp in assigned}
        # A private method: Faust's own seek to what is committed follows, and undoes any other,
        # except to 0, where it does nothing. tests/integration/test_worker.py guards both.
        await consumer._commit(wanted)  # noqa: SLF001
        for tp in (tp for tp, offset in wanted.items() if offset == 0):
            await consumer.seek(tp, 0)
        return ours

    async def starts(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset that Kafka still has of each partition."""
        found = await self._app.consumer.earliest_offsets(*self._named(partitions))
        return {tp.partition: offset for tp, offset in found.items()}

    async def lag(self, applied: Mapping[int, int]) -> int:
        """Count the records of our partitions beyond these places, and show them in the metric."""
        mine = self.partitions or frozenset()
        ends = await self._app.consumer.highwaters(*self._named(mine)) if mine else {}
        lag = {tp.partition: max(0, end - applied.get(tp.partition, 0)) for tp, end in ends.items()}
        for partition in range(self._size):
            if partition in lag:
                metrics.LAG.labels(str(partition)).set(lag[partition])
            else:
                with suppress(KeyError):  # another worker's: two must not report it
                    metrics.LAG.remove(str(partition))
        return sum(lag.values())

    def _named(self, partitions: Iterable[int]) -> list[Any]:
        return [faust.types.TP(self._topic, number) for number in partitions]
