"""What the worker's one transaction asks and writes, from the progress rows' lock to their move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from alerts.delivery import deliveries
from alerts.events import Phase, State
from ingest.codec import encode
from streams import statements as sql
from streams.batch import Progress
from streams.errors import Fenced, SchemaMismatch
from streams.ledger import Account, Entry
from streams.samples import Samples
from streams.state import Stored

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from alerts.events import AlertEvent
    from ingest.registry.entities import Patient
    from streams.batch import Work
    from streams.samples import Series
    from streams.timescale import Connection

log = structlog.get_logger()

# The questions whose risks have a column; another's are told in its alerts only.
QUESTIONS = ("deterioration", "sepsis")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the readings of a transaction, over all partitions."""

    stored: int
    duplicate: int
    conflict: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where what follows from a batch goes: names of Kafka topics, and who is told by default."""

    alerts: str
    rejected: str
    on_call: str


class Transaction:
    """What can be asked and written while a transaction is open.

    `series` are those that were committed before; see `samples` for those that are new here.
    """

    def __init__(
        self, connection: Connection, topic: str, to: Destinations, series: Series
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._to = to
        self.samples = Samples(connection, series)

    async def progress(
        self, partitions: Iterable[int], *, lock: bool = True
    ) -> dict[int, Progress]:
        """Read where the partitions stand, and lock their rows until the end.

        Raises SchemaMismatch when one has no row: `vigie database migrate` makes them.
        """
        wanted = sorted(set(partitions))
        query = sql.PROGRESS + (" FOR UPDATE" if lock else "")
        cursor = await self._connection.execute(query, (self._topic, wanted))
        found = {row[0]: Progress(*row) for row in await cursor.fetchall()}
        if missing := [str(p) for p in wanted if p not in found]:
            raise SchemaMismatch(
                f"internal.progress has no row for {self._topic}, partitions {', '.join(missing)}: "
                "run `vigie database migrate`"
            )
        return found

    async def ledger(self) -> Account:
        """Read the account of every partition, and count the rows it speaks of."""
        cursor = await self._connection.execute(sql.LEDGER)
        found = await cursor.fetchall()
        return Account([Entry(*row[1:]) for row in found], found[0][0] if found else 0)

    async def states(self, partitions: Sequence[int]) -> dict[int, dict[str, Stored]]:
        """Read the watches' states of whole partitions: partition -> patient -> what is stored."""
        found: dict[int, dict[str, Stored]] = {partition: {} for partition in partitions}
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(sql.STATES_OF, (list(partitions),))
        async for partition, patient, state, due in cursor:
            found[partition][patient] = Stored(state, due)
        return found

    async def write(self, works: Sequence[Work]) -> Written:
        """Write all of it and move the partitions' places. Raises Fenced when one had moved."""
        stored, conflict = await self.samples.store(works)
        await self._assessments(works)
        await self._states(works)
        events = [event for work in works for event in work.events]
        if events:
            await self._alerts([event for event, _ in events])
            await self._deliveries(events)
        await self._unwatch([patient for work in works for patient in work.unwatched])
        await self._outbox(works)
        await self._advance(works, stored, conflict)
        received = sum(work.received for work in works)
        new, other, refused = stored.total(), conflict.total(), sum(w.refused for w in works)
        return Written(new, received - refused - new - other, other, refused)

    async def _assessments(self, works: Sequence[Work]) -> None:
        """Store the scores; of two at one moment of a patient the later in the log stays."""
        last = {(patient, a.time): a for work in works for patient, a in work.assessments}
        if not last:
            return
        async with self._connection.cursor() as cursor:
            async with cursor.copy(sql.COPY_SCORES) as copy:
                copy.set_types(sql.COPY_SCORES_TYPES)
                for (patient, time), a in last.items():
                    missing = ",".join(a.news2_missing)
                    risks = [a.risks.get(question) for question in QUESTIONS]
                    await copy.write_row((patient, time, a.news2, missing, a.anomaly, *risks))
            await cursor.execute(sql.ASSESSMENTS)

    async def _states(self, works: Sequence[Work]) -> None:
        rows = [(p, w.before.partition, *s) for w in works for p, s in w.snapshots.items()]
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await self._connection.execute(sql.STATES, columns)

    async def _unwatch(self, patients: list[str]) -> None:
        if patients:
            await self._connection.execute(sql.UNWATCH, (patients,))
            await self._connection.execute(sql.CLOSE, (patients,))

    async def _alerts(self, events: Sequence[AlertEvent]) -> None:
        touched = list({event.alert for event in events})
        if starts := [event for event in events if event.phase is Phase.START]:
            columns = (
                [e.patient for e in starts],
                [e.finding.rule for e in starts],
                [e.started for e in starts],
                [e.alert for e in starts],
                touched,
            )
            cursor = await self._connection.execute(sql.ORPHANS, columns)
            if cursor.rowcount:
                log.warning("open alerts without a watch were ended", count=cursor.rowcount)
        async with self._connection.cursor() as cursor:
            await cursor.executemany(sql.ALERTS, [_alert(event) for event in events])
            await cursor.executemany(sql.EVENTS, [_event(event) for event in events])

    async def _deliveries(self, events: Iterable[tuple[AlertEvent, Patient]]) -> None:
        rows = [
            (d.id, d.alert, d.number, d.channel, d.recipient, _json(d.measure))
            for event, patient in events
            for d in deliveries(event, patient, self._to.on_call)
        ]
        if rows:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(sql.DELIVERIES, rows)
            await self._connection.execute("NOTIFY vigie_due")

    async def _outbox(self, works: Sequence[Work]) -> None:
        rows: list[tuple[str, bytes | None, bytes]] = []
        for work in works:
            rows += [(self._to.alerts, e.patient.encode(), encode(e)) for e, _ in work.events]
            rows += [
                (self._to.rejected, r.device.encode() or None, encode(r)) for r in work.rejected
            ]
        if rows:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(sql.OUTBOX, rows)
            await self._connection.execute("NOTIFY vigie_outbox")

    async def _advance(
        self, works: Sequence[Work], stored: Counter[int], conflict: Counter[int]
    ) -> None:
        rows = [
            (
                work.after.next_offset,
                work.after.revision,
                work.after.tick,
                work.after.fed,
                work.received,
                stored[work.before.partition],
                work.received
                - work.refused
                - stored[work.before.partition]
                - conflict[work.before.partition],
                conflict[work.before.partition],
                work.refused,
                len(work.rejected),
                work.lost,
                self._topic,
                work.before.partition,
                work.before.next_offset,
            )
            for work in works
        ]
        async with self._connection.cursor() as cursor:
            await cursor.executemany(sql.ADVANCE, rows)
            if cursor.rowcount != len(rows):
                raise Fenced


def _alert(event: AlertEvent) -> tuple[object, ...]:
    ended = None if event.state is State.ACTIVE else event.time
    rule, kind = event.finding.rule, event.kind
    return (
        event.alert,
        event.patient,
        rule,
        kind,
        event.priority,
        event.state,
        event.started,
        ended,
    )


def _event(event: AlertEvent) -> tuple[object, ...]:
    finding = _json(event.finding)
    return (
        event.alert,
        event.number,
        event.time,
        event.phase,
        event.state,
        event.priority,
        finding,
        event.reason,
    )


def _json(value: object) -> str | None:
    return None if value is None else encode(value).decode()
