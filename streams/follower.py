"""The registry as the worker knows it: read along, and waited for where the log is ahead of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition  # noqa: TID251 (to move to ingest/kafka.py)
from aiokafka.errors import KafkaError  # noqa: TID251 (as above)

from ingest.codec import decode_registry
from ingest.ports import MalformedRecord
from ingest.registry import Registry

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord  # noqa: TID251 (as above)

log = structlog.get_logger()

# How often a long wait for the registry is told of.
TELL_EVERY_SECONDS = 10.0
# Back-off while Kafka is away.
PAUSE_SECONDS = 1.0


class Follower:
    """Reads the registry's topic from its beginning, for as long as the worker lives.

    `reached` is the revision up to which every record was read. It is the place in the topic, not
    the newest record's: compaction may have taken that one away.
    """

    def __init__(self, kafka: str, topic: str) -> None:
        self._kafka = kafka
        self._place = TopicPartition(topic, 0)
        self.registry = Registry()
        self.reached = 0
        self._moved = asyncio.Condition()
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled, whatever happens to Kafka meanwhile."""
        told = False
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, auto_offset_reset="earliest")
            try:
                await consumer.start()
                told = False
                await self._follow(consumer)
            except KafkaError as error:
                if not told:
                    log.warning("the registry's topic is away", error=type(error).__name__)
                told = True
            finally:
                await consumer.stop()
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

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._place])
        consumer.seek(self._place, self.reached)
        end = (await consumer.end_offsets([self._place]))[self._place]
        while True:
            if self.reached >= end:
                self._caught_up.set()
            found = await consumer.getmany(timeout_ms=1000)
            for record in found.get(self._place, []):
                self._take(record)
            self.reached = max(self.reached, await consumer.position(self._place))
            async with self._moved:
                self._moved.notify_all()

    def _take(self, record: ConsumerRecord) -> None:
        try:
            entity = None if record.value is None else decode_registry(record.value)
        except MalformedRecord as error:
            # The gateway went past it too; what it meant to change stays as it was.
            log.error("registry record skipped", offset=record.offset, error=str(error))  # noqa: TRY400
            return
        self.registry.apply(record.offset, record.key or b"", entity)
