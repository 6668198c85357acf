"""The audit log: every change, who made it and why, in a chain that shows tampering.

Each entry's hash is SHA-256 over the previous entry's hash and the entry's canonical JSON, so an
entry that is changed, taken out or put in breaks every hash from there on. What an entry tells is
in the chain as a salted hash of its own, `content`: so the words about a patient can be taken out
when the patient is erased, and the chain still holds. An erasure is an entry that names the entries
which it emptied; one that was emptied otherwise is noticed. What the chain by itself cannot show is
an end that was cut off, or a log written anew with hashes that fit: for that its newest hash goes
to Kafka with each change (`anchors.py`), and `vigie audit verify` prints it, to be kept elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.erasure.traces import concerns
from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ingest.registry.database import Connection

# The hash before the first entry.
GENESIS = bytes(32)
SALT_BYTES = 16
# The key of an erasure's own entry, and of those that it emptied: with the patient's mark behind.
ERASED = "erased:"
PAGE = 1000


class ChainBroken(VigieError):
    """The audit log is not what was written: `number` is the first entry that does not fit."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"the audit log is broken at entry {number}: {what}")
        self.number = number


class Erasure(msgspec.Struct, frozen=True):
    """What an erasure's entry tells: the numbers of the entries that it emptied."""

    entries: tuple[int, ...]


class CutOff(VigieError):
    """A hash that was printed once is not in the log any more."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"the audit log has no entry with the hash {digest}: its end was cut off")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `key` names what was changed (`patient:p-1`), `change` is canonical JSON.

    `time` is when it was recorded (UTC). Where an erasure took the words out, `key` says
    `erased:` and the patient's mark, `why` is empty and `change` is `{}`.
    """

    number: int
    time: datetime
    by: str
    why: str
    key: str
    change: str

    def content(self, salt: bytes) -> bytes:
        """Hash what the entry tells; without the salt, nothing can be guessed from it."""
        fields = {"why": self.why, "key": self.key, "change": msgspec.Raw(self.change.encode())}
        return sha256(salt + canonical(fields)).digest()

    def canonical(self, content: bytes) -> bytes:
        """Write the entry as the one JSON text that is hashed: sorted keys, no blanks."""
        fields = {
            "number": self.number,
            "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
            "by": self.by,
            "content": content.hex(),
        }
        return canonical(fields)

    def chained(self, previous: bytes, content: bytes) -> bytes:
        """Return the entry's hash, given the previous entry's and its content's."""
        return sha256(previous + self.canonical(content)).digest()


def canonical(value: Any) -> bytes:
    """Encode as JSON with sorted keys and no blanks: equal values are equal bytes.

    >>> canonical({"b": 1, "a": None})
    b'{"a":null,"b":1}'
    """
    return msgspec.json.encode(value, order="deterministic")


def append(
    connection: Connection,
    changes: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    by: str,
    why: str,
) -> None:
    """Add an entry per (key, change). The transaction must hold `database.lock`."""
    row = connection.execute(
        "SELECT number, hash FROM internal.audit ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, previous = row or (0, GENESIS)
    now, rows = datetime.now(UTC), []
    for key, change in changes:
        number += 1
        entry = Entry(number, now, by, why, key, canonical(change).decode())
        salt = os.urandom(SALT_BYTES)
        content = entry.content(salt)
        previous = entry.chained(previous, content)
        rows.append((number, now, by, why, key, entry.change, salt, content, previous))
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY internal.audit (number, time, by, why, key, change, salt, content, hash)"
            " FROM STDIN"
        ) as copy,
    ):
        for one in rows:
            copy.write_row(one)


def verify(connection: Connection) -> tuple[int, bytes]:
    """Walk the whole chain; returns how many entries, and the newest hash. Raises ChainBroken."""
    count, previous = 0, GENESIS
    emptied: set[int] = set()
    explained: set[int] = set()
    for entry, salt, content, recorded in _chain(connection):
        count += 1
        if entry.number != count:
            raise ChainBroken(count, "it is missing")
        if salt is None:
            emptied.add(count)
        elif entry.content(salt) != content:
            raise ChainBroken(count, "what it tells was changed")
        elif entry.key.startswith(ERASED):
            explained.update(msgspec.json.decode(entry.change, type=Erasure).entries)
        expected = entry.chained(previous, content)
        if recorded != expected:
            raise ChainBroken(count, "its content or an entry before it was changed")
        previous = expected
    if unexplained := emptied - explained:
        raise ChainBroken(min(unexplained), "it was emptied, and no erasure says so")
    return count, previous


def erase(connection: Connection, patient: str, mark: str, *, by: str, why: str) -> int:
    """Take out what any entry tells of a patient, and add the entry of the erasure.

    `mark` stands for the patient from there on. Returns how many entries were emptied. The
    transaction must hold `database.lock`, and its setting `vigie.erasing` must name the patient.
    """
    found, inherited = [], set[int]()
    for number, *texts in connection.execute(
        "SELECT number, key, why, change FROM internal.audit"
        " WHERE salt IS NOT NULL AND strpos(key || why || change, %s) > 0 ORDER BY number",
        (patient,),
    ).fetchall():
        if not any(concerns(text, patient) for text in texts):
            continue
        found.append(number)
        if texts[0].startswith(ERASED):
            # The reason of another's erasure names this patient: what it explained we explain now.
            inherited.update(msgspec.json.decode(texts[2], type=Erasure).entries)
    key = f"{ERASED}{mark}"
    connection.execute(
        "UPDATE internal.audit SET key = CASE WHEN starts_with(key, %s) THEN key ELSE %s END,"
        " why = '', change = '{}', salt = NULL WHERE number = ANY(%s)",
        (ERASED, key, found),
    )
    append(connection, [(key, {"entries": sorted({*found, *inherited})})], by=by, why=why)
    return len(found)


def contains(connection: Connection, digest: str) -> bool:
    """Whether an entry has this hash (hex)."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM internal.audit WHERE encode(hash, 'hex') = %s)",
        (digest.strip().lower(),),
    ).fetchone()
    return bool(row and row[0])


def newest(connection: Connection, limit: int, key: str | None = None) -> list[Entry]:
    """List the newest entries, newest first; only of what `key` names when it is given."""
    rows = connection.execute(
        "SELECT number, time, by, why, key, change FROM internal.audit"
        " WHERE %(key)s::text IS NULL OR key = %(key)s ORDER BY number DESC LIMIT %(limit)s",
        {"key": key, "limit": limit},
    )
    return [Entry(*row) for row in rows]


def _chain(connection: Connection) -> Iterator[tuple[Entry, bytes | None, bytes, bytes]]:
    with connection.cursor(name="audit") as cursor:
        cursor.itersize = PAGE
        cursor.execute(
            "SELECT number, time, by, why, key, change, salt, content, hash"
            " FROM internal.audit ORDER BY number"
        )
        for *fields, salt, content, recorded in cursor:
            yield Entry(*fields), salt, content, recorded
