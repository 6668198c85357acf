"""Finding entries in `vigie.rejected`: the newest first for people, all of them for a replay."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import structs

from ingest import kafka
from ingest.ports import MalformedRecord
from ingest.quarantine.records import Entry, Name, NoSuchEntry, Settled, Wanted, decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ingest.codec import Rejected
    from ingest.readings import Refusal

# Records of a partition that are read in one step backwards, at first; each step doubles it.
STEP = 500

T = TypeVar("T")


async def newest(address: str, limit: int, reason: Refusal | None = None) -> list[Rejected]:
    """Return the newest refused messages, open or not, newest first. Raises LogUnavailable."""
    found = await newest_entries(address, limit, Wanted(reason, settled=True), payloads=True)
    return [entry.rejected for entry in found]


async def newest_entries(
    address: str, limit: int, wanted: Wanted, *, payloads: bool = False
) -> list[Entry]:
    """Return the newest entries that are asked for, newest first. Raises LogUnavailable.

    It reads backwards only as far as it must. Without `payloads` these are left out.
    """
    found = _Found(wanted, _whole if payloads else _without_payload)
    async with kafka.reading(address, kafka.REJECTED) as reader:
        floors, tops = await _floors(reader, wanted), await reader.ends()
        step = max(limit, STEP)
        while tops:
            bottoms = {number: max(floors[number], top - step) for number, top in tops.items()}
            async for record in between(reader, bottoms, tops):
                found.take(record)
            tops = {
                number: bottom
                for number, bottom in bottoms.items()
                if bottom > floors[number] and not found.enough(number, limit)
            }
            step *= 2
    entries = [replace(entry, settled=mark) for entry, mark in found.all()]
    return sorted(entries, key=lambda one: one.rejected.time, reverse=True)[:limit]


async def show(address: str, name: Name) -> Entry:
    """Return one entry with its payload. Raises NoSuchEntry, LogUnavailable."""
    if name.partition >= kafka.TOPICS[kafka.REJECTED][0]:
        raise NoSuchEntry(f"the quarantine has no entry {name}")
    found = _Found(Wanted(names=[name], settled=True), _whole)
    async with kafka.reading(address, kafka.REJECTED, [name.partition]) as reader:
        ends = await reader.ends()
        async for record in between(reader, {name.partition: name.offset}, ends):
            found.take(record)
    for entry, mark in found.all():
        return replace(entry, settled=mark)
    raise NoSuchEntry(f"the quarantine has no entry {name}")


async def names(address: str, wanted: Wanted) -> list[Name]:
    """Return the names of the entries that are asked for, the oldest refusal first.

    Reads the whole of the topic, or all since `wanted.since`. Raises LogUnavailable.
    """
    found = _Found(wanted, lambda name, rejected: (rejected.time, name))
    async with kafka.reading(address, kafka.REJECTED) as reader:
        floors = await _floors(reader, wanted)
        async for record in between(reader, floors, await reader.ends()):
            found.take(record)
    return [name for (_, name), _ in sorted(found.all(), key=lambda one: one[0])[: wanted.oldest]]


async def between(
    reader: kafka.Reader, bottoms: dict[int, int], tops: dict[int, int]
) -> AsyncIterator[kafka.Record]:
    """Read each partition from its bottom up to, and not including, its top.

    Partitions without a top are not read.
    """
    ends = await reader.ends()
    reader.seek({number: bottoms.get(number, end) for number, end in ends.items()})
    left = {number for number, top in tops.items() if bottoms[number] < top}
    while left:
        for record in await reader.take():
            if record.partition in left and record.offset < tops[record.partition]:
                yield record
        places = await reader.places()
        done = {number for number in left if places[number] >= tops[number]}
        # What is read to its top would go on and on while the others are not there yet.
        reader.seek({number: ends[number] for number in done})
        left -= done


async def _floors(reader: kafka.Reader, wanted: Wanted) -> dict[int, int]:
    """Where to begin: a record is written after its refusal, so none of `since` lies before."""
    if wanted.since is None:
        return await reader.starts()
    await reader.seek_time(wanted.since)
    return await reader.places()


class _Found(Generic[T]):
    """Entries and marks, as they come from steps that go backwards through the topic.

    Of each entry that is asked for, `keep` says what is remembered.
    """

    def __init__(self, wanted: Wanted, keep: Callable[[Name, Rejected], T]) -> None:
        self._wanted, self._keep = wanted, keep
        self._found: dict[Name, T] = {}
        # A mark always lies behind its entry: in the same step, or in one that was read before.
        self._marks: dict[Name, Settled] = {}

    def take(self, record: kafka.Record) -> None:
        try:
            decoded = decode(record.value)
        except MalformedRecord:
            return
        name = Name(record.partition, record.offset)
        if isinstance(decoded, Settled):
            self._marks[Name(record.partition, decoded.offset)] = decoded
        elif self._wanted.takes(name, decoded):
            self._found[name] = self._keep(name, decoded)

    def all(self) -> list[tuple[T, Settled | None]]:
        """Return what was kept, with its mark."""
        return [
            (kept, self._marks.get(name))
            for name, kept in self._found.items()
            if self._wanted.settled or name not in self._marks
        ]

    def enough(self, partition: int, limit: int) -> bool:
        """Whether so many entries of this partition are there."""
        there = (
            name.partition == partition and (self._wanted.settled or name not in self._marks)
            for name in self._found
        )
        return sum(there) >= limit


def _whole(name: Name, rejected: Rejected) -> Entry:
    return Entry(name, rejected, len(rejected.payload))


def _without_payload(name: Name, rejected: Rejected) -> Entry:
    return Entry(name, structs.replace(rejected, payload=b""), len(rejected.payload))
