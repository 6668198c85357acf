"""Looking into `vigie.rejected`: what was refused, why and where. Never shows a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest import kafka
from ingest.codec import Rejected, decode_rejected
from ingest.ports import MalformedRecord

if TYPE_CHECKING:
    from ingest.readings import Refusal


async def newest(address: str, limit: int, reason: Refusal | None = None) -> list[Rejected]:
    """Return the newest refused messages, newest first. Raises LogUnavailable."""
    found: list[Rejected] = []
    async with kafka.reading(address, kafka.REJECTED) as reader:
        ends = await reader.ends()
        reader.seek({partition: max(0, end - limit) for partition, end in ends.items()})
        while any(at < ends[partition] for partition, at in (await reader.places()).items()):
            for record in await reader.take():
                try:
                    rejected = decode_rejected(record.value)
                except MalformedRecord:
                    continue
                if reason is None or any(one.reason is reason for one in rejected.refused):
                    found.append(rejected)
    found.sort(key=lambda one: one.time, reverse=True)
    return found[:limit]
