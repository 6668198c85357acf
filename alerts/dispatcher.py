"""Hands due deliveries over, each channel in a lane of its own, and writes down how it went.

A delivery is claimed, sent, settled. A crash between sending and settling sends it once more when
the lease has ended: at least once, and recognisable by its identifier. Nothing is ever sent less.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING

import structlog

from alerts import metrics
from alerts.channels.port import NotAccepted, NotNow
from alerts.consent import NO_CONSENT, withheld
from alerts.events import DeliveryState
from alerts.journal import JournalUnavailable
from alerts.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.channels.port import Channel
    from alerts.delivery import Due
    from alerts.journal import Journal
    from ingest.ports import Clock

log = structlog.get_logger()

CONCURRENT = 16  # sends at once per channel
LOOK_EVERY_SECONDS = 1.0  # a NOTIFY usually comes first
SEND_SECONDS = 20.0  # well within the lease of 30 s
SETTLE_AGAIN_SECONDS = 0.5
GRACE_SECONDS = 5.0  # for sends under way at the end; a supervisor kills after 10 s

# Back-off: 1 s doubled per attempt, never more than a minute, so that a physician hears within
# a minute of the mail server's return; given up after a day, when the alert is history.
FIRST, LONGEST, GIVE_UP = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery: a state to settle it with, or QUEUED and the delay to wait."""

    state: DeliveryState
    reason: str | None = None
    delay: timedelta = timedelta(0)


def verdict(error: NotAccepted, attempts: int, age: timedelta, draw: float) -> Verdict:
    """Decide about a delivery that was not accepted.

    attempts: how many there were. age: since it was queued. draw: in [0, 1), spreads the retries of
    many deliveries over half of the delay.
    """
    if not error.retryable:
        return Verdict(DeliveryState.REJECTED, error.status)
    if age >= GIVE_UP:
        return Verdict(DeliveryState.FAILED, error.status)
    delay = min(LONGEST, FIRST * 2 ** min(attempts - 1, 16))
    return Verdict(DeliveryState.QUEUED, error.status, delay * (1 - draw / 2))


class Lane:
    """One channel's deliveries: claims as many as can be sent now, and no more."""

    def __init__(self, journal: Journal, channel: Channel, clock: Clock) -> None:
        self._journal, self._channel, self._clock = journal, channel, clock
        self._trouble = Trouble("no deliveries to be had", channel=channel.name)
        self._wake = asyncio.Event()
        self._stopping = False
        self._more = False  # whether more may be due than the last claim could take
        self._sending: dict[asyncio.Task[None], Due] = {}

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def stop(self) -> None:
        """Claim nothing more; `run` returns once what was claimed is settled or given back."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        while not self._stopping:
            self._wake.clear()
            free = CONCURRENT - len(self._sending)
            claimed = await self._claim(free) if free else []
            for due in claimed:
                task = asyncio.create_task(self._deliver(due))
                self._sending[task] = due
                task.add_done_callback(self._done)
            self._more = len(claimed) == free
            if self._more and len(self._sending) < CONCURRENT:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_SECONDS):
                    await self._wake.wait()
        await self._finish()

    async def _claim(self, limit: int) -> list[Due]:
        try:
            claimed = await self._journal.claim(self._channel.name, limit)
        except JournalUnavailable as error:
            self._trouble.because(error)
            return []
        self._trouble.over()
        return claimed

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        if self._more:
            self._wake.set()

    async def _deliver(self, due: Due) -> None:
        if withheld(due):
            await self._settle(due, Verdict(DeliveryState.REJECTED, NO_CONSENT))
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._channel.send(due)
        except NotAccepted as error:
            ended = self._judge(due, error)
        except TimeoutError:
            ended = self._judge(due, NotNow(self._channel.name, "timeout"))
        except Exception as error:  # noqa: BLE001 (one delivery's trouble must not stop the others)
            # The error's text is left out: it may quote the message.
            log.error("a channel failed", channel=self._channel.name, error=_place(error))  # noqa: TRY400
            ended = self._judge(due, NotNow(self._channel.name, type(error).__name__))
        else:
            ended = Verdict(self._channel.settled)
        await self._settle(due, ended)

    def _judge(self, due: Due, error: NotAccepted) -> Verdict:
        age = self._clock.now() - due.created
        return verdict(error, due.attempts, age, random.random())  # noqa: S311 (no secret)

    async def _settle(self, due: Due, ended: Verdict) -> None:
        """Write it down; while the database is away, again and again: it was sent, after all."""
        while True:
            try:
                if ended.state is DeliveryState.QUEUED:
                    await self._journal.put_back(due, ended.delay, ended.reason or "")
                else:
                    await self._journal.settle(due, ended.state, ended.reason)
                break
            except JournalUnavailable:
                await asyncio.sleep(SETTLE_AGAIN_SECONDS)
        if ended.reason == NO_CONSENT:  # as it should be, so no failure that wakes somebody
            metrics.WITHHELD.labels(self._channel.name).inc()
        else:
            metrics.DELIVERIES.labels(self._channel.name, ended.state).inc()
        log.info(
            "delivery",
            delivery=str(due.delivery.id),
            alert=str(due.delivery.alert),
            channel=self._channel.name,
            state=ended.state,
            attempts=due.attempts,
            reason=ended.reason,
        )
        if ended.state is not DeliveryState.QUEUED:
            seconds = max(0.0, (self._clock.now() - due.created).total_seconds())
            metrics.SECONDS.labels(self._channel.name).observe(seconds)

    async def _finish(self) -> None:
        if not self._sending:
            return
        claimed = dict(self._sending)
        _, unfinished = await asyncio.wait(claimed, timeout=GRACE_SECONDS)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        for task in unfinished:
            with suppress(JournalUnavailable):  # its lease gives it back then
                await self._journal.release(claimed[task])


class Dispatcher:
    """All lanes; they share the journal and nothing else, so one's trouble delays no other."""

    def __init__(self, journal: Journal, channels: Sequence[Channel], clock: Clock) -> None:
        self._lanes = [Lane(journal, channel, clock) for channel in channels]

    def wake(self) -> None:
        """Look for due deliveries now."""
        for lane in self._lanes:
            lane.wake()

    def stop(self) -> None:
        """Let `run` return soon, with nothing claimed left behind."""
        for lane in self._lanes:
            lane.stop()

    async def run(self) -> None:
        """Deliver until stopped."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())


def _place(error: BaseException) -> str:
    frames = [f"{Path(f.filename).name}:{f.lineno}" for f in extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {' > '.join(frames)}"
