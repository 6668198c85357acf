"""A registry of a test's own: tables, and the session's topic beside them."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from ingest import kafka
from ingest.readings import Vital
from ingest.registry import office, topic
from ingest.registry.entities import Assignment, Device, Entity, Format, Listing, Model, Patient
from ingest.settings import Settings
from streams import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.registry.office import Told

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


class RegistrySite:
    """Names that no other test uses in the topic, and what one does with them.

    There is one model, and nothing else.
    """

    def __init__(self, database: str, log: str) -> None:
        migrations.migrate(database, {})
        asyncio.run(kafka.ensure_topics(log))
        self.settings = Settings(database=database, kafka=log)
        self.run = uuid.uuid4().hex[:8]
        self.model = Model(
            f"m-{self.run}", "Acme", "M", (Format.VIGIE,), {Vital.SPO2: Listing()}, JANUARY
        )
        self.change(self.model)

    def patient(self, number: int = 1, **fields: Any) -> Patient:
        return Patient(f"p-{self.run}-{number}", **fields)

    def device(self, number: int = 1, *worn: tuple[int, datetime, datetime | None]) -> Device:
        """Make a device that these patients, by number, wear from and until."""
        assignments = tuple(Assignment(self.patient(n).id, a, b) for n, a, b in worn)
        return Device(f"d-{self.run}-{number}", self.model.id, assignments)

    def change(self, *entities: Entity, by: str = "tester", why: str = "a test") -> Told:
        return office.change(self.settings, entities, by=by, why=why, wait=False)

    def published(self) -> dict[bytes, Entity]:
        """Return what the topic has of this test."""
        found = asyncio.run(topic.everything(self.settings.kafka))
        return {key: one for key, one in found.items() if self.run in key.decode()}

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with psycopg.connect(self.settings.database, autocommit=True) as connection:
            yield connection
