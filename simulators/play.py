"""Plays series to the broker through simulated devices, at a pace, and counts what became of them.

One thread drives all devices; each device's client has a network thread of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from simulators.pending import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulators.pending import Pending
    from simulators.series import Sample, Value

# How many instants one message holds at most, when more than one is due.
PER_MESSAGE = 60
# How often due instants are looked for when time, not a receipt, is what is waited for.
LOOK_SECONDS = 0.1
# How long an interrupted run still waits for receipts.
FAREWELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How patients' time runs against the wall clock; both moments are UTC.

    At `wall` it is `data` for the patients, and `speed` seconds pass for them in each second.
    `speed` None means: everything is due at once, and the receipts set the pace.
    """

    wall: datetime
    data: datetime
    speed: float | None = 1.0

    def until(self, now: datetime) -> datetime:
        """Return the moment of the patients' time up to which samples are due.

        >>> start = datetime(2026, 11, 24, 3, tzinfo=UTC)
        >>> Pace(start, start, 60).until(start.replace(second=2)).minute
        2
        """
        if self.speed is None:
            return datetime.max.replace(tzinfo=UTC)
        return self.data + (now - self.wall) * self.speed


class Device(Protocol):
    """A device as the player needs it; `simulators.bedside.Bedside` is the real one."""

    @property
    def pending(self) -> Pending:
        """What the device must not forget yet."""
        ...

    def send(self, readings: Sequence[dict[str, Value]]) -> None:
        """Keep the instants as one message and publish it. Must not block."""
        ...

    def pump(self) -> None:
        """Publish what is due; called about ten times a second. Must not block."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class Feed:
    """One device's samples, taken as they become due.

    A series may be endless; it is read one sample further than what is due. A message holds at
    most `per_message` instants.
    """

    def __init__(
        self, device: str, samples: Iterable[Sample], per_message: int = PER_MESSAGE
    ) -> None:
        self.device = device
        self._per_message = per_message
        self._rest: Iterator[Sample] = iter(samples)
        self._head = next(self._rest, None)

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to send."""
        return self._head is None

    def take(self, until: datetime) -> list[Sample]:
        """Take the samples of one message, as far as they are due."""
        taken: list[Sample] = []
        while self._head is not None and self._head.due <= until and len(taken) < self._per_message:
            taken.append(self._head)
            self._head = next(self._rest, None)
        return taken

    def end(self) -> None:
        """Send no more."""
        self._head = None
        self._rest = iter(())


@dataclass(slots=True)
class Outcome:
    """What a run did: the figures of all devices, messages without a receipt, seconds it took."""

    tally: Tally = field(default_factory=Tally)
    unsettled: int = 0
    unplayed: int = 0  # devices given up before the end of their series
    seconds: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether everything was sent, and every message got its receipt."""
        return self.unsettled == 0 and self.unplayed == 0


class _Playing:
    """One device at work."""

    def __init__(self, feed: Feed, device: Device) -> None:
        self.feed, self.device = feed, device
        self._safe, self.moved = 0, monotonic()

    def step(self, until: datetime) -> None:
        pending = self.device.pending
        if pending.settled or pending.tally.safe != self._safe:
            self._safe, self.moved = pending.tally.safe, monotonic()
        while pending.room and (samples := self.feed.take(until)):
            self.device.send([sample.instant() for sample in samples])
        self.device.pump()

    def finished(self, patience_seconds: float | None) -> bool:
        if self.feed.ended and self.device.pending.settled:
            return True
        return patience_seconds is not None and monotonic() - self.moved > patience_seconds

    def give_up_after(self, seconds: float, patience: float) -> None:
        """Send no more, and wait `seconds` from now for what is still out."""
        self.feed.end()
        self.moved = monotonic() + seconds - patience


class Player:
    """Plays feeds, at most `connections` devices at a time.

    `connect` opens a device's connection; it gets what to call when a receipt comes.
    `patience_seconds` is how long a device may be without progress before it is given up;
    None waits for ever, as a device on a ward does.
    """

    def __init__(
        self,
        connect: Callable[[str, Callable[[], object]], Device],
        *,
        connections: int,
        patience_seconds: float | None,
    ) -> None:
        self._connect = connect
        self._connections = connections
        self._patience = patience_seconds
        self._wake = threading.Event()
        self._open: list[_Playing] = []
        self._waiting: deque[Feed] = deque()
        self._closed = Outcome()
        self._stopped = False

    def stop(self) -> None:
        """End the run: send nothing new, wait a few seconds for receipts. Signal handlers may."""
        self._stopped = True
        self._wake.set()

    def silent_seconds(self) -> float:
        """Say for how long no device at all has got a receipt that it waits for."""
        now = monotonic()
        return min((now - playing.moved for playing in list(self._open)), default=0.0)

    def now(self) -> Tally:
        """Return the figures so far."""
        total = Tally()
        for tally in chain([self._closed.tally], (p.device.pending.tally for p in self._open)):
            total.add(tally)
        return total

    def run(self, feeds: Iterable[Feed], pace: Pace, watch: Callable[[Tally], object]) -> Outcome:
        """Play until every message has its receipt, or patience ends, or `stop` was called.

        `watch` gets the figures about ten times a second.
        """
        began, stopping, shown = monotonic(), False, 0.0
        self._waiting.extend(feeds)
        hurry: Callable[[], object] = self._wake.set if pace.speed is None else lambda: None
        while self._open or self._waiting:
            if self._stopped and not stopping:
                stopping = True
                self._take_leave()
            while self._waiting and len(self._open) < self._connections:
                feed = self._waiting.popleft()
                self._open.append(_Playing(feed, self._connect(feed.device, hurry)))
            self._step(pace.until(datetime.now(UTC)))
            if monotonic() - shown > LOOK_SECONDS:
                shown = monotonic()
                watch(self.now())
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
        watch(self.now())
        self._closed.seconds = monotonic() - began
        return self._closed

    def _step(self, until: datetime) -> None:
        for playing in self._open:
            playing.step(until)
        finished = [p for p in self._open if p.finished(self._patience)]
        self._open = [p for p in self._open if p not in finished]
        for playing in finished:
            playing.device.close()
            self._closed.tally.add(playing.device.pending.tally)
            self._closed.unsettled += len(playing.device.pending)
            self._closed.unplayed += not playing.feed.ended

    def _take_leave(self) -> None:
        self._patience = self._patience or FAREWELL_SECONDS
        self._waiting.clear()
        for playing in self._open:
            playing.give_up_after(FAREWELL_SECONDS, self._patience)
