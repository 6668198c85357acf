"""A vital's level, and Page's test of whether it has moved: the figures behind `drift`."""

from __future__ import annotations

from functools import cache
from math import isfinite
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from detectors.page_hinkley import LevelTest
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Sample
    from detectors.drift import Options

# The least spread of a level that is taken for real, in the vital's own unit (engineering choice:
# about what the mean of some minutes, or the figure of a day, varies in a patient who is well). A
# shift of less than three times this is nobody's concern.
FLOORS: Mapping[str, float] = MappingProxyType(
    {
        Vital.HEART_RATE: 3.0,
        Vital.PULSE_RATE: 3.0,
        Vital.RESPIRATORY_RATE: 1.5,
        Vital.SPO2: 1.0,
        Vital.TEMPERATURE: 0.2,
        Vital.SYSTOLIC: 6.0,
        Vital.DIASTOLIC: 4.0,
        Vital.MEAN_PRESSURE: 4.0,
        Vital.WEIGHT: 0.4,
        Vital.GLUCOSE: 15.0,
        Vital.STEPS: 1000.0,
    }
)
# Page's test, in spreads: what a level may lie off without counting, and how much must add up.
# Half of the shift that should be found, which is Page's own advice: two spreads. Measured on the
# development recordings (hourly, seven vitals), with what must add up at 8: 0.6 shifts told a day
# and patient, and 1.3 with an allowance of half a spread.
ALLOWANCE = 1.0
# A level counts for no more than this many spreads off, so that three, however high, add up to 7.5
# at most, and no spike alone to the 8 that are needed.
CLIP = 3.5
# The spread goes on being learned, at this weight for each level once it has been started: a
# patient whose first hours were still is not "shifting" ever after.
SPREAD_LEARNING = 0.02
# Levels that the reference remembers: older ones fade (River's mean, held at this count).
MEMORY = 100
# A median distance from fewer levels than this is no spread.
LEAST_WARMUP = 5
# Standard deviation of a normal distribution over its median, and its mean, absolute deviation.
FROM_MEDIAN, FROM_MEAN = 1.4826, 1.2533
# Levels are kept in hundredths of their unit until there are enough; nothing is larger than this.
HUNDREDTHS, BOUND = 100.0, 1e7


class Shift(msgspec.Struct, array_like=True, gc=False):
    """A shift that is told: when it began and was found (seconds, UTC), and the level before.

    `rising`: which way it went; it stays that way for as long as it is told.
    """

    since: int
    found: int
    before: float
    rising: bool


class Reference(msgspec.Struct, array_like=True, gc=False):
    """What levels are compared with, and what has added up since. Times are whole seconds, UTC.

    `levels` were learned (at most `MEMORY`), `mean` and `spread` are theirs. `up` and `down` are
    Page's sums, in spreads, of what lay above and below since `up_since` and `down_since`. `row`
    counts the last levels that all lay on one side beyond the allowance: above 0 for above.
    """

    levels: int
    mean: float
    spread: float
    up_since: int
    down_since: int
    up: float = 0.0
    down: float = 0.0
    row: int = 0


class Level(msgspec.Struct, array_like=True, gc=False):
    """What is known of one vital.

    The readings since `closed` (whole seconds since 1970, UTC) are gathered in `count` and `total`.
    `first` has the first levels, in hundredths, until they are enough to make a `reference` from.
    """

    closed: int
    count: int = 0
    total: float = 0.0
    first: list[int] = []
    reference: Reference | None = None
    shift: Shift | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """What is known of each vital, in levels of so many minutes."""

    minutes: float
    levels: dict[str, Level]


def fitted(state: State | None, minutes: float) -> State:
    """Return what is known in levels of this length; None, or another length: nothing is.

    After a change of profile from a bed to home, ten minutes' means say nothing of one figure a
    day: how far they vary, and how many of them a shift must last for, is another matter.
    """
    return state if state is not None and state.minutes == minutes else State(minutes, {})


def completed(level: Level, sample: Sample, at: float, options: Options) -> Level:
    """Return what is known once a sample has completed a level; `level` stays as it is."""
    mean = mean_of(level, sample.value, at, 60 * options.minutes)
    after = Level(int(at), 0, 0.0, level.first, level.reference, level.shift)
    if level.reference is not None:
        known = level.reference
        if level.shift is not None and _undone(level.shift, mean, known.spread):
            # Past its former level: that is what it is compared with again.
            after.shift, since = None, level.closed
            known = Reference(options.warmup, level.shift.before, known.spread, since, since)
        after.reference, fired = _tested(known, sample.vital, mean, after.closed, options)
        if fired:
            _shifted(after, after.reference, known.mean, mean)
        elif after.shift is not None and after.reference.levels > options.stays:
            after.shift = None
        return after
    after.first = [*level.first, round(min(max(mean, -BOUND), BOUND) * HUNDREDTHS)]
    if len(after.first) >= options.warmup:
        after.reference, after.first = _start(after.first, sample.vital, after.closed), []
    return after


def _tested(
    reference: Reference, vital: str, mean: float, closed: int, options: Options
) -> tuple[Reference, bool]:
    """Return the reference after a level, and whether that has made a shift."""
    spread = reference.spread
    off = min(max((mean - reference.mean) / spread, -CLIP), CLIP)
    # A new reference is as good as half a warm-up before it can be left again.
    test = _page_hinkley(options.threshold, options.warmup // 2)
    step = test.step(reference.levels, reference.up, reference.down, off)
    side = (off > ALLOWANCE) - (off < -ALLOWANCE)
    row = side if side * reference.row <= 0 else reference.row + side
    after = Reference(
        min(reference.levels + 1, MEMORY),
        reference.mean + step.moved * spread,
        max(spread + SPREAD_LEARNING * (FROM_MEAN * abs(off) - 1.0) * spread, FLOORS[vital]),
        reference.up_since if step.up else closed,
        reference.down_since if step.down else closed,
        step.up,
        step.down,
        row,
    )
    added = step.up if row > 0 else step.down
    return after, step.fired and added > options.threshold and abs(row) >= options.lasting


def mean_of(level: Level, value: float, at: float, width: float) -> float:
    """Return the mean of what was gathered, with the value that completes it.

    What was gathered before a gap is left out: it is of another time.
    """
    if at - level.closed > 2 * width:
        return value
    mean = (level.total + value) / (level.count + 1)
    return mean if isfinite(mean) else value


def _start(first: list[int], vital: str, closed: int) -> Reference:
    """Take the reference from the first levels: their median, and their median distance from it."""
    centre = median(first)
    distance = median([abs(one - centre) for one in first])
    spread = max(FROM_MEDIAN * distance / HUNDREDTHS, FLOORS[vital])
    return Reference(len(first), centre / HUNDREDTHS, spread, closed, closed)


def _undone(shift: Shift, mean: float, spread: float) -> bool:
    """Whether a level lies beyond the one before the shift, on the other side of it."""
    return mean < shift.before - spread if shift.rising else mean > shift.before + spread


def _shifted(level: Level, reference: Reference, before: float, mean: float) -> None:
    """Note a shift from the level `before`, and compare with the new one from here on.

    A vital that has come back from a shift that is still told has not shifted: all is as it was.
    """
    told, closed = level.shift, level.closed
    back = told is not None and abs(mean - told.before) < abs(mean - before)
    rising = reference.row > 0
    since = reference.up_since if rising else reference.down_since
    level.shift = None if back else Shift(since, closed, before, rising)
    level.reference = Reference(1, mean, reference.spread, closed, closed)


@cache
def _page_hinkley(threshold: float, least: int) -> LevelTest:
    return LevelTest(threshold, ALLOWANCE, least)
