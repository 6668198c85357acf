"""Kafka, as all of Vigie but the Faust worker speaks to it: the only module that knows aiokafka.

aiokafka's errors end here: they become LogUnavailable.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # noqa: TID251 (see above)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: TID251 (see above)
from aiokafka.admin.config_resource import (  # noqa: TID251 (see above)
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import (  # noqa: TID251 (see above)
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAlreadyExistsError,
)
from aiokafka.partitioner import murmur2  # noqa: TID251 (see above)

from ingest.ports import LogUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Collection, Sequence
    from datetime import datetime

log = structlog.get_logger()

PARTITIONS = 12
READINGS, BACKFILL, REJECTED = "vigie.readings", "vigie.backfill", "vigie.rejected"
REGISTRY, ALERTS = "vigie.registry", "vigie.alerts"

_DAY_MS = 24 * 60 * 60 * 1000
# Sizes: a bundle or a refused message of the largest size, with what JSON and base64 add.
RECORD_BYTES = 4 * 1024 * 1024
_LIVE = {"retention.ms": str(7 * _DAY_MS), "max.message.bytes": str(RECORD_BYTES)}
_KEPT = {"retention.ms": str(30 * _DAY_MS), "max.message.bytes": str(RECORD_BYTES)}
# Each settings' history must outlive the readings that were judged by it; and it ends within
# days, for what names an erased patient lies in it (docs/how-to/erase-a-patient.md).
_COMPACTED = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(7 * _DAY_MS),
    "max.compaction.lag.ms": str(8 * _DAY_MS),
    # A worker that starts late must still learn who was removed while the log names them.
    "delete.retention.ms": str(7 * _DAY_MS),
}
TOPICS: dict[str, tuple[int, dict[str, str]]] = {
    READINGS: (PARTITIONS, _LIVE),
    BACKFILL: (PARTITIONS, _LIVE),
    REJECTED: (PARTITIONS, _KEPT),
    REGISTRY: (1, _COMPACTED),
    ALERTS: (PARTITIONS, _KEPT),
}
REPLICAS = 3

# A full producer holds back its callers; the gateway's own bound is lower.
LINGER_MS = 2
REQUEST_MS = 20_000
# A producer flushes for ever while Kafka is away; less than a supervisor's patience (15 s) minus
# what the gateway waits before it closes.
CLOSE_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0
POLL_MS = 500

# aiokafka logs each failed connection; what matters is said once, by whoever waits.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Record(NamedTuple):
    """A record that was read; a None value is a tombstone.

    `written` is when it was written, in milliseconds since 1970 (UTC); `headers` are what stands
    beside key and value.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    written: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


@lru_cache(maxsize=100_000)
def partition_of(patient: str) -> int:
    """Place a patient in the log, as Kafka's own clients place the key.

    >>> partition_of("p-0042")
    10
    """
    return int(murmur2(patient.encode()) & 0x7FFFFFFF) % PARTITIONS


class Producer:
    """Writes to the log; what was acknowledged is on all in-sync replicas, once and in order."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect; waits for as long as Kafka is away."""
        pause, told = FIRST_PAUSE_SECONDS, False
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka,
                acks="all",
                enable_idempotence=True,
                linger_ms=LINGER_MS,
                max_request_size=RECORD_BYTES,
                request_timeout_ms=REQUEST_MS,
            )
            try:
                await producer.start()
            except asyncio.CancelledError:
                await _stop(producer)
                raise
            except KafkaError as error:
                await _stop(producer)
                if not told:
                    log.warning("waiting for Kafka", error=type(error).__name__)
                told = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._producer = producer
                return

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Future[object]:
        """Queue one record; see `ports.Sink`. A future that fails does so with aiokafka's error."""
        if self._producer is None:
            raise LogUnavailable("the producer is not started")
        try:
            future: Future[object] = await self._producer.send(
                topic, value, key=key, partition=partition, headers=headers or None
            )
        except KafkaError as error:
            if is_fatal(error):
                future = asyncio.get_running_loop().create_future()
                future.set_exception(error)
                return future
            raise LogUnavailable(type(error).__name__) from None
        return future

    async def close(self) -> None:
        """Send what is queued, then disconnect; what Kafka does not take soon is given up."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _stop(producer)


async def _stop(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
    except TimeoutError:
        log.warning("Kafka does not take what is queued: it is given up")
        sending = producer._sender.sender_task  # noqa: SLF001 (aiokafka has no way to give up)
        if sending is not None:
            sending.cancel()
        await producer.client.close()


def is_fatal(error: BaseException) -> bool:
    """Whether the producer that met this error takes nothing more: its process must start anew."""
    # Its sender, when it has met what it did not expect, ends with an error of no closer kind.
    fatal = OutOfOrderSequenceNumber | InvalidProducerEpoch | ProducerFenced
    return isinstance(error, fatal) or type(error) is KafkaError


@asynccontextmanager
async def producing(kafka: str) -> AsyncIterator[Producer]:
    """Connect a producer for a while."""
    producer = Producer(kafka)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.close()


@asynccontextmanager
async def reading(
    kafka: str, topic: str, only: Collection[int] | None = None
) -> AsyncIterator[Reader]:
    """Open a topic, or some partitions of it, for reading outside of any group.

    Raises LogUnavailable.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        await consumer.start()
        numbers = range(TOPICS[topic][0]) if topic in TOPICS else only or (0,)
        partitions = [TopicPartition(topic, n) for n in numbers if only is None or n in only]
        consumer.assign(partitions)
        yield Reader(consumer, partitions)
    except KafkaError as error:
        raise LogUnavailable(f"Kafka at {kafka} does not answer: {type(error).__name__}") from None
    finally:
        await consumer.stop()


class Reader:
    """A topic that is being read."""

    def __init__(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        self._consumer, self._partitions = consumer, partitions

    async def ends(self) -> dict[int, int]:
        """Return the offset after the newest record of each partition."""
        found = await self._consumer.end_offsets(self._partitions)
        return {place.partition: offset for place, offset in found.items()}

    async def starts(self) -> dict[int, int]:
        """Return the offset of the oldest record that each partition still has."""
        found = await self._consumer.beginning_offsets(self._partitions)
        return {place.partition: offset for place, offset in found.items()}

    def seek(self, places: dict[int, int]) -> None:
        """Read on from these offsets."""
        for place in self._partitions:
            if place.partition in places:
                self._consumer.seek(place, places[place.partition])

    async def seek_time(self, time: datetime) -> None:
        """Read on from the first record that was written at this time (UTC) or later."""
        moment = int(time.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._partitions, moment))
        for place, at in found.items():
            if at is None:
                await self._consumer.seek_to_end(place)
            else:
                self._consumer.seek(place, at.offset)

    async def take(self) -> list[Record]:
        """Return what has come; an empty list after half a second without anything."""
        found = await self._consumer.getmany(timeout_ms=POLL_MS)
        return [
            Record(
                place.partition,
                record.offset,
                record.key,
                record.value,
                record.timestamp,
                record.headers,
            )
            for place, records in found.items()
            for record in records
        ]

    async def places(self) -> dict[int, int]:
        """Return the offset that is read next of each partition; compaction leaves gaps."""
        return {place.partition: await self._consumer.position(place) for place in self._partitions}


async def settings_of(kafka: str, topics: Collection[str]) -> dict[str, dict[str, str]]:
    """Read the settings in force of these topics; one that does not exist is left out.

    Raises LogUnavailable.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    found: dict[str, dict[str, str]] = {}
    try:
        await admin.start()
        there = set(await admin.list_topics())
        wanted = [
            ConfigResource(ConfigResourceType.TOPIC, name) for name in topics if name in there
        ]
        for answer in await admin.describe_configs(wanted) if wanted else ():
            for _, _, _, name, entries in answer.resources:
                found[name] = {entry[0]: entry[1] for entry in entries}
    except KafkaError as error:
        raise LogUnavailable(f"Kafka at {kafka} does not answer: {type(error).__name__}") from None
    finally:
        await admin.close()
    return found


async def ensure_topics(kafka: str) -> list[str]:
    """Make the topics that are missing; return their names. Raises LogUnavailable.

    A cluster of three brokers keeps three replicas, and acknowledges with two.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        replicas = min(REPLICAS, brokers)
        in_sync = {"min.insync.replicas": str(max(1, replicas - 1))}
        made = []
        for name in sorted(TOPICS.keys() - set(await admin.list_topics())):
            partitions, settings = TOPICS[name]
            topic = NewTopic(name, partitions, replicas, topic_configs=settings | in_sync)
            try:
                await admin.create_topics([topic])
            except TopicAlreadyExistsError:
                continue  # somebody else made it just now
            made.append(name)
    except KafkaError as error:
        raise LogUnavailable(f"Kafka at {kafka} does not answer: {type(error).__name__}") from None
    finally:
        await admin.close()
    return made
