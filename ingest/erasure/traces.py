"""Where a patient's pseudonym still stands: in every table of the database, and in every topic.

Nothing here knows the tables: columns come from the database's own catalogue, so that a table which
is added later cannot be forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ingest import kafka
from ingest.codec import decode_rejected
from ingest.ports import MalformedRecord
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.registry.database import Connection

# Everything that can hold text: all but numbers, times, intervals, booleans and UUIDs. Chunks of
# hypertables are searched through their hypertable.
COLUMNS = """
SELECT format('%I.%I', n.nspname, c.relname), format('%I', a.attname),
       a.atttypid = 'bytea'::regtype
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND a.attnum > 0
  AND NOT a.attisdropped AND t.typcategory NOT IN ('N', 'D', 'T', 'B')
  AND a.atttypid <> 'uuid'::regtype AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '%timescaledb%'
ORDER BY 1, a.attnum"""
BATCH = 1000
# In bytes that are neither text nor msgpack a shorter name would be found by chance.
SHORTEST_IN_BYTES = 4
NEVER_MS = 2**63 - 1


class Left(msgspec.Struct, frozen=True):
    """A place that still names the patient, and in how many entries.

    `where` is `schema.table.column` or a topic. `until` (UTC) is when the last of them is gone at
    the latest, by the topic's own settings; None: they stay until somebody deletes them.
    """

    where: str
    count: int
    until: datetime | None = None


def in_tables(connection: Connection, patient: str) -> list[Left]:
    """Search every column of every table; reads them whole, so it takes as long as a dump."""
    tables: dict[str, list[tuple[str, bool]]] = {}
    for table, column, binary in connection.execute(COLUMNS):
        # A name with a per cent sign would be taken for a parameter.
        tables.setdefault(table, []).append((column.replace("%", "%%"), binary))
    found: Counter[str] = Counter()
    for table, columns in tables.items():
        found += _in_table(connection, table, columns, patient)
    return [Left(where, count) for where, count in sorted(found.items())]


def _in_table(
    connection: Connection, table: str, columns: list[tuple[str, bool]], patient: str
) -> Counter[str]:
    """Let the database find what may name the patient; decide here, where a name's end is known."""
    hits = [
        f"position(%(bytes)s::bytea IN {column}) > 0"
        if binary
        else f"strpos({column}::text, %(text)s) > 0"
        for column, binary in columns
    ]
    shown = ", ".join(
        f"CASE WHEN {hit} THEN {column if binary else f'{column}::text'} END"
        for hit, (column, binary) in zip(hits, columns, strict=True)
    )
    query = f"SELECT {shown} FROM {table.replace('%', '%%')} WHERE {' OR '.join(hits)}"  # noqa: S608 (names that the database quoted itself)
    found: Counter[str] = Counter()
    with connection.transaction(), connection.cursor("traces") as cursor:
        cursor.itersize = BATCH
        cursor.execute(query.encode(), {"bytes": patient.encode(), "text": patient})
        for row in cursor:
            for (column, _), value in zip(columns, row, strict=True):
                if value is not None and names(value, patient):
                    found[f"{table}.{column}"] += 1
    return found


def names(value: str | bytes, patient: str) -> bool:
    """Whether a text or bytes name this patient, and not one whose name is longer.

    >>> names('{"patient":"p-1"}', "p-1"), names("p-10", "p-1"), names("it was p-1.", "p-1")
    (True, False, True)
    """
    if isinstance(value, str):
        return _pattern(patient).search(value) is not None
    if patient.encode() not in value:
        return False
    try:
        return names(value.decode(), patient)
    except UnicodeDecodeError:
        pass
    try:
        return any(names(text, patient) for text in _texts(msgspec.msgpack.decode(value)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Neither text nor msgpack: where a name ends cannot be told.
        return len(patient) >= SHORTEST_IN_BYTES


def concerns(value: str | bytes, patient: str) -> bool:
    """Whether an entry is about this patient, so that it may be taken away.

    A pseudonym that could be an ordinary word counts only where a patient is named by it.

    >>> concerns("moved to ward 7", "ward"), concerns("patient:ward", "ward")
    (False, True)
    >>> concerns("admission of p-0042", "p-0042")
    True
    """
    if not names(value, patient):
        return False
    if not _ordinary(patient):
        return True
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    name = re.escape(patient)
    return re.search(rf'\b(?:patient|identity):{name}$|"patient":"{name}"', text) is not None


def _ordinary(patient: str) -> bool:
    digits = any(letter.isdecimal() for letter in patient)
    return not digits or len(patient) < SHORTEST_IN_BYTES or patient in set(Vital)


def _texts(value: Any) -> Iterator[str | bytes]:
    """Give every text and all bytes that are somewhere in a decoded value."""
    if isinstance(value, str | bytes):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(list(pair))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _pattern(patient: str) -> re.Pattern[str]:
    # A point ends a sentence unless something follows it.
    return re.compile(rf"(?<![\w.-]){re.escape(patient)}(?![\w-]|\.\w)", re.ASCII)


async def in_topics(address: str, patient: str) -> list[Left]:
    """Read every topic from its beginning, and count the records that name the patient.

    Takes as long as Kafka needs to hand over all that it keeps. Raises LogUnavailable.
    """
    settings = await kafka.settings_of(address, tuple(kafka.TOPICS))
    found = []
    for topic, of_topic in settings.items():
        count, newest = await _in_topic(address, topic, patient)
        if count:
            found.append(Left(topic, count, gone(of_topic, newest)))
    return found


async def _in_topic(address: str, topic: str, patient: str) -> tuple[int, int]:
    count = newest = 0
    name = patient.encode()
    async with kafka.reading(address, topic) as reader:
        ends = await reader.ends()
        reader.seek(dict.fromkeys(ends, 0))
        while not await _read_all(reader, ends):
            for record in await reader.take():
                if record.offset < ends[record.partition] and _record_names(record, topic, name):
                    count, newest = count + 1, max(newest, record.written)
    return count, newest


async def _read_all(reader: kafka.Reader, ends: dict[int, int]) -> bool:
    places = await reader.places()
    return all(places[partition] >= end for partition, end in ends.items())


def _record_names(record: kafka.Record, topic: str, name: bytes) -> bool:
    for part in (record.key, record.value):
        if part is not None and name in part and names(part, name.decode()):
            return True
    if topic != kafka.REJECTED or record.value is None:
        return False
    try:  # the original bytes are in base64 there
        return names(decode_rejected(record.value).payload, name.decode())
    except MalformedRecord:
        return False


def gone(settings: dict[str, str], newest: int) -> datetime | None:
    """Say when a record written at `newest` (ms since 1970) is gone at the latest; None: never.

    Kafka deletes whole segments, so one record lives as long as the newest of its segment; and it
    compacts no segment that is still written to. (`segment.ms`, `retention.ms`,
    `max.compaction.lag.ms`, `delete.retention.ms` of the topic.)
    """

    def ms(name: str) -> int:
        return int(settings.get(name, "-1"))

    if settings.get("cleanup.policy") == "compact":
        lag = ms("max.compaction.lag.ms")
        # A tombstone names the patient too: it goes after the records that it removes.
        keeps = -1 if lag in {-1, NEVER_MS} else lag + ms("delete.retention.ms")
    else:
        keeps = ms("retention.ms")
    if keeps < 0:
        return None
    moment = datetime.fromtimestamp(newest / 1000, UTC)
    return moment + timedelta(milliseconds=keeps + max(0, ms("segment.ms")))
