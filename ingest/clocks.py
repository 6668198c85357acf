"""A device clock that is constantly wrong is noticed and reported, and never corrected silently.

The newest reading of a message is at best as old as the message's journey. A device that never
comes close to that, or whose readings always lie in the future, has a wrong clock; one that sends
old readings now and then has not. Only the registry's `clock_offset_seconds` corrects a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ingest.readings import Refusal

if TYPE_CHECKING:
    from datetime import datetime

# Ours: below it, no clinical question is decided by the difference.
WRONG = timedelta(minutes=2)
# A judgement needs so many messages over so long a time, so that one outage is no wrong clock.
MESSAGES, SECONDS = 20, 300.0
# A message a second is enough of each device.
EVERY_SECONDS = 1.0
TIMES = frozenset({Refusal.TIME_AHEAD, Refusal.TIME_TOO_OLD})


@dataclass(slots=True)
class _Watched:
    began: float
    due: float
    messages: int = 0
    refused: int = 0
    nearest: timedelta | None = None  # gateway time less device time, of the message closest to it


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A device whose clock is wrong. `ahead` by how much, negative when it is behind.

    None: so wrong that every time it sent was refused.
    """

    device: str
    ahead: timedelta | None


class Clocks:
    """Watches the clocks of devices that the registry knows. All `now` are monotonic seconds."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._wrong: dict[str, WrongClock] = {}
        self._news: list[WrongClock] = []

    @property
    def wrong(self) -> int:
        """How many devices' clocks were wrong when last judged."""
        return len(self._wrong)

    def due(self, device: str, now: float) -> bool:
        """Whether a message of this device is worth a look now."""
        watched = self._watched.get(device)
        return watched is None or now >= watched.due

    def saw(self, device: str, newest: datetime, received: datetime, now: float) -> None:
        """Note a message that passed: its newest time as the device gave it, and the gateway's."""
        watched = self._of(device, now)
        delay = received - newest
        if watched.nearest is None or abs(delay) < abs(watched.nearest):
            watched.nearest = delay
        self._count(device, watched, now)

    def refused(self, device: str, now: float) -> None:
        """Note a message of which no time could be believed."""
        watched = self._of(device, now)
        watched.refused += 1
        self._count(device, watched, now)

    def news(self) -> list[WrongClock]:
        """Return what was found since the last call; each wrong clock once, until it is right."""
        news, self._news = self._news, []
        return news

    def _of(self, device: str, now: float) -> _Watched:
        return self._watched.setdefault(device, _Watched(began=now, due=now))

    def _count(self, device: str, watched: _Watched, now: float) -> None:
        watched.messages += 1
        watched.due = now + EVERY_SECONDS
        if watched.messages < MESSAGES or now - watched.began < SECONDS:
            return
        del self._watched[device]
        nearest = watched.nearest
        if nearest is not None and abs(nearest) <= WRONG:
            self._wrong.pop(device, None)
            return
        found = WrongClock(device, None if nearest is None else -nearest)
        if device not in self._wrong:
            self._news.append(found)
        self._wrong[device] = found
