"""The chart of NEWS2: bands, points, and what they come to (RCP, London 2017, charts 1 and 4).

References
----------
Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the assessment of
acute-illness severity in the NHS. London: RCP, 2017.
"""

from __future__ import annotations

from bisect import bisect_left
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from detectors.findings import Priority
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# RCP 2017, chart 4: 5 to 6 an urgent, 7 or more an emergency response; 3 in a single parameter an
# urgent ward-based one.
HIGH = 7
MEDIUM = 5
RED = 3


class Bands(NamedTuple):
    """Points by band: `points[i]` up to and including `tops[i]`, the last one above all tops.

    The chart's bands are integers: a value between two of them counts in the upper one.
    """

    tops: tuple[float, ...]
    points: tuple[int, ...]

    def __call__(self, value: float) -> int:
        """Give the points of a value.

        >>> Bands((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))(90.5)
        1
        """
        return self.points[bisect_left(self.tops, value)]


RESPIRATORY_RATE = Bands((8, 11, 20, 24), (3, 1, 0, 2, 3))
SPO2_SCALE_1 = Bands((91, 93, 95), (3, 2, 1, 0))
# Scale 2: for a clinician-confirmed hypercapnic failure, target 88 to 92 %.
SPO2_SCALE_2_AIR = Bands((83, 85, 87), (3, 2, 1, 0))
SPO2_SCALE_2_OXYGEN = Bands((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
SYSTOLIC = Bands((90, 100, 110, 219), (3, 2, 1, 0, 3))
PULSE = Bands((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))
TEMPERATURE = Bands((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2))
CONSCIOUSNESS = Bands((0,), (0, 3))
OXYGEN_POINTS = 2
# What gives no points, as the reader of an alert is told it: the chart's bands of 0 (None: open).
EXPECTED: Mapping[Vital, tuple[float | None, float | None]] = MappingProxyType(
    {
        Vital.RESPIRATORY_RATE: (12.0, 20.0),
        Vital.SPO2: (96.0, None),
        Vital.SYSTOLIC: (111.0, 219.0),
        Vital.HEART_RATE: (51.0, 90.0),
        Vital.PULSE_RATE: (51.0, 90.0),
        Vital.TEMPERATURE: (36.1, 38.0),
    }
)
EXPECTED_SPO2_SCALE_2 = (88.0, 92.0)
UNBOUNDED = (None, None)

# The seven parameters, in the order of the chart, as the missing list names them.
CHART = (
    Vital.RESPIRATORY_RATE,
    Vital.SPO2,
    Vital.SUPPLEMENTAL_OXYGEN,
    Vital.SYSTOLIC,
    Vital.HEART_RATE,
    Vital.TEMPERATURE,
    Vital.CONSCIOUSNESS,
)
# What is kept, each at its place: the chart's seven, what may stand in for one of them, and the
# diastolic pressure, which gives no points and goes with the systolic as one measure.
INPUTS = (*CHART, Vital.PULSE_RATE, Vital.OXYGEN_FLOW, Vital.DIASTOLIC)
PLACES: Mapping[str, int] = MappingProxyType({vital: place for place, vital in enumerate(INPUTS)})
_SPO2, _OXYGEN, _RATE = (
    PLACES[vital] for vital in (Vital.SPO2, Vital.SUPPLEMENTAL_OXYGEN, Vital.HEART_RATE)
)
_PULSE, _FLOW = PLACES[Vital.PULSE_RATE], PLACES[Vital.OXYGEN_FLOW]


def _temperature(value: float) -> int:
    # The chart's bands are tenths of a degree: 36.04 is 36.0.
    return TEMPERATURE(round(value, 1))


def _oxygen(value: float) -> int:
    return OXYGEN_POINTS if value > 0 else 0


# The points of each input by itself, by place; of a saturation on scale 1.
POINTS: tuple[Callable[[float], int], ...] = (
    RESPIRATORY_RATE.__call__,
    SPO2_SCALE_1.__call__,
    _oxygen,
    SYSTOLIC.__call__,
    PULSE.__call__,
    _temperature,
    CONSCIOUSNESS.__call__,
    PULSE.__call__,
    _oxygen,
    lambda _: 0,
)


class News2(NamedTuple):
    """A score over what is known.

    `total` is None when nothing is known. `points` has each parameter that is known, by the vital
    that it was read from, in the chart's order; `missing` has the others. `red` means that a
    single parameter gave 3.
    """

    total: int | None
    points: tuple[tuple[Vital, int], ...]
    missing: tuple[Vital, ...]
    red: bool

    @property
    def priority(self) -> Priority | None:
        """How soon a human must look; None when nobody has to. A lone 3 is medium at most."""
        return priority(self.total, red=self.red)


def priority(total: int | None, *, red: bool) -> Priority | None:
    """Say how soon a human must look (chart 4); None when nobody has to.

    >>> priority(3, red=True), priority(4, red=False)
    (<Priority.MEDIUM: 'medium'>, None)
    """
    if total is None or (total < MEDIUM and not red):
        return None
    return Priority.HIGH if total >= HIGH else Priority.MEDIUM


def score(values: Mapping[str, float] | Mapping[Vital, float], scale: int = 1) -> News2:
    """Add up NEWS2 over the vitals that are known; what is missing gives nothing and is named.

    Parameters
    ----------
    values
        Values of one moment in each vital's own unit. `pulse_rate` stands in for a missing
        `heart_rate`. The patient is on oxygen if `supplemental_oxygen` is 1 or `oxygen_flow` is
        above 0.
    scale
        The SpO2 scale, 1 or 2; on scale 2, a patient of whom neither is known counts as on air.

    Examples
    --------
    >>> score({Vital.RESPIRATORY_RATE: 22, Vital.SPO2: 95, Vital.HEART_RATE: 112}).total
    5
    >>> score({Vital.SPO2: 97}).missing[:3]
    (<Vital.RESPIRATORY_RATE: 'respiratory_rate'>, <Vital.SUPPLEMENTAL_OXYGEN: \
'supplemental_oxygen'>, <Vital.SYSTOLIC: 'systolic'>)
    """
    known = [values.get(vital) for vital in INPUTS]
    points = [
        None if value is None else points_of(value)
        for value, points_of in zip(known, POINTS, strict=True)
    ]
    found, total = add_up(points, [None if p is None else 0.0 for p in points], known[_SPO2], scale)
    missing = tuple(vital for vital, place in zip(CHART, found, strict=True) if place < 0)
    return News2(
        total if len(missing) < len(CHART) else None,
        tuple((INPUTS[place], points[place] or 0) for place in found if place >= 0),
        missing,
        any(points[place] == RED for place in found if place >= 0),
    )


def add_up(
    points: list[int | None], times: Sequence[float | None], spo2: float | None, scale: int
) -> tuple[list[int], int]:
    """Add up what is known and speaks for the patient.

    Parameters
    ----------
    points
        The points of each input by place; None is not known. On scale 2 the saturation's are set.
    times
        When each was measured, in seconds: of two statements about oxygen the newer one holds, of
        two of one moment the one that says "on oxygen".
    spo2
        The saturation, %.
    scale
        The SpO2 scale, 1 or 2.

    Returns
    -------
    tuple[list[int], int]
        The place that each parameter of the chart is read from (-1: missing), and the total.
    """
    found = [0, 1, _OXYGEN, 3, _RATE, 5, 6]
    if points[_RATE] is None:
        found[_RATE] = _PULSE
    flow = points[_FLOW]
    if flow is not None:
        stated = points[_OXYGEN]
        if stated is None or (times[_FLOW] or 0.0, flow) > (times[_OXYGEN] or 0.0, stated):
            found[_OXYGEN] = _FLOW
    if scale != 1 and spo2 is not None and points[_SPO2] is not None:
        bands = SPO2_SCALE_2_OXYGEN if points[found[_OXYGEN]] else SPO2_SCALE_2_AIR
        points[_SPO2] = bands(spo2)
    total = 0
    for parameter, place in enumerate(found):
        given = points[place]
        if given is None:
            found[parameter] = -1
        else:
            total += given
    return found, total
