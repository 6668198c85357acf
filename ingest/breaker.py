"""The circuit breaker: when nearly everything is refused, the fault is ours, so stop and say so.

A bad deploy, an empty registry or a wrong clock of ours would carry every message into quarantine.
The breaker stops the gateway from taking messages instead; they wait with the broker and the
devices. Then it lets a few through now and then, and closes once most of their devices pass.

Pure: moments are seconds of a monotonic clock, given by the caller.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from ingest.readings import Refusal

if TYPE_CHECKING:
    from ingest.door import Passed

# Ours: what came within so long is looked at, once it is enough to judge by. A site where less
# comes needs no breaker: its quarantine holds it all.
WINDOW_SECONDS = 10.0
MESSAGES, DEVICES = 200, 5
# "Nearly all", of the messages and of the devices: a few that flood must not speak for a ward.
SHARE = 0.95
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10.0, 300.0
# Messages in one probe, and how many of them one device can have.
PROBES, PROBES_OF_A_DEVICE = 50, 10
# Refused messages between two looks at the window: a look costs more than a message.
LOOK_EVERY = 10
# Devices that are known to be refused; of strangers without end the oldest are forgotten.
KNOWN = 100_000

# Refusals that somebody decided on, or that say nothing is wrong: no sign of a fault of ours.
MEANT = frozenset({Refusal.ABSENT, Refusal.NOT_FINAL, Refusal.NO_CONSENT, Refusal.DEVICE_REVOKED})


class State(IntEnum):
    """Whether messages are taken; the number is what the metric shows."""

    CLOSED = 0  # as usual
    OPEN = 1  # none are taken
    PROBING = 2  # a few are taken, to see


def bad(passed: Passed) -> bool:
    """Whether a message is a sign of a fault of ours: nothing of it passed, and nobody meant that.

    A device that sends nonsense is one as well; what tells the two apart is how many do at once.
    """
    if passed.live or passed.late:
        return False
    return any(one.reason not in MEANT for one in passed.refused)


@dataclass(slots=True)
class _Second:
    """What came within one second."""

    number: int
    good: int = 0
    bad: int = 0
    well: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)


class Breaker:
    """Decides whether messages are taken.

    The caller reports each message by `seen`, asks `probe_due` about once a second, and after a
    True of either does what `taking` says. It opens when within ten seconds at least 95 % of at
    least 200 messages, and of at least 5 devices, were refused. A device that has been refused for
    longer than that counts no more: devices that go wrong one by one never open it.

    >>> breaker = Breaker()
    >>> any([breaker.seen(0.0, f"dev-{n % 20}", bad=True) for n in range(200)]), breaker.taking
    (True, False)
    >>> breaker.probe_due(9.9), breaker.probe_due(10.0), breaker.taking
    (False, True, True)
    """

    def __init__(self) -> None:
        self.state = State.CLOSED
        self._seconds: deque[_Second] = deque([_Second(0)])
        # Since when each device is refused, of those that are; in that order.
        self._wrong: dict[str, float] = {}
        self._pause = FIRST_PAUSE_SECONDS
        self._opened = 0.0
        self._probes: dict[str, list[bool]] = {}

    @property
    def taking(self) -> bool:
        """Whether the gateway should take messages."""
        return self.state is not State.OPEN

    @property
    def trouble(self) -> str | None:
        """What /healthz says; None while all is as usual."""
        if self.state is State.CLOSED:
            return None
        return f"nearly all was refused: stopped, tries again every {self._pause:g} s"

    def seen(self, now: float, device: str, *, bad: bool) -> bool:
        """Note a message that went through the door; True when the state has changed."""
        if self.state is State.OPEN:
            return False  # it was on its way when the breaker opened
        if self.state is State.PROBING:
            return self._probed(now, device, bad=bad)
        second = self._seconds[-1]
        if second.number != int(now):
            second = self._next(int(now))
        if not bad:
            self.well(now, 1, {device})
            return False
        since = self._wrong.setdefault(device, now)
        if len(self._wrong) > KNOWN:
            del self._wrong[next(iter(self._wrong))]
        if now - since > WINDOW_SECONDS:
            return False
        second.bad += 1
        second.wrong.add(device)
        if second.bad % LOOK_EVERY or not self._nearly_all():
            return False
        self._open(now)
        return True

    def well(self, now: float, messages: int, devices: set[str]) -> None:
        """Note good messages of a few milliseconds together, while all is as usual.

        Most messages are good, and one call for hundreds of them costs next to nothing.
        """
        if self.state is not State.CLOSED:
            return
        second = self._seconds[-1]
        if second.number != int(now):
            second = self._next(int(now))
        second.good += messages
        second.well |= devices
        if self._wrong:
            for device in devices:
                self._wrong.pop(device, None)

    def probe_due(self, now: float) -> bool:
        """Begin a probe if it is time for one; True when the state has changed."""
        if self.state is not State.OPEN or now - self._opened < self._pause:
            return False
        self.state = State.PROBING
        self._probes = {}
        return True

    def resume(self) -> bool:
        """Close at once, on command; True when the state has changed.

        What is refused then is taken for meant, and does not open it again.
        """
        if self.state is State.CLOSED:
            return False
        self._wrong = dict.fromkeys(self._wrong, float("-inf"))
        self._close()
        return True

    def _next(self, number: int) -> _Second:
        self._seconds.append(_Second(number))
        while self._seconds[0].number <= number - WINDOW_SECONDS:
            self._seconds.popleft()
        return self._seconds[-1]

    def _nearly_all(self) -> bool:
        refused = sum(second.bad for second in self._seconds)
        total = refused + sum(second.good for second in self._seconds)
        if total < MESSAGES or refused < SHARE * total:
            return False
        wrong = set().union(*(second.wrong for second in self._seconds))
        if len(wrong) < DEVICES:
            return False
        well = set().union(*(second.well for second in self._seconds))
        wrong -= well
        return len(wrong) >= DEVICES and len(wrong) >= SHARE * len(wrong | well)

    def _probed(self, now: float, device: str, *, bad: bool) -> bool:
        told = self._probes.setdefault(device, [])
        if len(told) < PROBES_OF_A_DEVICE:
            told.append(not bad)
        if sum(map(len, self._probes.values())) < PROBES:
            return False
        passed = sum(any(told) for told in self._probes.values())
        if 2 * passed > len(self._probes):
            self._close()
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            self._open(now)
        return True

    def _open(self, now: float) -> None:
        self.state, self._opened = State.OPEN, now

    def _close(self) -> None:
        self.state, self._pause = State.CLOSED, FIRST_PAUSE_SECONDS
        self._seconds = deque([_Second(0)])
