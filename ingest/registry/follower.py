"""The registry, followed live: gateway and worker hold it in memory and read along."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ingest import kafka
from ingest.codec import decode_registry
from ingest.ports import LogUnavailable, MalformedRecord
from ingest.registry.memory import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

# How often a long wait for the registry is told of.
TELL_EVERY_SECONDS = 10.0
# Back-off while Kafka is away.
PAUSE_SECONDS = 1.0


class Follower:
    """Reads the registry's topic from its beginning, for as long as the process lives.

    `reached` is the revision up to which every record was read. It is the place in the topic, not
    the newest record's: compaction may have taken that one away.
    """

    def __init__(self, address: str, topic: str = kafka.REGISTRY) -> None:
        self._address = address
        self._topic = topic
        self._changed: Callable[[], None] = lambda: None
        self.registry = Registry()
        self.reached = 0
        self._moved = asyncio.Condition()
        self._caught_up = asyncio.Event()

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call back, in the event loop, after each step forward."""
        self._changed = changed

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to Kafka meanwhile."""
        told = False
        while True:
            try:
                async with kafka.reading(self._address, self._topic) as reader:
                    told = False
                    await self._follow(reader)
            except LogUnavailable as error:
                if not told:
                    log.warning("the registry's topic is away", error=str(error))
                told = True
            await asyncio.sleep(PAUSE_SECONDS)

    async def caught_up(self) -> None:
        """Return once all that stood in the topic at the start was read: Kafka is there too."""
        await self._caught_up.wait()

    async def wait_for(self, revision: int) -> None:
        """Return once every record below the revision was read; tell of a long wait."""
        while self.reached < revision:
            log.warning("waiting for the registry", revision=revision, reached=self.reached)
            try:
                async with asyncio.timeout(TELL_EVERY_SECONDS), self._moved:
                    await self._moved.wait_for(lambda: self.reached >= revision)
            except TimeoutError:
                continue

    async def _follow(self, reader: kafka.Reader) -> None:
        reader.seek({0: self.reached})
        end = (await reader.ends())[0]
        while True:
            if self.reached >= end:
                self._caught_up.set()
            for record in await reader.take():
                self._take(record)
            place = (await reader.places())[0]
            if place > self.reached:
                self.reached = place
                self._changed()
                async with self._moved:
                    self._moved.notify_all()

    def _take(self, record: kafka.Record) -> None:
        try:
            entity = None if record.value is None else decode_registry(record.value)
        except MalformedRecord as error:
            # Every process goes past it: what it meant to change stays as it was.
            log.error("registry record skipped", offset=record.offset, error=str(error))  # noqa: TRY400 (its trace tells nothing)
            return
        self.registry.apply(record.offset, record.key or b"", entity)
