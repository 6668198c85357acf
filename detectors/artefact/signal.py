"""One vital's own signal: a change that no body makes, a sensor that is off, a flat line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.artefact.state import Doubt, Trace, What
from ingest.readings import Quality

if TYPE_CHECKING:
    from detectors.artefact.state import Plausible
    from detectors.base import Sample

SUSPECT = int(Quality.SUSPECT)
# A gap longer than this ends a flat line: nobody knows what was between. As `alerts.episode` has
# it, what comes less often is a spot measurement.
DENSE_SECONDS = 60


def jumped(trace: Trace, sample: Sample, at: int, plausible: Plausible) -> bool:
    """Whether a value is farther from the last believed one than a body can go in that time.

    >>> from detectors.artefact.state import HEART
    >>> from detectors.base import Sample
    >>> jumped(Trace(80.0, 0, 0), Sample("heart_rate", 141.0), 5, HEART)
    True
    >>> jumped(Trace(80.0, 0, 0), Sample("heart_rate", 140.0), 5, HEART)
    False
    """
    change = sample.value - trace.value
    most = plausible.rise if change > 0 else plausible.fall
    if most is None:
        return False
    return abs(change) > most * max(1.0, (at - trace.at) / plausible.seconds)


def held(trace: Trace, at: int, plausible: Plausible) -> bool:
    """Whether values that were not believed have come, without one that was, for long enough."""
    doubt = trace.doubt
    return doubt is not None and doubt.streak is not None and at - doubt.streak >= plausible.confirm


def going_on(trace: Trace | None, at: int, calm: float) -> Doubt | None:
    """Return the doubts that a further one now would belong to; None: it is a new matter."""
    if trace is None or trace.doubt is None or at - trace.doubt.last > calm:
        return None
    return trace.doubt


def what(doubt: Doubt | None, sample: Sample) -> What:
    """Name what is wrong; it keeps its name until the matter is over."""
    if doubt is not None:
        return What(doubt.what)
    return What.OFF if sample.value <= 0 or sample.quality & SUSPECT else What.JUMP


def flat_for(trace: Trace, sample: Sample, at: int) -> int:
    """For how many seconds the vital has given the very same number, this one included."""
    if sample.value != trace.value or not 0 <= at - trace.at <= DENSE_SECONDS:
        return 0
    return at - trace.same


def doubt(trace: Trace, sample: Sample, at: int, calm: float) -> None:
    """Remember that a value was not believed."""
    known = going_on(trace, at, calm)
    streak = None if trace.doubt is None else trace.doubt.streak
    if known is None:
        first = at if streak is None else streak
        trace.doubt = Doubt(int(what(None, sample)), at, first, at)
        return
    known.streak = at if streak is None else streak
    known.last = max(known.last, at)


def follow(trace: Trace, value: float, at: int) -> None:
    """Remember the newest value of a vital that nobody doubts."""
    if value != trace.value or at - trace.at > DENSE_SECONDS:
        trace.same = at
        trace.value = value
    trace.at = at


def believe(trace: Trace, sample: Sample, at: int, calm: float) -> None:
    """Remember a value that is believed; a late one changes nothing."""
    if at < trace.at:
        return
    follow(trace, sample.value, at)
    if trace.doubt is not None:
        trace.doubt.streak = None
        if at - trace.doubt.last >= calm:
            trace.doubt = None
