"""The worker's side of TimescaleDB: the one transaction that carries a batch.

A transaction locks the progress rows of its partitions, in order of partition; so a second owner of
a partition waits, and then finds that the place has moved. It ends with a compare-and-set of each
place. Statements are prepared by psycopg after a few uses; rows of readings travel by binary COPY.
"""

from __future__ import annotations

import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251 (this is the one adapter of this folder)

from streams import statements as sql
from streams.errors import Busy, StoreUnavailable, Unstorable
from streams.lanes import LIVE
from streams.transaction import Destinations, Transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from streams.lanes import Lane
    from streams.ledger import Account
    from streams.samples import Series

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# Outside these a connection counts as dead: seconds, and milliseconds for tcp_user_timeout.
LIMITS: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    # A batch takes well under a second; a lock that is never given up must not hold us for ever.
    "options": "-c statement_timeout=60s -c idle_in_transaction_session_timeout=60s",
}

# A value that a column or an index cannot hold, or that psycopg cannot encode. Of a patient in two
# partitions (a log whose number of partitions was changed) one transaction can hold one state only.
UNSTORABLE = (
    psycopg.errors.CardinalityViolation,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    UnicodeEncodeError,
    OverflowError,
    struct.error,
)


class Store:
    """One connection to the database, made when it is needed and again after it was lost."""

    def __init__(
        self, database: str, topic: str, destinations: Destinations, lane: Lane = LIVE
    ) -> None:
        self._database = database
        self._settings = LIMITS | {
            "options": f"{LIMITS['options']} -c lock_timeout={lane.lock_wait_ms}",
            "application_name": "vigie-worker" if lane is LIVE else f"vigie-{lane.name}",
        }
        self._topic = topic
        self._to = destinations
        self._connection: Connection | None = None
        self._series: Series = {}  # only what was committed

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; it commits at the end, and rolls back when the body raises.

        Raises StoreUnavailable when the database is away or gives up, Busy when it must be tried
        again at once, and Unstorable when it refuses a value. None quotes what the database said:
        that may hold a value.
        """
        try:
            connection = await self._connected()
            transaction = Transaction(connection, self._topic, self._to, self._series)
            async with connection.transaction():
                yield transaction
        except psycopg.errors.ForeignKeyViolation as error:
            if self._series:
                # An erased patient's series are gone, and the pseudonym is used again: ask anew.
                self._series.clear()
                raise Busy from None
            raise Unstorable(_named(error)) from None
        except UNSTORABLE as error:
            raise Unstorable(_named(error)) from None
        except psycopg.errors.LockNotAvailable:
            raise Busy from None
        except psycopg.Error as error:
            raise StoreUnavailable(_named(error)) from None
        for (patient, device), numbers in transaction.samples.numbered.items():
            self._series.setdefault((patient, device), {}).update(numbers)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = await psycopg.AsyncConnection.connect(
                self._database, autocommit=True, **self._settings
            )
            try:
                await connection.execute(sql.INCOMING)
            except BaseException:
                await connection.close()  # without its table it would be of no use
                raise
            self._connection = connection
        return self._connection


async def places(database: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Read the next offset of each partition, over a connection of its own.

    Raises StoreUnavailable, and SchemaMismatch when a partition has no row.
    """
    store = Store(database, topic, Destinations("", "", ""))
    try:
        async with store.transaction() as transaction:
            found = await transaction.progress(partitions, lock=False)
    finally:
        await store.close()
    return {partition: progress.next_offset for partition, progress in found.items()}


async def ledger(database: str) -> Account:
    """Read the account of every partition, and count the rows. Raises StoreUnavailable."""
    store = Store(database, "", Destinations("", "", ""))
    try:
        async with store.transaction() as transaction:
            return await transaction.ledger()
    finally:
        await store.close()


def _named(error: Exception) -> str:
    """Name an error without what the server wrote: its detail may quote a row."""
    state = getattr(error, "sqlstate", None)
    if state:
        return f"{type(error).__name__} (SQLSTATE {state})"
    return f"the database named by VIGIE_DATABASE does not answer ({type(error).__name__})"
