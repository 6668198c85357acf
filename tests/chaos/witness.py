"""Devices that remember what was done to them, and the log as it truly is."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest import kafka
from ingest.codec import Bundle, decode_record, decode_rejected
from tests.devices import Outsider, instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import paho.mqtt.client as mqtt


class Witness(Outsider):
    """Counts how often its connection ended against its will, and each receipt of a message."""

    def __init__(self, name: str, url: str) -> None:
        self.disconnects = 0
        self.receipts: Counter[int] = Counter()
        self._leaving = False
        super().__init__(name, url)
        self.client.on_disconnect = self._ended

    def close(self) -> None:
        self._leaving = True
        super().close()

    def _ended(self, *_: Any) -> None:
        if not self._leaving:
            self.disconnects += 1

    def _receipt(self, client: object, userdata: object, message: mqtt.MQTTMessage) -> None:
        for first, last in json.loads(message.payload)["safe"]:
            self.receipts.update(range(first, last + 1))
        super()._receipt(client, userdata, message)


@contextmanager
def load(devices: Sequence[Outsider], beat_seconds: float) -> Iterator[None]:
    """Have each device publish a message a beat, each of a moment of its own, during the block."""
    enough = threading.Event()
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)

    def send() -> None:
        seq = 0
        while not enough.wait(beat_seconds):
            seq += 1
            time = start + timedelta(milliseconds=20 * seq)
            for device in devices:
                device.publish(seq, [instant(time, heart_rate=60 + seq % 30, spo2=97)])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        enough.set()
        sender.join()


async def logged(address: str, since: datetime) -> set[tuple[str, int]]:
    """Name each (device, seq) in the log: live, late, refused; written from `since` (UTC) on."""
    every = (kafka.READINGS, kafka.BACKFILL, kafka.REJECTED)
    found = await asyncio.gather(*(_in_topic(address, topic, since) for topic in every))
    return set().union(*found)


async def _in_topic(address: str, topic: str, since: datetime) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    async with kafka.reading(address, topic) as reader:
        await reader.seek_time(since)
        ends = await reader.ends()
        while any(place < ends[n] for n, place in (await reader.places()).items()):
            for record in await reader.take():
                found.update(_named(topic, record.value))
    return found


def _named(topic: str, value: bytes | None) -> list[tuple[str, int]]:
    if topic == kafka.REJECTED:
        rejected = decode_rejected(value)
        return [] if rejected.seq is None else [(rejected.device, rejected.seq)]
    record = decode_record(value)
    if not isinstance(record, Bundle):
        return []
    return [(message.device, message.seq) for message in record.messages]
