"""The audit log's newest hash, written beside each change into the registry's topic.

Who can write to the database could cut the log's end off, or write it anew from some entry on, with
hashes that fit. What Kafka has been told cannot be taken back from there: an *anchor* is a header
of a record of `vigie.registry` that says which hash the log's newest entry had at that time. It
stays for as long as the record, a week at least, and the newest one for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ingest import kafka
from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.registry.database import AsyncConnection, Connection

HEADER = "audit"
# So much of the first entry's hash tells one database's log from another's.
LOG_DIGITS = 16
ENDS = """
SELECT number, encode(hash, 'hex') FROM internal.audit
WHERE number = 1 OR number = (SELECT max(number) FROM internal.audit) ORDER BY number"""


class NotAsPublished(VigieError):
    """The audit log is not the one of which the registry's topic tells."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"the audit log has not the entry {number} that vigie.registry tells of: its end was "
            "cut off, it was written anew, or the database is a backup's"
        )
        self.number = number


class Anchor(NamedTuple):
    """What the topic tells: `log` begins with this, and its entry `number` has this hash (hex)."""

    log: str
    number: int
    digest: str


async def headers(connection: AsyncConnection) -> list[tuple[str, bytes]]:
    """Make the header for records that are published now; none while the log is empty."""
    rows = await (await connection.execute(ENDS)).fetchall()
    if not rows:
        return []
    (_, first), (number, digest) = rows[0], rows[-1]
    return [(HEADER, f"{first[:LOG_DIGITS]}:{number}:{digest}".encode())]


async def read(address: str, topic: str = kafka.REGISTRY) -> list[Anchor]:
    """Read what the topic still tells, oldest first. Raises LogUnavailable."""
    found: dict[Anchor, None] = {}
    async with kafka.reading(address, topic) as reader:
        end = (await reader.ends())[0]
        reader.seek({0: 0})
        while (await reader.places())[0] < end:
            for record in await reader.take():
                for name, value in record.headers:
                    anchor = _anchor(value) if name == HEADER else None
                    if anchor is not None:
                        found.pop(anchor, None)
                        found[anchor] = None
    return list(found)


def check(connection: Connection, anchors: Sequence[Anchor]) -> int:
    """Hold the log against what the topic tells of it; returns how many anchors fit.

    The newest anchor must be of this log; older ones may be of another, as when a database was made
    anew beside an old topic. Raises NotAsPublished.
    """
    numbers = [1, *(anchor.number for anchor in anchors)]
    known: dict[int, str] = dict(
        connection.execute(
            "SELECT number, encode(hash, 'hex') FROM internal.audit WHERE number = ANY(%s)",
            (numbers,),
        ).fetchall()
    )
    log = known.get(1, "")[:LOG_DIGITS]
    own = [anchor for anchor in anchors if anchor.log == log or anchor is anchors[-1]]
    for anchor in own:
        if known.get(anchor.number) != anchor.digest:
            raise NotAsPublished(anchor.number)
    return len(own)


def _anchor(value: bytes) -> Anchor | None:
    log, _, rest = value.decode(errors="replace").partition(":")
    number, _, digest = rest.partition(":")
    return Anchor(log, int(number), digest) if number.isdecimal() else None
