"""Dispatcher and relay on a database of a test's own, with live receiving ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from alerts.channels import fhir
from alerts.channels.ens import Ens
from alerts.channels.mail import Mail
from alerts.delivery import deliveries
from alerts.dispatcher import Dispatcher
from alerts.journal import Journal
from alerts.relay import Relay
from ingest.codec import encode
from ingest.ports import SystemClock
from ingest.readings import Vital
from ingest.registry import database as tables
from ingest.registry import store
from ingest.registry.consent import Basis
from ingest.registry.entities import Patient
from simulators import ens as ens_end
from simulators import mailbox as mail_end
from streams import migrations
from tests.unit.alerts.stories import MARKED_PATIENT, event, finding, reading
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from alerts.channels.port import Channel as Port
    from alerts.events import AlertEvent
    from ingest.ports import Sink
    from ingest.registry.entities import Purpose

SENDER = "vigie@hopital.mssante.example"
SPACE = fhir.Space(
    "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/", "1.2", "2.25.17"
)


class Telling:
    """A migrated database, a mailbox and an e-health space of one test."""

    def __init__(self, database: str, folder: Path) -> None:
        migrations.migrate(database, {})
        self.database, self.folder, self.topic = database, folder, "alerts"
        self.space = ens_end.Space()
        self.ens = ens_end.serve(self.space, "http://127.0.0.1:0/fhir")
        self.mailbox = mail_end.serve(folder / "mailbox", "smtp://127.0.0.1:0")
        self.smtp = f"smtp://127.0.0.1:{self.mailbox.port}"
        self.url = f"http://127.0.0.1:{self.ens.port}/fhir"

    def close(self) -> None:
        self.ens.close()
        self.mailbox.close()

    def tell(self, told: AlertEvent, *, ens: str | None = "idpe-17") -> None:
        """Commit an alert event with its deliveries and its outbox record, as the worker does."""
        patient = Patient(told.patient, physician="cardio@hopital.mssante.example", ens=ens)
        alert = (told.alert, told.patient, told.finding.rule, told.kind, told.priority, told.state)
        step = (told.alert, told.number, told.time, told.phase, told.state, told.priority)
        with psycopg.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO internal.alert VALUES (%s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (*alert, told.started),
            )
            connection.execute(
                "INSERT INTO internal.alert_event VALUES (%s, %s, %s, %s, %s, %s, %s::text::jsonb)",
                (*step, encode(told.finding).decode()),
            )
            for one in deliveries(told, patient, "on-call@x.example"):
                measure = encode(one.measure).decode() if one.measure else None
                connection.execute(
                    "INSERT INTO internal.delivery (id, alert, number, channel, recipient, measure)"
                    " VALUES (%s, %s, %s, %s, %s, %s::text::jsonb)",
                    (one.id, one.alert, one.number, one.channel, one.recipient, measure),
                )
            connection.execute(
                "INSERT INTO internal.outbox (topic, key, value) VALUES (%s, %s, %s)",
                (self.topic, told.patient.encode(), encode(told)),
            )
            connection.execute("NOTIFY vigie_due")
            connection.execute("NOTIFY vigie_outbox")

    def agree(self, patient: str, *purposes: Purpose) -> None:
        """Leave a patient these consents, in the registry's tables as its commands do."""
        with tables.transaction(self.database, change=True) as connection:
            changed = Patient(patient, consents=purposes)
            store.change(connection, [changed], by="nurse", why="asked", basis=Basis("form 7"))

    def journal(self) -> list[tuple[str, str, str | None]]:
        """List (channel, state, reason) of all deliveries."""
        return self.rows("SELECT channel, state, reason FROM deliveries ORDER BY channel, id")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(statement.encode())

    def mails(self) -> list[mail_end.Mail]:
        return list(mail_end.mails(self.folder / "mailbox"))

    def settled(self) -> bool:
        return all(state != "queued" for _, state, _ in self.journal())

    @asynccontextmanager
    async def dispatching(
        self,
        sink: Sink | None = None,
        mail: Port | None = None,
    ) -> AsyncIterator[Dispatcher]:
        """Run a dispatcher, and a relay where there is a sink, as the process does."""
        journal = Journal(self.database)
        mail = mail or Mail(self.smtp, SENDER, SystemClock())
        channels: list[Port] = [mail, Ens(self.url, "", SPACE)]
        dispatcher = Dispatcher(journal, channels, SystemClock())
        await journal.open()
        work = [asyncio.create_task(journal.listen(dispatcher.wake, lambda: None))]
        if sink is not None:
            work.append(asyncio.create_task(Relay(journal, lambda: opened(sink)).run()))
        running = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            await running
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            for channel in channels:
                await channel.close()
            await journal.close()


async def until(holds: Callable[[], object], what: str) -> None:
    """Wait for something without stopping the loop."""
    await asyncio.to_thread(wait_until, holds, what)


def story(whose: int = 0, **rest: Any) -> AlertEvent:
    """Build an alert of one of many patients, on a saturation."""
    found = finding(reading(Vital.SPO2, 88.0, low=96, device=f"dev-{whose}"))
    return event(found, patient=f"{MARKED_PATIENT}-{whose}", **rest)


@asynccontextmanager
async def opened(sink: Sink) -> AsyncIterator[Sink]:
    yield sink


def end_leases(line: Telling) -> None:
    """Let thirty seconds pass, as the database sees it."""
    line.do("UPDATE internal.delivery SET leased_until = now() WHERE leased_until IS NOT NULL")
