"""Dealing with entries on the real log: one replay, or one drop, from beginning to end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ingest import kafka
from ingest.door import Door
from ingest.ports import MalformedRecord
from ingest.quarantine import search
from ingest.quarantine.records import Entry, Name, NoSuchEntry, Outcome, Settled, Wanted, decode
from ingest.quarantine.replay import Account, Replay, mark
from ingest.registry.follower import Follower

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from datetime import datetime

    from ingest.formats.catalogue import Formats
    from ingest.registry.memory import Registry

# Marks that are written and acknowledged together.
MARKS = 500


async def replay(
    address: str,
    formats: Formats,
    wanted: Wanted,
    *,
    by: str,
    now: datetime,
    check: bool = False,
    tell: Callable[[int, int], object] = lambda _done, _of: None,
) -> Account:
    """Bring the open entries that are asked for to the door again, the oldest first.

    With `check` nothing is sent. `tell` hears how many are done, of how many. A replay that is
    broken off leaves open what it had not finished. Raises LogUnavailable, NoSuchEntry.
    """
    names = await _names(address, wanted)
    if not names:
        return Account()
    producing = _nothing() if check else kafka.producing(address)
    async with registry(address) as known, producing as sink:
        work = Replay(Door(known, formats), known, sink, by, now)
        async for entry in _entries(address, names):
            await work.take(entry)
            tell(work.account.entries, len(names))
        await work.flush()
    return work.account


async def drop(address: str, wanted: Wanted, *, by: str, now: datetime, why: str = "") -> int:
    """Mark the open entries that are asked for as not needed; returns how many there were.

    Their bytes stay in the log until its retention ends. Raises LogUnavailable, NoSuchEntry.
    """
    names = await _names(address, wanted)
    async with kafka.producing(address) as sink:
        for begin in range(0, len(names), MARKS):
            some = names[begin : begin + MARKS]
            await mark(sink, some, Outcome.DROPPED, by, now, why)
    return len(names)


@asynccontextmanager
async def registry(address: str) -> AsyncIterator[Registry]:
    """Follow the registry for a while; it is whole when this begins."""
    follower = Follower(address)
    following = asyncio.create_task(follower.run())
    try:
        await follower.caught_up()
        yield follower.registry
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _names(address: str, wanted: Wanted) -> list[Name]:
    """Find the entries; one that was asked for by its name must be there, and open."""
    names = await search.names(address, wanted)
    missing = set(wanted.names or ()) - set(names)
    if missing:
        raise NoSuchEntry(f"no open entry {', '.join(map(str, sorted(missing)))}: nothing was done")
    return names


async def _entries(address: str, names: Collection[Name]) -> AsyncIterator[Entry]:
    """Read these entries with their payloads; those of one device come in their order."""
    left = set(names)
    numbers = sorted({name.partition for name in left})
    bottoms = {n: min(name.offset for name in left if name.partition == n) for n in numbers}
    tops = {n: max(name.offset for name in left if name.partition == n) + 1 for n in numbers}
    async with kafka.reading(address, kafka.REJECTED, numbers) as reader:
        async for record in search.between(reader, bottoms, tops):
            name = Name(record.partition, record.offset)
            if name not in left:
                continue
            with suppress(MalformedRecord):
                decoded = decode(record.value)
                if not isinstance(decoded, Settled):
                    yield Entry(name, decoded, len(decoded.payload))


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield None
