"""The database's schema: numbered SQL files, applied in order, once each, and never changed after.

Each file runs in a transaction of its own, under an advisory lock, so that any number of processes
may ask for it at once; `internal.migration` records what was applied, with the file's checksum.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251 (the schema's side of this folder's one adapter)

from ingest.readings import SPECS
from streams.errors import SchemaMismatch, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FOLDER = Path(__file__).resolve().parent.parent / "deploy" / "timescale"
# "vigie" in ASCII: any number will do that nobody else uses in this database.
LOCK = 0x7669676965
# How often a database that does not answer is asked again.
PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file: its number, name, text, and the checksum that is recorded with it."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """One migration, and how it stands in the database: applied, pending or changed."""

    migration: Migration
    state: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Read the SQL files in order. Raises SchemaMismatch when their numbers have a gap."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        number = re.match(r"(\d{4})_", path.name)
        if number is None or int(number[1]) != len(found) + 1:
            raise SchemaMismatch(f"{path.name} is not number {len(found) + 1:04}")
        found.append(Migration(int(number[1]), path.name, path.read_text(encoding="utf-8")))
    return found


def status(database: str, folder: Path = FOLDER) -> list[Standing]:
    """Say how each migration stands. Raises StoreUnavailable."""
    with _Connected(database) as connection:
        recorded = _recorded(connection)
    return list(_standings(migrations(folder), recorded))


def check(database: str, folder: Path = FOLDER) -> None:
    """Raise SchemaMismatch unless every migration was applied, and as it is now."""
    for standing in status(database, folder):
        if standing.state != "applied":
            raise SchemaMismatch(f"{standing.migration.name} is {standing.state} in the database")


def migrate(
    database: str,
    places: Mapping[str, int],
    *,
    folder: Path = FOLDER,
    applied: Callable[[str], None] = lambda _name: None,
) -> None:
    """Apply what is pending, and fill in the vitals and the rows of progress.

    `places` are the topics that the worker reads, with their number of partitions; `applied` is
    told each file's name. Raises SchemaMismatch when an applied file was changed since, and
    StoreUnavailable; a file that fails leaves no trace.
    """
    with _Connected(database) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS internal")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS internal.migration (number int PRIMARY KEY,"
            " name text NOT NULL, checksum text NOT NULL,"
            " applied timestamptz NOT NULL DEFAULT now())"
        )
        for standing in _standings(migrations(folder), _recorded(connection)):
            if standing.state == "changed":
                raise SchemaMismatch(
                    f"{standing.migration.name} was changed after it was applied: "
                    "put the old text back, and the change into a new file"
                )
            if standing.state == "pending":
                _apply(connection, standing.migration)
                applied(standing.migration.name)
        _fill(connection, places)


def wait(database: str, seconds: float, said: Callable[[str], None]) -> None:
    """Wait until the database answers. `said` is told why not, once per reason.

    Raises StoreUnavailable after so many seconds.
    """
    until, last = monotonic() + seconds, ""
    while True:
        try:
            with _Connected(database) as connection:
                connection.execute("SELECT 1")
        except StoreUnavailable as error:
            if monotonic() >= until:
                raise
            if str(error) != last:
                last = str(error)
                said(last)
            sleep(PATIENCE_SECONDS)
        else:
            return


class _Connected:
    """A connection that commits each statement, with psycopg's errors turned into ours."""

    def __init__(self, database: str) -> None:
        self._database = database

    def __enter__(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            self._connection = psycopg.connect(
                self._database, autocommit=True, connect_timeout=5, application_name="vigie-schema"
            )
        except psycopg.Error as error:
            raise StoreUnavailable(f"the database does not answer: {error}") from None
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        if isinstance(error, psycopg.OperationalError):
            raise StoreUnavailable(f"the database went away: {error}") from None
        if isinstance(error, psycopg.Error):
            raise SchemaMismatch(f"the database refuses the schema: {error}") from None


def _recorded(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[int, str]:
    found = connection.execute("SELECT to_regclass('internal.migration')").fetchone()
    if found is None or found[0] is None:
        return {}
    rows = connection.execute("SELECT number, checksum FROM internal.migration").fetchall()
    return dict(rows)


def _standings(known: Sequence[Migration], recorded: Mapping[int, str]) -> Iterator[Standing]:
    for migration in known:
        checksum = recorded.get(migration.number)
        if checksum is None:
            yield Standing(migration, "pending")
        else:
            same = checksum == migration.checksum
            yield Standing(migration, "applied" if same else "changed")
    if newer := sorted(set(recorded) - {migration.number for migration in known}):
        raise SchemaMismatch(
            f"the database has migration {newer[-1]:04}, which this version does not know: "
            "it belongs to a newer Vigie"
        )


def _apply(connection: psycopg.Connection[tuple[Any, ...]], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.text.encode())
        connection.execute(
            "INSERT INTO internal.migration (number, name, checksum) VALUES (%s, %s, %s)",
            (migration.number, migration.name, migration.checksum),
        )


def _fill(connection: psycopg.Connection[tuple[Any, ...]], places: Mapping[str, int]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO internal.vital (name, loinc, unit) VALUES (%s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET loinc = excluded.loinc, unit = excluded.unit",
            [(str(vital), spec.loinc, spec.unit) for vital, spec in SPECS.items()],
        )
        cursor.executemany(
            "INSERT INTO internal.progress (topic, partition) VALUES (%s, %s) "
            "ON CONFLICT DO NOTHING",
            [(topic, p) for topic, count in places.items() for p in range(count)],
        )
