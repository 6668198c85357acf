"""The registry's way to the database: the only module here that opens connections.

psycopg's errors end here, without the database's own words: those may quote a patient's row.

    VigieError
    └── RegistryUnavailable   retryable   the database does not answer, or is busy with a change
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251 (this is the registry's one adapter)

from ingest.ports import SettingError, VigieError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]

CONNECT_SECONDS = 5
# Longer than the largest import takes: another change waits for it, and then says so.
LOCK_SECONDS = 90
# A command that was suspended, or whose machine went away, must not keep others from withdrawing a
# consent: the server ends its session. Longer than Kafka may keep `publish` waiting.
SILENT_SECONDS = 80
_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{SILENT_SECONDS}s",
        "idle_session_timeout": f"{SILENT_SECONDS}s",
        "tcp_user_timeout": f"{SILENT_SECONDS}s",
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 10,
    }.items()
)
# "vigie r" in ASCII: any number that nobody else locks in this database.
CHANGE_LOCK = 0x76696769652072


class RegistryUnavailable(VigieError):
    """The database does not answer, or another change holds it. Try again later."""

    retryable = True


@contextmanager
def transaction(database: str, *, change: bool = False) -> Iterator[Connection]:
    """Open a connection and a transaction that commits when the block ends well.

    `change`: wait for every other change of the registry or its audit log, and keep others waiting
    until the end; ask for it before the first statement of a transaction that writes to them.
    Raises RegistryUnavailable, and SettingError when the schema is not there.
    """
    with _ours(), _connected(database) as connection, connection.transaction():
        if change:
            lock(connection)
        yield connection


@asynccontextmanager
async def connected(database: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that commits each statement. Raises as `transaction` does."""
    with _ours():
        connection = await psycopg.AsyncConnection.connect(
            database,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="vigie-registry",
            options=_OPTIONS,
        )
        try:
            yield connection
        finally:
            await connection.close()


def lock(connection: Connection) -> None:
    """Keep every other change waiting until this transaction ends; see `transaction`."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (CHANGE_LOCK,))


@contextmanager
def _connected(database: str) -> Iterator[Connection]:
    connection = psycopg.connect(
        database,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name="vigie-registry",
        options=_OPTIONS,
    )
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _ours() -> Iterator[None]:
    """Turn psycopg's errors into ours."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        raise SettingError(
            "the database has not the registry's tables: run `vigie database migrate`"
        ) from None
    except psycopg.errors.LockNotAvailable:
        raise RegistryUnavailable(
            "another change of the registry is under way: again later"
        ) from None
    except psycopg.OperationalError as error:
        raise RegistryUnavailable(
            f"the database does not answer ({type(error).__name__})"
        ) from None
    except psycopg.Error as error:
        raise RegistryUnavailable(f"the database refuses this ({_kind(error)})") from None
    except UnicodeEncodeError:  # half of a character, as a file's name or a terminal may have it
        raise SettingError("a text is not Unicode: the database cannot hold it") from None


def _kind(error: psycopg.Error) -> str:
    constraint = error.diag.constraint_name
    return f"{type(error).__name__}{f' of {constraint}' if constraint else ''}"
