"""The worker's process: Faust embedded in our own loop, around the agent's one guarded call.

Each setting of the Faust app is there for a reason that was measured: acknowledgement only after
the commit (`noack_take`), a crash instead of silently skipped events (CrashingSupervisor), no
waiting for un-acknowledged events at a rebalance or a stop (`stream_wait_empty`), and a session
short enough that a killed worker's partitions are taken over within ten seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import faust  # noqa: TID251 (streams/ is where Faust lives)
import structlog

from alerts.watch import Watch
from detectors.profiles.loading import in_force
from ingest import health
from ingest.ports import SystemClock, VigieError
from ingest.registry.follower import Follower
from streams.agents import Applier
from streams.backfill import Backfill
from streams.batch import Record
from streams.errors import StoreUnavailable, WorkerStopped, trace
from streams.lanes import BACKFILL, LIVE
from streams.quiet import quiet
from streams.share import Share
from streams.timescale import Store
from streams.transaction import Destinations
from streams.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.settings import Settings

log = structlog.get_logger()

# A batch is taken when so many records wait, or so much time has passed (live readings are in the
# database well within 200 ms).
BATCH_RECORDS = 500
BATCH_WITHIN_SECONDS = 0.05
LAG_EVERY_SECONDS, LAG_WITHIN_SECONDS = 2.0, 10.0
# A killed worker holds its partitions for this long (Kafka's broker allows no less than 6 s).
SESSION_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Names:
    """The names of Kafka topics and of the consumer group; tests use their own."""

    readings: str = "vigie.readings"
    backfill: str = "vigie.backfill"
    rejected: str = "vigie.rejected"
    alerts: str = "vigie.alerts"
    registry: str = "vigie.registry"
    group: str = "vigie-worker"
    partitions: int = 12


class Worker:
    """One worker of the group: reads its share of the log until it is told to stop."""

    def __init__(self, settings: Settings, names: Names, follower: Follower) -> None:
        self._settings = settings
        self._names = names
        self._follower = follower
        self._stop = asyncio.Event()
        self._failure: VigieError | None = None
        self._lag = 0
        # Faust wants a folder of its own and, without tables, writes nothing into it.
        self._scratch = TemporaryDirectory(prefix="vigie-worker-")
        self._app = self._faust()
        self._share = Share(self._app, names.readings, names.partitions, settings.database)
        to = Destinations(names.alerts, names.rejected, settings.on_call)
        self._store = Store(settings.database, names.readings, to)
        own = Path(settings.profiles) if settings.profiles else None
        self._applier = Applier(
            self._store,
            follower,
            self._share.starts,
            SystemClock(),
            topic=names.readings,
            by=f"worker-{os.getpid()}",
            lane=replace(LIVE, kind=Watch.by(in_force(own))),
        )
        self.watchdog = Watchdog(self._applier)
        self._backfill = Backfill(
            settings.kafka,
            Store(settings.database, names.backfill, to, BACKFILL),
            follower,
            topic=names.backfill,
            by=f"worker-{os.getpid()}",
            busy=lambda: self._applier.settling or self._lag > BATCH_RECORDS,
        )

    def stop(self) -> None:
        """Ask the worker to stop: it finishes nothing, for nothing is lost."""
        self._stop.set()

    def unready(self) -> str | None:
        """Say why the worker does not work yet; None once it has its share of the log."""
        return "waiting for a share of the log" if self._share.partitions is None else None

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`.

        Raises OffsetGap, LogReplaced or SchemaMismatch when a new start must mend it, and
        WorkerStopped when Faust or the registry's follower ended by itself.
        """
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sign, self._stop.set)
        following = asyncio.create_task(self._follower.run(), name="registry")
        ends: list[asyncio.Task[Any]] = [
            following,
            asyncio.create_task(self._stop.wait(), name="stop"),
        ]
        try:
            await self._start(ends)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._judge(ends)
            self.watchdog.close()
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await self._app.stop()
            await self._store.close()
            await self._backfill.close()
            self._scratch.cleanup()
        if self._failure is not None:
            raise self._failure

    async def _start(self, ends: list[asyncio.Task[Any]]) -> None:
        """Start Faust, once Kafka is there; it gives up at once where we wait."""
        ends.append(asyncio.create_task(self._watch_lag(), name="lag"))
        there = asyncio.create_task(self._follower.caught_up())
        await asyncio.wait([there, *ends], return_when=asyncio.FIRST_COMPLETED)
        if not there.done():
            there.cancel()
            return
        try:
            await self._app.start()
        except Exception as error:  # noqa: BLE001 (whatever Faust met, a new start must mend it)
            self._fail(WorkerStopped("start", error))
            return
        ends.append(asyncio.create_task(self._app.wait_until_stopped(), name="faust"))
        ends.append(asyncio.create_task(self._backfill.run(), name="backfill lane"))

    def _judge(self, ends: Iterable[asyncio.Task[Any]]) -> None:
        """Find out whether the worker ended because it was told to."""
        for task in ends:
            if task.done() and task.get_name() != "stop" and self._failure is None:
                error = None if task.cancelled() else task.exception()
                self._failure = (
                    error
                    if isinstance(error, VigieError)
                    else WorkerStopped(task.get_name(), error or self._app.crash_reason)
                )

    def _faust(self) -> Any:
        app = faust.App(
            self._names.group,
            broker=[f"kafka://{address}" for address in self._settings.kafka.split(",")],
            autodiscover=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=self._names.partitions,
            store="memory://",
            datadir=Path(self._scratch.name),
            web_enabled=False,
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=2.0,
            broker_commit_interval=1.0,
            stream_wait_empty=False,
            agent_supervisor="mode.supervisors.CrashingSupervisor",
        )
        topic = app.topic(
            self._names.readings,
            key_type=bytes,
            key_serializer="raw",
            value_type=bytes,
            value_serializer="raw",
            internal=True,
        )
        app.agent(topic, name="readings")(self._agent)
        app.on_rebalance_complete.connect(self._rebalanced, weak=False)
        return app

    async def _agent(self, stream: Any) -> None:
        """Settle batch after batch; acknowledge all of each, in order, only after its commit.

        Nothing may be raised from here (Faust would skip what it holds), and no event may stay
        un-acknowledged when a later one is not (Faust would lose it).
        """
        async for events in stream.noack_take(BATCH_RECORDS, within=BATCH_WITHIN_SECONDS):
            records = [Record(e.message.partition, e.message.offset, e.value) for e in events]
            try:
                await self._applier.settle(records)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 (Faust must never see one: it would skip)
                self._fail(error)
                await asyncio.Event().wait()  # held, un-acknowledged, until the process ends
            for event in events:
                await stream.ack(event)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, VigieError):
            log.error("the worker has a fault", trace=trace(error))
        self._failure = error if isinstance(error, VigieError) else WorkerStopped("agent", error)
        self._stop.set()

    async def _rebalanced(self, *_: object, **__: object) -> None:
        """Take up the new share, each partition at our own place.

        Without the database that is left out: records below our place are skipped, and a gap above
        it is noticed.
        """
        partitions = self._share.given()
        self._applier.keep(partitions)
        if partitions:
            try:
                self._applier.places.update(await self._share.seek(partitions))
            except StoreUnavailable as error:
                log.warning("the database does not tell our place", error=str(error))
            except VigieError as error:
                self._fail(error)
        self._share.partitions = partitions
        self._backfill.share(partitions)

    async def _watch_lag(self) -> None:
        while True:
            lag: int | None = None
            with suppress(Exception):  # Kafka is away: the lag is what it was
                measured = self._share.lag(self._applier.places)
                lag = await asyncio.wait_for(measured, LAG_WITHIN_SECONDS)
            self.watchdog.tell(lag)
            self._lag = self._lag if lag is None else lag
            await asyncio.sleep(LAG_EVERY_SECONDS)


async def run(settings: Settings, metrics_port: int, names: Names | None = None) -> None:
    """Run a worker with its /metrics and /healthz until it is told to stop. Raises as it does."""
    quiet()
    names = names or Names()
    worker = Worker(settings, names, Follower(settings.kafka, names.registry))
    watched = health.serve(
        settings.metrics_host,
        metrics_port,
        {
            "share": worker.unready,
            "database": worker.watchdog.database,
            "progress": worker.watchdog.slow,
        },
    )
    try:
        await worker.run()
    finally:
        watched.close()
