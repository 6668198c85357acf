"""The registry's topic: what stands in it, and whether every gateway knows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ingest import kafka
from ingest.codec import Tick, decode_record, decode_registry
from ingest.ports import MalformedRecord

if TYPE_CHECKING:
    from ingest.registry.entities import Entity

# A gateway that runs has ticked within so long (it does so every two seconds).
ALIVE = timedelta(seconds=6)
# How long a running gateway may take to follow; it needs a few milliseconds.
CONFIRM_SECONDS = 10.0


async def everything(address: str, topic: str = kafka.REGISTRY) -> dict[bytes, Entity]:
    """Read the registry as it is now, by key. Raises LogUnavailable."""
    found: dict[bytes, Entity] = {}
    async with kafka.reading(address, topic) as reader:
        end = (await reader.ends())[0]
        reader.seek({0: 0})
        while (await reader.places())[0] < end:
            for record in await reader.take():
                if record.key is None:
                    continue
                found.pop(record.key, None)
                if record.value is not None:
                    try:
                        found[record.key] = decode_registry(record.value)
                    except MalformedRecord:
                        continue  # every reader goes past it
    return found


async def revision(address: str, topic: str = kafka.REGISTRY) -> int:
    """Return the revision that holds from now on: the place after the newest record.

    Raises LogUnavailable.
    """
    async with kafka.reading(address, topic) as reader:
        return (await reader.ends())[0]


async def confirmed(address: str, revision: int, seconds: float = CONFIRM_SECONDS) -> list[str]:
    """Wait until every gateway that runs accepts messages under this revision; returns who does.

    An empty list: no gateway runs. Raises TimeoutError when one does not follow.
    """
    began = datetime.now(UTC)
    newest: dict[str, Tick] = {}
    async with kafka.reading(address, kafka.READINGS, only=(0,)) as reader:
        await reader.seek_time(began - ALIVE)
        ends = await reader.ends()
        async with asyncio.timeout(seconds):
            while True:
                for record in await reader.take():
                    tick = _tick(record.value)
                    if tick is not None:
                        newest[tick.gateway] = tick
                now = datetime.now(UTC)
                # One that has stopped ticking meanwhile accepts nothing, so it need not follow.
                alive = [tick for tick in newest.values() if now - tick.time < ALIVE]
                caught_up = (await reader.places())[0] >= ends[0]
                follow = caught_up and all(tick.revision >= revision for tick in alive)
                # With nobody there, a gateway that is just starting gets time for its tick.
                if follow and (alive or now - began > ALIVE / 2):
                    return sorted(tick.gateway for tick in alive)


def _tick(value: bytes | None) -> Tick | None:
    try:
        record = decode_record(value)
    except MalformedRecord:
        return None
    return record if isinstance(record, Tick) else None
