"""Changing the registry of a running system, and waiting until every gateway knows."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ingest import kafka
from ingest.codec import Tick, decode_record, decode_registry, encode
from ingest.ports import MalformedRecord
from ingest.registry import Device, Patient, key

if TYPE_CHECKING:
    from collections.abc import Iterable


# A gateway that runs has ticked within so long (it does so every two seconds).
ALIVE = timedelta(seconds=6)
# How long a running gateway may take to follow; it needs a few milliseconds.
CONFIRM_SECONDS = 10.0


async def everything(address: str) -> dict[bytes, Patient | Device]:
    """Read the registry as it is now, by key. Raises LogUnavailable."""
    found: dict[bytes, Patient | Device] = {}
    async with kafka.reading(address, kafka.REGISTRY) as reader:
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


async def change(address: str, entities: Iterable[Patient | Device]) -> tuple[int, int]:
    """Write what is new or different; returns how many, and the revision from there on.

    Raises LogUnavailable; what was written by then stays, and the import can be repeated.
    """
    known = await everything(address)
    changed = [entity for entity in entities if known.get(key(entity)) != entity]
    async with kafka.producing(address) as producer:
        sent = [
            await producer.send(kafka.REGISTRY, encode(entity), partition=0, key=key(entity))
            for entity in changed
        ]
        for future in sent:
            await future
    async with kafka.reading(address, kafka.REGISTRY) as reader:
        return len(changed), (await reader.ends())[0]


async def confirmed(address: str, revision: int, seconds: float = CONFIRM_SECONDS) -> list[str]:
    """Wait until every gateway that runs accepts messages under this revision; returns who does.

    An empty list: no gateway runs. Raises TimeoutError when one does not follow.
    """
    now = datetime.now(UTC)
    reached: dict[str, int] = {}
    async with kafka.reading(address, kafka.READINGS, only=(0,)) as reader:
        await reader.seek_time(now - ALIVE)
        ends = await reader.ends()
        async with asyncio.timeout(seconds):
            while True:
                for record in await reader.take():
                    tick = _tick(record.value)
                    # One that has stopped ticking meanwhile cannot confirm, and accepts nothing.
                    if tick is not None and now - tick.time < ALIVE:
                        reached[tick.gateway] = max(tick.revision, reached.get(tick.gateway, 0))
                if all(at >= revision for at in reached.values()):
                    caught_up = (await reader.places())[0] >= ends[0]
                    late = datetime.now(UTC) - now > ALIVE / 2
                    if caught_up and (reached or late):
                        return sorted(reached)


def _tick(value: bytes | None) -> Tick | None:
    try:
        record = decode_record(value)
    except MalformedRecord:
        return None
    return record if isinstance(record, Tick) else None
