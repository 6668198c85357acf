"""What a risk model looks at: statistics of each vital that forget by the clock of events.

Hours since admission and the pattern of what was measured are no features: they tell what the staff
thought, not how the patient is. So each statistic is a mean of a function of single readings, with
weights that add up to 1: if what is measured had nothing to do with the patient, its expectation
would be the same after one reading and after a hundred. (A deviation that starts at 0 and grows as
it warms up would be a clock in disguise.) A vital that never came gives nothing.
"""

from __future__ import annotations

from math import exp2
from typing import TYPE_CHECKING, NamedTuple

from detectors.news2_chart import PLACES as NEWS2_PLACES
from detectors.news2_chart import POINTS
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What is known of one vital: see `HEAD`, then the figures of its functions.
Known = list[int | float]

# Engineering choices, measured on the development recordings (docs/models/sepsis.md): 24 h, the
# body's own period, against 12, 48 and 120 h; 3 h for what is new.
SHORT, LONG = 3.0, 24.0
# The newest value is smoothed with this half-life (hours), so that one bad second at 1 Hz is no
# news, while readings an hour apart stand for themselves (to one part in sixteen).
NEWEST = 0.25
# A vital is taken in no more often (seconds): less than a minute, so that a device which sends once
# a minute is not skipped for its jitter.
EVERY = 55.0
# The weight of a first reading is that of a reading an hour after another.
FIRST = 1.0
HOUR = 3600.0


class Watched(NamedTuple):
    """How one vital is looked at.

    `knots`: where the newest value's effect may bend (the edges of NEWS2's bands, and the deciles
    between them). `above` and `below`: how far a reading is beyond these, on average. `most`: a
    step between two readings counts for no more (about the 98th percentile of hourly steps).
    """

    vital: Vital
    knots: tuple[float, ...]
    above: tuple[float, ...]
    below: tuple[float, ...]
    most: float


WATCHED = (
    Watched(
        Vital.HEART_RATE,
        (40, 50, 60, 70, 80, 90, 100, 110, 120, 130),
        (90, 110),
        (65,),
        25.0,
    ),
    Watched(Vital.SPO2, (91, 93, 95, 97, 99), (), (96, 92), 6.0),
    Watched(Vital.TEMPERATURE, (35, 36, 36.5, 37, 37.5, 38, 38.5, 39), (37.5, 38.3), (36.3,), 1.5),
    Watched(Vital.SYSTOLIC, (90, 100, 110, 120, 130, 140, 160), (140,), (110,), 45.0),
    Watched(Vital.MEAN_PRESSURE, (55, 65, 75, 85, 95, 110), (100,), (70,), 35.0),
    Watched(Vital.DIASTOLIC, (40, 50, 60, 70, 80), (), (55,), 28.0),
    Watched(Vital.RESPIRATORY_RATE, (8, 11, 14, 17, 20, 24, 28), (20, 26), (13,), 12.0),
)
# A pulse stands in for a heart rate.
PLACES: dict[str, int] = {str(one.vital): place for place, one in enumerate(WATCHED)}
PLACES[Vital.PULSE_RATE] = PLACES[Vital.HEART_RATE]

# Places in what is known of a vital: time of the newest reading, of the first (whole seconds, both
# since 1970), the newest reading, where its device's name is, the smoothed newest value, the mean,
# the mean step (below 0: there was one reading only).
AT, BEGAN, VALUE, DEVICE, RECENT, MEAN, STEP = range(7)
HEAD = 7

_points: list[Callable[[float], int] | None] = [
    POINTS[NEWS2_PLACES[one.vital]] if one.vital in NEWS2_PLACES else None for one in WATCHED
]
# Diastolic pressure is a part of NEWS2's inputs only to be shared; it has no points.
_points[PLACES[Vital.DIASTOLIC]] = None


class Feature(NamedTuple):
    """An input of a model by name; `group` is what an explanation calls it together with others."""

    name: str
    group: str


def _features() -> Iterator[Feature]:
    for place, one in enumerate(WATCHED):
        vital = str(one.vital)
        newest, mean, soon = f"{vital}.now", f"{vital}.mean24h", f"{vital}.mean3h"
        yield Feature(newest, newest)
        for knot in one.knots:
            yield Feature(f"{vital}.above_{knot:g}", newest)
        yield Feature(mean, mean)
        yield Feature(f"{vital}.spread24h", f"{vital}.spread24h")
        for hours, group in ((SHORT, soon), (LONG, mean)):
            for edge in one.above:
                yield Feature(f"{vital}.outside_above_{edge:g}_{hours:g}h", group)
            for edge in one.below:
                yield Feature(f"{vital}.outside_below_{edge:g}_{hours:g}h", group)
        if _points[place] is not None:
            yield Feature(f"{vital}.outside_news2_{SHORT:g}h", soon)


FEATURES = tuple(_features())
NAMES = tuple(one.name for one in FEATURES)


def taken(place: int, known: Known, at: float, value: float, device: int) -> Known:
    """Take a reading in: returns what is known of the vital after it; `known` is not changed.

    Parameters
    ----------
    place
        Of the vital in `WATCHED`.
    known
        What was known of it; empty: nothing.
    at
        The reading's time, seconds since 1970, later than all before.
    value
        The reading, in the vital's own unit.
    device
        The place of its device's name.

    Examples
    --------
    >>> place = PLACES["heart_rate"]
    >>> one = taken(place, [], 0.0, 80.0, 0)
    >>> two = taken(place, one, 3600.0, 100.0, 0)
    >>> two[VALUE], two[RECENT], round(two[MEAN], 1), two[STEP]
    (100.0, 98.75, 90.1, 20.0)
    """
    short, long = _functions(place, value)
    if not known:
        return [at, int(at), value, device, value, value, -1.0, *short, *long]
    passed, age = (at - known[AT]) / HOUR, (at - known[BEGAN]) / HOUR
    fresh_short, fresh_long = 1 - exp2(-passed / SHORT), 1 - exp2(-passed / LONG)
    # The part of a reading in a mean of which the weights add up to 1.
    part_short = fresh_short / (1 - exp2(-(age + FIRST) / SHORT))
    part_long = fresh_long / (1 - exp2(-(age + FIRST) / LONG))
    recent, mean, step = known[RECENT], known[MEAN], known[STEP]
    moved = min(abs(value - recent), WATCHED[place].most)
    part = fresh_long / (1 - exp2(-age / LONG)) if step >= 0 else 1.0
    after: Known = [
        at,
        known[BEGAN],
        value,
        device,
        recent + (1 - exp2(-passed / NEWEST)) * (value - recent),
        mean + part_long * (value - mean),
        moved if step < 0 else step + min(part, 1.0) * (moved - step),
    ]
    split = HEAD + len(short)
    after += [
        was + part_short * (new - was) for was, new in zip(known[HEAD:split], short, strict=True)
    ]
    after += [was + part_long * (new - was) for was, new in zip(known[split:], long, strict=True)]
    return after


def vector(known: Sequence[Known]) -> list[float | None]:
    """Return the value of each feature, in the order of `FEATURES`; None: it is not known."""
    found: list[float | None] = []
    for place, (one, has) in enumerate(zip(WATCHED, known, strict=True)):
        if not has:
            found += [None] * _WIDTHS[place]
            continue
        recent = has[RECENT]
        found.append(recent)
        found += [recent - knot if recent > knot else 0.0 for knot in one.knots]
        found.append(has[MEAN])
        found.append(has[STEP] if has[STEP] >= 0 else None)
        edges = len(one.above) + len(one.below)
        points = HEAD + edges
        if _points[place] is None:
            found += has[HEAD:]
        else:  # the points are kept last of the short ones
            found += has[HEAD:points]
            found += has[points + 1 :]
            found.append(has[points])
    return found


def _functions(place: int, value: float) -> tuple[list[float], list[float]]:
    """Return what is averaged over the short and the long time."""
    one, points = WATCHED[place], _points[place]
    long = [value - edge if value > edge else 0.0 for edge in one.above]
    long += [edge - value if value < edge else 0.0 for edge in one.below]
    return (long if points is None else [*long, float(points(value))]), long


_WIDTHS = tuple(sum(one.name.startswith(f"{each.vital}.") for one in FEATURES) for each in WATCHED)
