"""How far a value lies from what is usual for this very patient, by River statistics."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
from river.stats import Mean  # noqa: TID251 (this folder is where River lives)

from detectors.findings import Evidence, Finding, Kind, Priority, Score
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Sample
    from ingest.registry.entities import Patient

DETECTOR = "baseline/1"
RULES: Mapping[Vital, str] = MappingProxyType({vital: f"baseline.{vital}" for vital in Vital})

# The least spread that is taken for real, per continuous vital in its own unit (engineering
# choice, near the resolution and repeatability of bedside and home devices). A patient who lies
# still, measured in whole numbers, would otherwise be "far off" after one beat per minute.
FLOORS: Mapping[Vital, float] = MappingProxyType(
    {
        Vital.HEART_RATE: 3.0,
        Vital.PULSE_RATE: 3.0,
        Vital.RESPIRATORY_RATE: 2.0,
        Vital.SPO2: 1.0,
        Vital.TEMPERATURE: 0.2,
        Vital.SYSTOLIC: 6.0,
        Vital.DIASTOLIC: 4.0,
        Vital.MEAN_PRESSURE: 4.0,
        Vital.WEIGHT: 0.5,
        Vital.GLUCOSE: 15.0,
    }
)

# Warm means: this many readings, over at least this span. At 1 Hz thirty readings are half a
# minute, in which next to nothing varies.
WARMUP_READINGS = 30
WARMUP_SPAN = timedelta(minutes=5)
# Readings remembered: older ones fade. Half an hour at 1 Hz, five years of daily weights.
MEMORY_READINGS = 1800.0
# In spreads. Beyond it a value is a finding, and is not learned from.
FAR = 4.0
# A value that stays far off for this long and this often is the patient's new level: it is learned
# after all, or the advice would stand for ever.
PATIENCE = timedelta(hours=1)
PATIENCE_READINGS = 10
# Standard deviation of a normal distribution over its mean absolute deviation: sqrt(pi / 2).
SPREAD = 1.2533141373155001


class Usual(msgspec.Struct, array_like=True, gc=False):
    """What is known of one vital: weight, mean and mean absolute deviation of the readings.

    `first` is the time of the first one learned, `far` of the first of an unbroken row of
    `far_count` that were far off (None: the last one was not). All times UTC.
    """

    weight: float
    mean: float
    deviation: float
    first: datetime
    far: datetime | None = None
    far_count: int = 0


class _Own:
    """The same in the form in which it works: two River means that forget."""

    __slots__ = ("deviation", "far", "far_count", "first", "mean")

    def __init__(self, state: Usual) -> None:
        self.mean, self.deviation = Mean(), Mean()
        if state.weight:
            # One update with the whole weight is exact: River adds (w / n) * (x - 0).
            self.mean.update(state.mean, state.weight)
            self.deviation.update(state.deviation, state.weight)
        self.first, self.far, self.far_count = state.first, state.far, state.far_count

    def usual(self) -> Usual:
        return Usual(
            self.mean.n, self.mean.get(), self.deviation.get(), self.first, self.far, self.far_count
        )

    def learn(self, value: float) -> None:
        # The deviation is taken from the mean before this value: a value has no say in whether it
        # is unusual itself.
        off = abs(value - self.mean.get()) if self.mean.n else 0.0
        for mean, one in ((self.mean, value), (self.deviation, off)):
            mean.update(one)
            # A plain average at first, then one that forgets: no bias towards the first reading.
            mean.n = min(mean.n, MEMORY_READINGS)


class Baseline:
    """How many spreads a value lies from this patient's own recent mean; unbounded above.

    score = abs(value - mean) / max(1.25 * mean absolute deviation, floor of the vital). None while
    warming up. It fails where a patient's usual is itself ill (a baseline learned in sepsis knows
    sepsis), with two regimes in turn (day and night), and for readings so far apart that thirty
    take weeks. Values far off are not learned, until they have been so for an hour.

    Cost: about two microseconds per reading. State: about 40 bytes per vital. River's
    `GaussianScorer` is not used: it saturates at 1.0, and one NaN poisons it for good.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from detectors.base import Sample
    >>> from ingest.registry.entities import Patient
    >>> baseline, start = Baseline(), datetime(2026, 11, 24, tzinfo=UTC)
    >>> def sample(minute: int, value: float) -> Sample:
    ...     return Sample(Vital.HEART_RATE, value, start + timedelta(minutes=minute), "dev-1")
    >>> for minute in range(30):
    ...     baseline.learn(sample(minute, 70 + minute % 2))
    >>> baseline.score(Patient("p-1"), sample(30, 100.5))
    Score(value=10.0, low=58.5, high=82.5)

    References
    ----------
    Finch, T. Incremental calculation of weighted mean and variance. Cambridge, 2009.
    """

    def __init__(self, state: Mapping[Vital, Usual] | None = None) -> None:
        self._own = {vital: _Own(usual) for vital, usual in (state or {}).items()}

    def score(self, settings: Patient, sample: Sample) -> Score | None:
        """Say how far off the value is, in spreads; None while warming up or for other vitals."""
        del settings  # what is usual is the patient's own, in every profile
        own = self._own.get(sample.vital)
        if own is None or own.mean.n < WARMUP_READINGS or sample.time - own.first < WARMUP_SPAN:
            return None
        centre = own.mean.get()
        spread = max(SPREAD * own.deviation.get(), FLOORS[sample.vital])
        expected = FAR * spread
        return Score(abs(sample.value - centre) / spread, centre - expected, centre + expected)

    def learn(self, sample: Sample) -> None:
        """Take a value in that is within what is usual; of other vitals nothing is learned."""
        if sample.vital not in FLOORS:
            return
        own = self._own.get(sample.vital)
        if own is None:
            own = self._own[sample.vital] = _Own(Usual(0.0, 0.0, 0.0, sample.time))
        own.far, own.far_count = None, 0
        own.learn(sample.value)

    def pass_over(self, sample: Sample) -> None:
        """Note a value that is far off: it is learned only once it has become the new level."""
        own = self._own[sample.vital]
        if own.far is None:
            own.far, own.far_count = sample.time, 0
        own.far_count += 1
        if own.far_count >= PATIENCE_READINGS and sample.time - own.far >= PATIENCE:
            own.learn(sample.value)

    def finding(self, sample: Sample, score: Score) -> Finding | None:
        """Return advice where the value is far off; it must hold before it becomes an alert."""
        if score.value < FAR:
            return None
        evidence = Evidence(
            sample.vital, sample.value, sample.time, sample.device, score.low, score.high
        )
        return Finding(
            rule=RULES[sample.vital],
            kind=Kind.ADVISORY,
            priority=Priority.LOW,
            detector=DETECTOR,
            evidence=(evidence,),
            score=score.value,
        )

    def snapshot(self) -> dict[Vital, Usual]:
        """Return a few floats and times per vital."""
        return {vital: own.usual() for vital, own in self._own.items()}

    @classmethod
    def restore(cls, state: Mapping[Vital, Usual]) -> Baseline:
        """Make a detector that goes on where the one of the snapshot stood."""
        return cls(state)
