"""A site with two patients, of whom one will be erased."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from ingest import kafka as log
from ingest.codec import Bundle, Message, Refused, Rejected, Tick, encode
from ingest.erasure import erase
from ingest.readings import Instant, Refusal, Vital
from ingest.registry import office
from ingest.registry.consent import Basis
from ingest.registry.entities import Assignment, Device, Format, Listing, Member, Model, Patient
from ingest.settings import Settings
from ingest.vault import desk, identity
from ingest.vault.sealing import new_key
from streams import migrations
from tests.integration import erasing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ingest.registry.entities import Entity


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "Durand-Zzyx"
INS = "269054958815780"
PLACES = {log.READINGS: log.PARTITIONS, log.BACKFILL: log.PARTITIONS}
WHY = "asked for in writing"


@dataclass
class Hospital:
    """A database of the test's own with two patients, of whom one will be erased."""

    settings: Settings
    folder: Path
    run: str

    @property
    def gone(self) -> str:
        return f"p-{self.run}-1"

    @property
    def stays(self) -> str:
        return f"p-{self.run}-10"  # its name begins like the other's

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.settings.database, autocommit=True)

    def erase(self) -> erase.Erased:
        return erase.erase(self.settings, self.gone, by="dpo", why=WHY)

    def dump(self) -> str:
        with self.connect() as connection:
            return erasing.dump(connection)

    def admit(self) -> None:
        """Enter both patients as a site would, and let the line write rows of both."""
        listed = Model("bed", "Acme", "Bed", (Format.VIGIE,), {Vital.SPO2: Listing()}, JANUARY)
        office.change(self.settings, [listed], by="site", why="setup", wait=False)
        for patient in (self.gone, self.stays):
            team = (Member("nurse", f"nurse-of-{patient}@hopital.mssante.example"),)
            worn = (Assignment(patient, JANUARY),)
            entities: list[Entity] = [
                Patient(patient, ens=f"idpe-{patient}", team=team),
                Device(f"d-{patient}", "bed", worn),
            ]
            office.change(
                self.settings,
                entities,
                by="site",
                why=f"admission of {patient}",
                wait=False,
                basis=Basis(f"scan-{patient}.pdf", "consent text 3"),
            )
            with self.connect() as connection:
                erasing.fill(connection, patient, f"d-{patient}")
        file = self.folder / "people.csv"
        file.write_text(
            "id,birth_name,given_names,birth_date,sex,ins,ins_oid\n"
            f"{self.gone},{NAME},Anne Zoé,1969-05-31,F,{INS},{identity.TEST}\n"
            f"{self.stays},Martin-Qqvw,Paul,1950-01-02,M,,\n",
            encoding="utf-8",
        )
        desk.take_in(self.settings, file, by="site")
        desk.look_at(self.settings, self.gone, by="nurse", why="call back")


def founded(kafka: str, database: str, folder: Path) -> Hospital:
    asyncio.run(log.ensure_topics(kafka))
    migrations.migrate(database, PLACES)
    settings = Settings(kafka=kafka, database=database, vault_key=new_key())
    made = Hospital(settings, folder, uuid.uuid4().hex[:8])
    made.admit()
    return made


def history(patient: str) -> list[tuple[str, bytes | None, bytes | None]]:
    """Make records of the log that name the patient, and one that does not."""
    now = datetime.now(UTC)
    message = Message(patient, "d-x", 1, now, (Instant(now, {Vital.SPO2: 97.0}),))
    failed = Rejected(
        "d-x", log.READINGS, (Refused(Refusal.DETECTOR_FAILED),), now, "w", 1, encode(message)
    )
    return [
        (log.READINGS, None, encode(Bundle("gateway", (message,)))),
        (log.READINGS, None, encode(Tick("gateway", now - timedelta(days=1), 0))),
        (log.REJECTED, b"d-x", encode(failed)),
    ]


def send(kafka: str, records: Sequence[tuple[str, bytes | None, bytes | None]]) -> None:
    """Write records to the log: (topic, key, value)."""

    async def work() -> None:
        async with log.producing(kafka) as producer:
            for topic, name, value in records:
                await (await producer.send(topic, value, key=name, partition=0))

    asyncio.run(work())
