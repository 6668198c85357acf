"""The dispatcher's process: settings in, channels, relay and gauges running, an orderly end."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import structlog

from alerts import metrics
from alerts.channels.ens import Ens
from alerts.channels.fhir import Space
from alerts.channels.mail import Mail
from alerts.dispatcher import Dispatcher
from alerts.journal import Journal, JournalUnavailable
from alerts.relay import Relay
from alerts.trouble import Trouble
from ingest import health, kafka
from ingest.ports import SystemClock, VigieError
from ingest.registry.publish import publish_pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.channels.port import Channel
    from ingest.settings import Settings

log = structlog.get_logger()

COUNT_EVERY_SECONDS = 2.0
# How soon a registry change is published whose own process died in between: a withdrawal of consent
# is to hold within a second.
PUBLISH_EVERY_SECONDS = 0.5


class Gauges:
    """Keeps the figures of what is open and what waits; also how the database's health is known."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.trouble: str | None = "not counted yet"

    async def run(self) -> None:
        """Count now and then until cancelled."""
        while True:
            try:
                counts = await self._journal.counts()
            except JournalUnavailable as error:
                self.trouble = str(error)
            else:
                self.trouble = None
                for priority, number in counts.alerts.items():
                    metrics.ALERTS_OPEN.labels(priority).set(number)
                for channel, number in counts.due.items():
                    metrics.DUE.labels(channel).set(number)
                metrics.OUTBOX_WAITING.set(counts.outbox)
            await asyncio.sleep(COUNT_EVERY_SECONDS)


async def run(settings: Settings, metrics_port: int) -> None:
    """Run one dispatcher until SIGTERM or SIGINT. Raises SettingError before it begins."""
    clock = SystemClock()
    space = Space(settings.ens_profiles, settings.ens_patient_oid, settings.ens_oid)
    channels: list[Channel] = [
        Mail(settings.smtp, settings.sender, clock),
        Ens(settings.ens, settings.ens_token, space),
    ]
    journal = Journal(settings.database)
    relay = Relay(journal, lambda: kafka.producing(settings.kafka))
    gauges = Gauges(journal)
    dispatcher = Dispatcher(journal, channels, clock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, dispatcher.stop)
    # The relay's trouble is a metric and a rule of its own: deliveries go on without Kafka.
    checks = {"database": lambda: gauges.trouble}
    watched = health.serve(settings.metrics_host, metrics_port, checks)
    await journal.open()
    log.info("dispatcher started", channels=[channel.name for channel in channels])
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(journal.listen(dispatcher.wake, relay.wake)),
                tasks.create_task(relay.run()),
                tasks.create_task(gauges.run()),
                tasks.create_task(publish(settings)),
            ]
            await dispatcher.run()
            await _cancelled(background)
    finally:
        for channel in channels:
            await channel.close()
        await journal.close()
        watched.close()
    log.info("dispatcher stopped")


async def publish(settings: Settings) -> None:
    """Publish registry changes that were committed and not published, until cancelled."""
    trouble = Trouble("the registry's changes are not published")
    while True:
        try:
            count = await publish_pending(settings.database, settings.kafka)
        except VigieError as error:
            trouble.because(error)
        except Exception as error:  # noqa: BLE001 (a client's own error must not stop deliveries)
            trouble.because(type(error).__name__)
        else:
            trouble.over()
            if count:
                log.info("registry changes published late", records=count)
        await asyncio.sleep(PUBLISH_EVERY_SECONDS)


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End tasks that run for ever; again, where a library has swallowed the cancellation."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)
