"""The feed's clock of a partition, and who must be asked when by it. Pure."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

# Ticks come every two seconds. What lies between two of them that are farther apart does not count:
# the gateways, Kafka or the way to it were away, so no patient's silence means anything. Five times
# the interval, so that a slow moment of a gateway costs nothing (engineering choice).
DEAD_AFTER_SECONDS = 10.0
# A watch from which anything is expected is asked so often in any case: a prescription may be late
# earlier than was foreseen (the feed was dead in between), or have been set meanwhile. Each
# patient's at another second, so that they do not come all at once (engineering choice).
ASK_EVERY_SECONDS = 3600


def alive(fed: float, last: datetime | None, tick: datetime) -> float:
    """Return for how many seconds the feed has been alive at a tick.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> alive(60.0, noon, noon.replace(second=2)), alive(60.0, noon, noon.replace(minute=2))
    (62.0, 60.0)
    """
    passed = 0.0 if last is None else (tick - last).total_seconds()
    return fed + passed if 0 < passed <= DEAD_AFTER_SECONDS else fed


class Asking:
    """When each patient's watch must be asked next, in seconds of the feed's clock.

    It depends on what is due and on the clock, not on when a worker was started: a replay asks at
    the same ticks. Memory: a few entries per patient. To take what is due costs as much as is due.
    """

    def __init__(self, dues: Mapping[str, float | None], fed: float) -> None:
        self._next = {patient: _next(patient, due, fed) for patient, due in dues.items()}
        self._queue = [(at, patient) for patient, at in self._next.items() if at is not None]
        heapify(self._queue)
        self._queued = {patient: at for at, patient in self._queue}

    def expect(self, patient: str, due: float | None, fed: float) -> None:
        """Ask this patient's watch at `due` next (None: not at all); what is past was asked."""
        at = self._next[patient] = _next(patient, due, fed)
        queued = self._queued.get(patient)
        if at is not None and (queued is None or at < queued):
            heappush(self._queue, (at, patient))
            self._queued[patient] = at

    def forget(self, patient: str) -> None:
        """Ask this patient's watch no more."""
        self._next.pop(patient, None)

    def take(self, fed: float) -> Iterator[str]:
        """Yield whom to ask now. Say for each of them what to expect next."""
        while self._queue and self._queue[0][0] <= fed:
            at, patient = heappop(self._queue)
            if self._queued.get(patient) != at:
                continue  # an earlier place in the queue was found since
            del self._queued[patient]
            due = self._next.get(patient)
            if due is None:
                continue
            if due > fed:  # something came meanwhile
                heappush(self._queue, (due, patient))
                self._queued[patient] = due
            else:
                yield patient


def _next(patient: str, due: float | None, fed: float) -> float | None:
    if due is None:
        return None
    second = crc32(patient.encode()) % ASK_EVERY_SECONDS
    mark = fed - (fed - second) % ASK_EVERY_SECONDS + ASK_EVERY_SECONDS
    return min(due, mark) if due > fed else mark
