"""NEWS2, the National Early Warning Score 2 (Royal College of Physicians, London 2017, chart 1).

Validated for adult inpatients; not for patients under 16 or pregnant women. At home it is one more
number for the physician, not a validated one.

References
----------
Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the assessment of
acute-illness severity in the NHS. London: RCP, 2017.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from detectors.findings import Evidence, Finding, Kind, Priority, Score
from ingest.readings import Vital
from ingest.registry.entities import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Sample
    from ingest.registry.entities import Patient

RULE = "news2"
DETECTOR = "news2/1"

# RCP 2017, chart 4: 5 to 6 an urgent, 7 or more an emergency response; 3 in a single parameter an
# urgent ward-based one.
HIGH = 7
MEDIUM = 5
RED = 3

# How long a value speaks for the patient, in event time (engineering choice: NEWS2 says how often
# to measure, at least every 12 h on a ward, but not when a value is void).
HOME_VALIDITY = timedelta(hours=24)
VALIDITY: Mapping[Profile, timedelta] = MappingProxyType(
    {
        Profile.ICU: timedelta(hours=1),
        Profile.WARD: timedelta(hours=12),
        Profile.HOME_HEART: HOME_VALIDITY,
        Profile.HOME_RESPIRATORY: HOME_VALIDITY,
        Profile.WEARABLE: HOME_VALIDITY,
    }
)


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
# What is kept; diastolic gives no points, and goes with systolic as one blood pressure.
USED = frozenset({*CHART, Vital.PULSE_RATE, Vital.OXYGEN_FLOW, Vital.DIASTOLIC})
# What the score is asked anew for.
ASKED = USED - {Vital.DIASTOLIC}


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
        if self.total is None or (self.total < MEDIUM and not self.red):
            return None
        return Priority.HIGH if self.total >= HIGH else Priority.MEDIUM


def score(values: Mapping[Vital, float], scale: int = 1) -> News2:
    """Add up NEWS2 over the vitals that are known; what is missing gives nothing and is named.

    Parameters
    ----------
    values
        Values in each vital's own unit. `pulse_rate` stands in for a missing `heart_rate`. The
        patient is on oxygen if `supplemental_oxygen` is 1 or `oxygen_flow` is above 0.
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
    points: list[tuple[Vital, int]] = []
    missing: list[Vital] = []
    oxygen = _oxygen(values)
    on_oxygen = oxygen is not None and oxygen[1] > 0
    for vital in CHART:
        if vital is Vital.SUPPLEMENTAL_OXYGEN:
            if oxygen is None:
                missing.append(vital)
            else:
                points.append(oxygen)
            continue
        source = vital
        value = values.get(vital)
        if value is None and vital is Vital.HEART_RATE:
            source = Vital.PULSE_RATE
            value = values.get(source)
        if value is None:
            missing.append(vital)
        elif vital is Vital.SPO2:
            points.append((vital, _spo2_bands(scale, on_oxygen=on_oxygen)(value)))
        elif vital is Vital.TEMPERATURE:
            # The chart's bands are tenths of a degree: 36.04 is 36.0.
            points.append((vital, TEMPERATURE(round(value, 1))))
        else:
            points.append((source, _BANDS[vital](value)))
    total = sum(given for _, given in points) if points else None
    return News2(total, tuple(points), tuple(missing), any(p == RED for _, p in points))


_BANDS: Mapping[Vital, Bands] = MappingProxyType(
    {
        Vital.RESPIRATORY_RATE: RESPIRATORY_RATE,
        Vital.SYSTOLIC: SYSTOLIC,
        Vital.HEART_RATE: PULSE,
        Vital.CONSCIOUSNESS: CONSCIOUSNESS,
    }
)


def _oxygen(values: Mapping[Vital, float]) -> tuple[Vital, int] | None:
    """Name the vital that says whether oxygen is given, and its points; None when unknown."""
    known = None
    for vital in (Vital.SUPPLEMENTAL_OXYGEN, Vital.OXYGEN_FLOW):
        value = values.get(vital)
        if value is None:
            continue
        if value > 0:
            return vital, OXYGEN_POINTS
        known = known or (vital, 0)
    return known


def _spo2_bands(scale: int, *, on_oxygen: bool) -> Bands:
    if scale == 1:
        return SPO2_SCALE_1
    return SPO2_SCALE_2_OXYGEN if on_oxygen else SPO2_SCALE_2_AIR


class Input(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The newest value of one vital, when it was measured (UTC) and by what."""

    value: float
    time: datetime
    device: str


class News2Detector:
    """Keeps the newest value of each vital, and scores those that still speak for the patient.

    A value older than its validity (see `VALIDITY`) is missing, measured against the newest time
    that any value came with. Values marked as suspect count: a saturation below 50 % may be a
    loose probe or a dying patient, and only one of the two errors can be taken back. Cost: a few
    microseconds per instant. State: about 30 bytes per vital.
    """

    def __init__(self, inputs: Mapping[Vital, Input] | None = None) -> None:
        self._inputs = dict(inputs or {})
        self._latest = max((i.time for i in self._inputs.values()), default=None)

    def score(self, settings: Patient, sample: Sample) -> Score | None:
        """Score the patient as if this value were the newest; None for vitals without points."""
        if sample.vital not in ASKED or not self._inputs:
            return None
        latest = sample.time if self._latest is None else max(sample.time, self._latest)
        values = self._valid(settings, latest)
        values[sample.vital] = sample.value
        total = score(values, settings.spo2_scale).total
        return None if total is None else Score(float(total), None, float(MEDIUM - 1))

    def learn(self, sample: Sample) -> None:
        """Keep the value, unless a newer one of this vital is known."""
        if sample.vital not in USED:
            return
        known = self._inputs.get(sample.vital)
        if known is None or sample.time >= known.time:
            self._inputs[sample.vital] = Input(sample.value, sample.time, sample.device)
            if self._latest is None or sample.time > self._latest:
                self._latest = sample.time

    def judge(self, settings: Patient) -> tuple[News2, Finding | None]:
        """Score what is known and still valid, with the finding where a human must look."""
        if self._latest is None:
            return score({}), None
        news2 = score(self._valid(settings, self._latest), settings.spo2_scale)
        priority = news2.priority
        if priority is None or news2.total is None:
            return news2, None
        finding = Finding(
            rule=RULE,
            kind=Kind.PHYSIOLOGICAL,
            priority=priority,
            detector=DETECTOR,
            evidence=self._evidence(news2, settings.spo2_scale),
            score=float(news2.total),
            missing=news2.missing,
        )
        return news2, finding

    def snapshot(self) -> dict[Vital, Input]:
        """Return the newest value of each vital."""
        return dict(self._inputs)

    @classmethod
    def restore(cls, state: Mapping[Vital, Input]) -> News2Detector:
        """Make a detector that goes on where the one of the snapshot stood."""
        return cls(state)

    def _valid(self, settings: Patient, now: datetime) -> dict[Vital, float]:
        oldest = now - VALIDITY[settings.profile]
        return {v: i.value for v, i in self._inputs.items() if i.time >= oldest}

    def _evidence(self, news2: News2, scale: int) -> tuple[Evidence, ...]:
        found = []
        for vital, points in news2.points:
            if not points:
                continue
            one = self._inputs[vital]
            low, high = EXPECTED.get(vital, UNBOUNDED)
            if vital is Vital.SPO2 and scale != 1:
                low, high = EXPECTED_SPO2_SCALE_2
            found.append(Evidence(vital, one.value, one.time, one.device, low, high, points))
            pair = self._inputs.get(Vital.DIASTOLIC)
            # A blood pressure is shared as one measure: the diastolic goes with its systolic.
            if vital is Vital.SYSTOLIC and pair and pair.time == one.time:
                found.append(Evidence(Vital.DIASTOLIC, pair.value, pair.time, pair.device))
        return tuple(found)
