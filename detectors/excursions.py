"""What is going on at the bounds of a vital: since when a value has been beyond, and if it is over.

`detectors.limits` says which bounds are in force; here is what a value makes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

if TYPE_CHECKING:
    from detectors.findings import Priority

# A vital that comes less often than this is a spot measurement: the next value may be hours away,
# so seconds cannot be waited for, and `count` decides. The same minute as in `alerts.episode`.
SPOT_SECONDS = 60.0


class Run(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is going on at the bounds of a vital.

    `side` is 1 above, -1 below, 0 within; `since` the first value beyond (seconds since 1970),
    `count` the values beyond in a row. `told`: it has held long enough. `ended` is when the last
    finding ended, on the side `was`, as long as that matters. `device` is the one that keeps it
    going, `seen` when it last did.
    """

    side: int
    since: float
    count: int
    told: bool
    ended: float | None = None
    was: int = 0
    device: str = ""
    seen: float = 0.0


class Track(msgspec.Struct, array_like=True, gc=False):
    """When a bounded vital last came (whole seconds since 1970; None: it never did), and its run.

    The run is None as long as the vital is within its bounds: nearly always.
    """

    last: int | None = None
    run: Run | None = None


class Bound(NamedTuple):
    """A limit with nothing left open; `rearm` in seconds."""

    low: float | None
    high: float | None
    seconds: float
    readings: int
    margin: float
    rearm: float
    priority: Priority

    def beyond(self, value: float) -> float:
        """How far above (positive) or below (negative) the bounds a value lies."""
        if self.high is not None and value > self.high:
            return value - self.high
        if self.low is not None and value < self.low:
            return value - self.low
        return 0.0

    def back(self, value: float, side: int) -> bool:
        """Whether a value has come back from that side by the margin."""
        if side > 0:
            return self.high is None or value <= self.high - self.margin
        return self.low is None or value >= self.low + self.margin


class Heard(NamedTuple):
    """A value, the device that sent it, and when it was measured (seconds since 1970)."""

    value: float
    device: str
    at: float


def outvoted(run: Run | None, bound: Bound, heard: Heard) -> bool:
    """Whether a value has no say, because another device is beyond the bounds just now.

    Of two probes on one patient one may read well and the other not. Who waits for both to agree is
    never told, so the one that is beyond is believed until it is quiet for a minute.
    """
    return (
        run is not None
        and run.side != 0
        and run.device != heard.device
        and heard.at - run.seen <= SPOT_SECONDS
        and bound.beyond(heard.value) * run.side <= 0
    )


def following(run: Run | None, bound: Bound, heard: Heard, last: float | None) -> Run | None:
    """Say where a vital stands with this value; None: within its bounds, nothing to keep.

    `last` is when the vital came before (None: it never did).
    """
    value, device, at = heard
    beyond = bound.beyond(value)
    ended, was = (None, 0) if run is None else (run.ended, run.was)
    if run is not None and run.told:
        if not bound.back(value, run.side):
            return replace(run, device=device, seen=max(run.seen, at))
        ended, was, run = at, run.side, None
    if ended is not None and at - ended >= bound.rearm:
        ended, was = None, 0
    if not beyond:
        return None if ended is None else Run(0, at, 0, told=False, ended=ended, was=was)
    side = 1 if beyond > 0 else -1
    if run is None or run.side != side:
        run = Run(side, at, 0, told=False, seen=at)
    count = run.count + 1
    spot = last is None or at - last > SPOT_SECONDS
    held = count >= bound.readings and (spot or at - run.since >= bound.seconds)
    # What ended on the other side keeps nothing from being told on this one.
    told = held and (ended is None or was != side)
    return Run(side, min(run.since, at), count, told, ended, was, device, max(run.seen, at))
