"""The journal of what must be said and what was said: deliveries and outbox in the database.

The only module of this folder that speaks to PostgreSQL. It survives the database's absence: every
call raises JournalUnavailable while it lasts, and works again afterwards.

    VigieError
    └── JournalUnavailable   retryable   the database does not answer, or is not migrated yet
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psycopg  # noqa: TID251 (this is the folder's one adapter)
import structlog
from psycopg_pool import AsyncConnectionPool  # noqa: TID251 (as above)

from alerts.delivery import Delivery, Due, Measure
from alerts.events import AlertEvent, Channel, DeliveryState
from alerts.trouble import Trouble
from detectors.findings import Finding, Priority
from ingest.ports import VigieError
from ingest.registry.entities import Purpose

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

log = structlog.get_logger()
# The pool says each failed attempt to connect; we say the trouble once.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

# How long a claimed delivery is left to its dispatcher; longer than a send and its settling take.
LEASE = timedelta(seconds=30)
# A database that has gone must not hold a dispatcher: connecting, waiting, and one statement.
CONNECT_SECONDS, WAIT_SECONDS, STATEMENT_SECONDS = 3, 3.0, 10
# How soon a lost LISTEN connection is made anew; deliveries are looked for every second anyway.
AGAIN_SECONDS = 1.0
# "vigie outbox", shortened: any number that nobody else locks in this database.
RELAY_LOCK = 0x7669676F7574

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM internal.delivery
    WHERE state = 'queued' AND channel = %(channel)s AND due <= now()
      AND (leased_until IS NULL OR leased_until <= now())
    ORDER BY due LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
claimed AS (
    UPDATE internal.delivery AS d
    SET leased_until = now() + %(lease)s, attempts = d.attempts + 1
    FROM picked WHERE d.id = picked.id RETURNING d.*)
SELECT c.id, c.alert, c.number, c.recipient, c.measure::text, c.attempts, c.created,
       c.leased_until, a.patient, a.started, e.phase, e.state, e.priority, e.time, e.finding::text,
       CASE WHEN p.id IS NOT NULL
            THEN ARRAY(SELECT purpose FROM public.consents WHERE patient = p.id) END
FROM claimed AS c
JOIN internal.alert AS a ON a.id = c.alert
LEFT JOIN internal.alert_event AS e ON e.alert = c.alert AND e.number = c.number
LEFT JOIN internal.patient AS p ON p.id = a.patient
ORDER BY c.due"""
SETTLE = """
UPDATE internal.delivery SET state = %s, reason = %s, settled = now(), leased_until = NULL
WHERE id = %s AND state = 'queued'"""
# A lease that has passed to another dispatcher is no longer ours to give back.
PUT_BACK = """
UPDATE internal.delivery SET due = now() + %s, reason = %s, leased_until = NULL
WHERE id = %s AND state = 'queued' AND leased_until = %s"""
RELEASE = """
UPDATE internal.delivery SET attempts = attempts - 1, leased_until = NULL
WHERE id = %s AND state = 'queued' AND leased_until = %s"""
COUNTS = """
SELECT 'alert', priority, count(*) FROM internal.alert WHERE ended IS NULL GROUP BY priority
UNION ALL
SELECT 'due', channel, count(*) FROM internal.delivery WHERE state = 'queued' GROUP BY channel
UNION ALL
SELECT 'outbox', '', count(*) FROM internal.outbox"""


class JournalUnavailable(VigieError):
    """The database does not answer, or is not migrated yet. Nothing was changed: try again."""

    retryable = True

    def __init__(self, error: BaseException) -> None:
        # The kind only: the database's own words may quote a row.
        super().__init__(f"the database does not take this now ({type(error).__name__})")


class Counts(NamedTuple):
    """How things stand: open alerts by priority, waiting deliveries by channel, waiting records."""

    alerts: dict[Priority, int]
    due: dict[Channel, int]
    outbox: int


class Record(NamedTuple):
    """A record of the outbox, for Kafka."""

    id: int
    topic: str
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox, seen over one connection that holds the relay's lock while it is `ours`."""

    _connection: Connection

    async def ours(self) -> bool:
        """Try to become the one relay; false while another is. Ask again only after a false."""
        cursor = await self._connection.execute("SELECT pg_try_advisory_lock(%s)", (RELAY_LOCK,))
        return bool(((await cursor.fetchone()) or (False,))[0])

    async def take(self, limit: int) -> list[Record]:
        """Return the oldest records; they stay until deleted."""
        cursor = await self._connection.execute(
            "SELECT id, topic, key, value FROM internal.outbox ORDER BY id LIMIT %s", (limit,)
        )
        return [Record(*row) for row in await cursor.fetchall()]

    async def delete(self, records: Sequence[Record]) -> None:
        """Forget records that Kafka has acknowledged."""
        ids = [record.id for record in records]
        await self._connection.execute("DELETE FROM internal.outbox WHERE id = ANY(%s)", (ids,))


class Journal:
    """The deliveries in the database; any number of journals may work on them at once.

    database: a libpq URL. Open it before use, close it after.
    """

    def __init__(self, database: str, *, lease: timedelta = LEASE) -> None:
        self._database, self._lease = database, lease
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "application_name": "vigie-dispatcher",
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": STATEMENT_SECONDS * 1000,
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s",
        }
        # Short attempts: after a long outage the next claim must not wait out a long back-off.
        self._pool = AsyncConnectionPool(
            database,
            kwargs=self._settings,
            min_size=1,
            max_size=4,
            open=False,
            timeout=WAIT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
        )

    async def open(self) -> None:
        """Begin to connect; returns at once, whether the database answers or not."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def claim(self, channel: Channel, limit: int) -> list[Due]:
        """Take up to `limit` due deliveries of a channel, oldest first, under a lease.

        Nobody else gets them until the lease ends. One that cannot be read is settled as failed.
        """
        values = {"channel": channel, "limit": limit, "lease": self._lease}
        async with self._connection() as connection:
            cursor = await connection.execute(CLAIM, values)
            rows = await cursor.fetchall()
        found = []
        for row in rows:
            try:
                found.append(_due(channel, row))
            except (msgspec.ValidationError, msgspec.DecodeError, ValueError, TypeError):
                log.error("a delivery cannot be read", delivery=str(row[0]))  # noqa: TRY400 (its text may quote the measure)
                async with self._connection() as connection:
                    await connection.execute(SETTLE, (DeliveryState.FAILED, "unreadable", row[0]))
        return found

    async def settle(self, due: Due, state: DeliveryState, reason: str | None = None) -> None:
        """Write down how a delivery ended. One that was settled before stays as it is."""
        async with self._connection() as connection:
            await connection.execute(SETTLE, (state, reason, due.delivery.id))

    async def put_back(self, due: Due, delay: timedelta, reason: str) -> None:
        """Let it be tried again after a delay; does nothing once the lease is another's."""
        values = (delay, reason, due.delivery.id, due.leased_until)
        async with self._connection() as connection:
            await connection.execute(PUT_BACK, values)

    async def release(self, due: Due) -> None:
        """Give back a delivery that was claimed and not tried to the end."""
        async with self._connection() as connection:
            await connection.execute(RELEASE, (due.delivery.id, due.leased_until))

    async def counts(self) -> Counts:
        """Count what is open and what waits; each priority and channel is there."""
        counts = Counts(dict.fromkeys(Priority, 0), dict.fromkeys(Channel, 0), 0)
        async with self._connection() as connection:
            rows = await (await connection.execute(COUNTS)).fetchall()
        for what, label, count in rows:
            if what == "alert":
                counts.alerts[Priority(label)] = count
            elif what == "due":
                counts.due[Channel(label)] = count
            else:
                counts = counts._replace(outbox=count)
        return counts

    async def listen(self, due: Callable[[], None], outbox: Callable[[], None]) -> None:
        """Call back whenever the worker has committed something new, until cancelled.

        Calls both after each new connection too, for what was missed. A help against latency only:
        whoever relies on it must look by himself now and then.
        """
        trouble = Trouble("not listening to the database")
        while True:
            try:
                async with self._own_connection() as connection:
                    await connection.execute("LISTEN vigie_due")
                    await connection.execute("LISTEN vigie_outbox")
                    trouble.over()
                    due()
                    outbox()
                    async for notice in connection.notifies():
                        (due if notice.channel == "vigie_due" else outbox)()
            except JournalUnavailable as error:
                trouble.because(error)
            await asyncio.sleep(AGAIN_SECONDS)

    @asynccontextmanager
    async def outbox(self) -> AsyncIterator[Outbox]:
        """Open the outbox on a connection of its own; its lock ends with it."""
        async with self._own_connection() as connection:
            yield Outbox(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.Error as error:
            raise JournalUnavailable(error) from None

    @asynccontextmanager
    async def _own_connection(self) -> AsyncIterator[Connection]:
        try:
            async with await psycopg.AsyncConnection.connect(
                self._database, **self._settings
            ) as connection:
                yield connection
        except psycopg.Error as error:
            raise JournalUnavailable(error) from None


def _due(channel: Channel, row: tuple[Any, ...]) -> Due:
    (name, alert, number, recipient, measure, attempts, created, leased_until) = row[:8]
    patient, started, phase, state, priority, time, found, consents = row[8:]
    finding = msgspec.json.decode(found, type=Finding)
    event = msgspec.convert(
        {
            "schema": "alert/1",
            "alert": alert,
            "number": number,
            "patient": patient,
            "phase": phase,
            "state": state,
            "priority": priority,
            "kind": finding.kind,
            "time": time,
            "started": started,
            "finding": finding,
        },
        AlertEvent,
    )
    said = msgspec.json.decode(measure, type=Measure) if measure is not None else None
    delivery = Delivery(name, alert, number, channel, recipient, said)
    agreed = None if consents is None else frozenset(Purpose(one) for one in consents)
    return Due(delivery, event, attempts, created, leased_until, agreed)
