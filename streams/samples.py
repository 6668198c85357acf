"""Readings on their way into rows: numbered series, one COPY, and what was there before.

The same reading (device, vital, time) with *another* value is a conflict: the first one stays.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from streams import statements as sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from ingest.codec import Message
    from ingest.readings import Vital
    from streams.batch import Work
    from streams.timescale import Connection

    # The columns of internal.sample.
    Row = tuple[int, datetime, float, int, datetime, float | None, str | None]
    # (patient, device) -> vital -> number of the series.
    Series = dict[tuple[str, str], dict[Vital, int]]

# After so many rows, a few milliseconds, whatever else the event loop has to do gets its turn.
ROWS_AT_A_TIME = 250


class Samples:
    """Stores readings within one transaction.

    `known` are the series that were committed before; `numbered` those that are new here, with what
    was known of their patient and device, to be kept once committed.
    """

    def __init__(self, connection: Connection, known: Series) -> None:
        self._connection = connection
        self._known = known
        self.numbered: Series = {}

    async def store(self, works: Sequence[Work]) -> tuple[Counter[int], Counter[int]]:
        """Store the readings; returns how many were new and how many in conflict, by partition."""
        stored: Counter[int] = Counter()
        conflict: Counter[int] = Counter()
        due = sum(work.received - work.refused for work in works)
        if not due:
            return stored, conflict
        await self._number(works)
        partition_of: dict[int, int] = {}
        latest: dict[int, Row] = {}
        async with self._connection.cursor() as cursor:
            async with cursor.copy(sql.COPY) as copy:
                copy.set_types(sql.COPY_TYPES)
                rows_left = ROWS_AT_A_TIME
                for work in works:
                    for row in self._rows(work.messages):
                        await copy.write_row(row)
                        rows_left -= 1
                        if not rows_left:
                            rows_left = ROWS_AT_A_TIME
                            await asyncio.sleep(0)
                        known = latest.get(row[0])
                        if known is None or known[1] < row[1]:
                            latest[row[0]] = row
                            partition_of[row[0]] = work.before.partition
            await cursor.execute(sql.STORE)
            async for series, count in cursor:
                stored[partition_of[series]] += count
            if stored.total() < due:
                span = await (await cursor.execute(sql.SPAN)).fetchone()
                await cursor.execute(sql.CONFLICTS, span)
                async for series, count in cursor:
                    conflict[partition_of[series]] += count
            # In order of series: two workers that share none still lock pages in one order.
            rows = [latest[series] for series in sorted(latest)]
            await cursor.execute(sql.LATEST, [[row[i] for row in rows] for i in range(4)])
        return stored, conflict

    def _rows(self, messages: Iterable[Message]) -> Iterator[Row]:
        for message in messages:
            who, received = (message.patient, message.device), message.received
            numbers = self.numbered.get(who) or self._known[who]
            for instant in message.readings:
                time, quality, original = instant.time, instant.quality, instant.original
                for vital, value in instant.values.items():
                    was = original.get(vital)
                    yield (
                        numbers[vital],
                        time,
                        value,
                        quality.get(vital, 0),
                        received,
                        None if was is None else was.value,
                        None if was is None else was.unit,
                    )

    async def _number(self, works: Sequence[Work]) -> None:
        """Give each (patient, device, vital) that is new a number, kept once committed."""
        new = {
            (message.patient, message.device, vital)
            for work in works
            for message in work.messages
            for known in (self._known.get((message.patient, message.device), {}),)
            for instant in message.readings
            for vital in instant.values
            if vital not in known
        }
        if not new:
            return
        columns = [list(column) for column in zip(*sorted(new), strict=True)]
        await self._connection.execute(sql.NEW_SERIES, columns)
        cursor = await self._connection.execute(sql.KNOWN_SERIES, columns)
        async for patient, device, vital, number in cursor:
            who = (patient, device)
            numbers = self.numbered.setdefault(who, dict(self._known.get(who, {})))
            numbers[vital] = number
