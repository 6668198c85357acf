"""A log, a database and workers of a test's own, looked at from outside."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from streams import migrations
from streams.app import Names
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PARTITIONS = 4


@dataclass
class Site:
    """Names and addresses of one test, and what one does there."""

    kafka: str
    database: str
    folder: Path
    names: Names = field(default_factory=lambda: _names(uuid.uuid4().hex[:8]))
    sent: int = 0

    def prepare(self) -> None:
        """Make the topics and the schema."""
        asyncio.run(self._topics())
        places = {self.names.readings: PARTITIONS, self.names.backfill: PARTITIONS}
        migrations.migrate(self.database, places)

    def send(self, records: Iterable[tuple[int, bytes]]) -> None:
        """Write records to the log: (partition, value), in order."""
        asyncio.run(self._send(self.names.readings, [(p, None, v) for p, v in records]))

    def send_late(self, records: Iterable[tuple[int, bytes]]) -> None:
        """Write records to the backfill lane: (partition, value), in order."""
        asyncio.run(self._send(self.names.backfill, [(p, None, v) for p, v in records]))

    def register(self, *entities: tuple[bytes, bytes]) -> None:
        """Write records to the registry: (key, value)."""
        asyncio.run(self._send(self.names.registry, [(0, k, v) for k, v in entities]))

    def delete_below(self, partition: int, offset: int, topic: str = "") -> None:
        """Let Kafka delete the head of the log, or of another topic, as retention does."""
        asyncio.run(self._delete(TopicPartition(topic or self.names.readings, partition), offset))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def do(self, statement: str) -> None:
        """Change the database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Cut every connection to the test's database, and let none in until the block ends."""
        url = urlsplit(self.database)
        name = url.path.strip("/")
        elsewhere = url._replace(path="/postgres").geturl()
        with psycopg.connect(elsewhere, autocommit=True) as connection:
            allow = f"ALTER DATABASE {name} ALLOW_CONNECTIONS "
            connection.execute(f"{allow} false".encode())
            try:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (name,),
                )
                yield
            finally:
                connection.execute(f"{allow} true".encode())

    def applied(self) -> int:
        """Count the records that were applied."""
        return int(self.rows("SELECT sum(next_offset) FROM ledger")[0][0])

    def wait_applied(self, worker: Process | None = None) -> None:
        """Return once all that was sent is applied."""

        def alive() -> None:
            assert worker is None or worker.process.poll() is None, worker.log()

        wait_until(lambda: self.applied() >= self.sent, "all is applied", meanwhile=alive)

    @contextmanager
    def worker(self) -> Iterator[Process]:
        """Run a worker process; ends it when the block ends."""
        process = Process(self)
        try:
            yield process
        finally:
            process.process.kill()
            process.process.wait()

    async def _topics(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            topics = [
                NewTopic(self.names.readings, PARTITIONS, 1),
                NewTopic(self.names.backfill, PARTITIONS, 1),
                NewTopic(self.names.registry, 1, 1),
            ]
            await admin.create_topics(topics)
        finally:
            await admin.close()

    async def _send(self, topic: str, records: list[tuple[int, bytes | None, bytes]]) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka, acks="all", enable_idempotence=True
        ) as producer:
            for partition, key, value in records:
                await producer.send(topic, value, key, partition)
        if topic in {self.names.readings, self.names.backfill}:
            self.sent += len(records)

    async def _delete(self, place: TopicPartition, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_records({place: RecordsToDelete(offset)})
        finally:
            await admin.close()


def _names(mark: str) -> Names:
    return Names(
        readings=f"readings.{mark}",
        backfill=f"backfill.{mark}",
        rejected=f"rejected.{mark}",
        alerts=f"alerts.{mark}",
        registry=f"registry.{mark}",
        group=f"group.{mark}",
        partitions=PARTITIONS,
    )


class Process:
    """A worker in a process of its own, with its log."""

    def __init__(self, site: Site) -> None:
        self._path = site.folder / f"worker-{uuid.uuid4().hex[:8]}.log"
        settings = {"kafka": site.kafka, "database": site.database, "state": str(site.folder)}
        given = msgspec.json.encode({"settings": settings, "names": asdict(site.names)})
        with self._path.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error::RuntimeWarning", "-m", "tests.integration.site"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": ".:" + os.environ.get("PYTHONPATH", "")},
            )
        assert self.process.stdin is not None
        self.process.stdin.write(given)
        self.process.stdin.close()

    def log(self) -> str:
        """Read what it has said so far."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self._path.read_text(encoding="utf-8"))

    def share(self) -> set[int] | None:
        """Say which partitions it has; None before it joined."""
        found = re.findall(r"share of the log +partitions=\[([\d, ]*)\]", self.log())
        return {int(n) for n in found[-1].split(",") if n} if found else None

    def wait_share(self, *, size: int = PARTITIONS) -> None:
        """Return once it has so many partitions."""
        wait_until(lambda: len(self.share() or ()) == size, f"a share of {size}")

    def wait_said(self, text: str) -> None:
        """Return once its log has the text."""
        wait_until(lambda: text in self.log(), f"`{text}` in the worker's log")

    def kill(self) -> None:
        """Kill it with -9."""
        self.process.kill()
        self.process.wait()

    def wait_exit(self) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(timeout=60)

    def terminate(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.terminate()
        return self.wait_exit()


def main() -> None:
    """Run a worker with the names that standard input gives."""
    from ingest.ports import VigieError  # noqa: PLC0415 (only the child needs them)
    from ingest.settings import Settings  # noqa: PLC0415
    from streams.app import run  # noqa: PLC0415

    given = msgspec.json.decode(sys.stdin.buffer.read())
    try:
        asyncio.run(run(Settings(**given["settings"]), 0, Names(**given["names"])))
    except VigieError as error:
        sys.exit(f"vigie: {error}")


if __name__ == "__main__":
    main()
