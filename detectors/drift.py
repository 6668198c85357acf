"""Whether a vital has moved to another level, and stayed there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from detectors.levels import FLOORS, LEAST_WARMUP, MEMORY, Level, State, completed, fitted, mean_of
from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Before, Moment, Sample, Scores
    from detectors.levels import Reference, Shift
    from ingest.registry.entities import Patient

DETECTOR = "drift/1"
RULES: Mapping[str, str] = MappingProxyType({vital: f"drift.{vital}" for vital in Vital})
SUSPECT = int(Quality.SUSPECT)
# A shift that was found within three hours was one of levels minutes apart, compared with the last
# hours; within two days one of hourly levels; else one of daily figures.
HOURS, DAYS = 3 * 3600, 2 * 86400


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile sets in its section `[drift]`.

    `minutes`: what is averaged to one level; where readings are farther apart, each is a level of
    its own. `warmup`: levels before the first answer. `lasting`: levels that a shift must have
    lasted for. `threshold`: what must add up, in spreads. `stays`: for how many levels a shift is
    told, unless the vital comes back before; by then the new level is the usual.
    """

    minutes: float = 10.0
    warmup: int = 12
    lasting: int = 4
    threshold: float = 8.0
    stays: int = 24

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises ValueError."""
        if self.minutes <= 0 or self.threshold <= 0:
            raise ValueError("minutes and threshold are above 0")
        if not LEAST_WARMUP <= self.warmup <= MEMORY:
            raise ValueError(f"warmup is {LEAST_WARMUP} to {MEMORY} levels")
        if not 1 < self.lasting <= self.stays < MEMORY:
            raise ValueError(f"lasting is above 1, stays at least as long and below {MEMORY}")


class Drift:
    """Whether a vital has moved to another level for good: which way, and since when.

    Readings are averaged to levels of some minutes (or are levels themselves, where they are as far
    apart as that), levels are counted in spreads of the patient's own, and Page's test (River's
    `PageHinkley`) adds up what lies off. score = that sum over what is needed: at 1 it is a shift,
    provided that the last `lasting` levels all lay on that side. So an excursion shorter than
    `lasting` levels is none by itself, however high; a shift of four spreads or more is found after
    `lasting` levels (one or two more soon after the warm-up), one of three within twelve. A shift
    is told for `stays` levels, or until the vital has come back (at once when a level lies beyond
    the one before the shift); the new level becomes what later ones are compared with as soon as it
    is found. A patient who moves to a profile with levels of another length begins anew.

    Nothing is said while the first levels come, and between levels of a vital that has not shifted.
    It fails for a change that comes more slowly than the reference forgets (a hundred levels), and
    it takes the difference between day and night for what it is: two shifts.

    River's ADWIN (Bifet and Gavalda, 2007) was looked at: its window lives in compiled code, from
    which it cannot be read back, so that no state of a few bytes would go on exactly the same.
    Page's test is three numbers, and its sums say when the shift began.

    Cost: about half a microsecond per reading, ten per level. State: about 70 bytes a vital.

    References
    ----------
    Page, E. S. Continuous inspection schemes. Biometrika 41, 100-115, 1954. Bifet, A. and Gavalda,
    R. Learning from time-changing data with adaptive windowing. SDM, 443-448, 2007.

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> drift, patient, found = Drift(Options()), Patient("p-1"), []
    >>> for hour in range(40):
    ...     pulse = 70 + hour % 3 + (25 if hour >= 30 or hour == 20 else 0)
    ...     at = 3600.0 * hour
    ...     samples = (Sample(Vital.HEART_RATE, pulse),)
    ...     moment = Moment(datetime.fromtimestamp(at, UTC), at, "dev-1", samples)
    ...     scores = drift.score(patient, moment, {})
    ...     drift.learn(patient, moment, scores)
    ...     found += [(hour, one.finding) for one in scores if one.finding is not None]
    >>> hour, first = found[0]
    >>> hour, first.pattern.value, first.since.hour
    (33, 'rising', 5)
    """

    name: ClassVar[str] = "drift"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[type[State]] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        self._options = options
        self._width = 60.0 * options.minutes
        self._state = fitted(state, options.minutes)
        self._levels = self._state.levels

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say, when a level is complete, whether it has shifted, and all the time while it has."""
        del settings, before  # a level is the patient's own
        scores: list[Score] = []
        at, width = moment.at, self._width
        for sample in moment.samples:
            level = self._levels.get(sample.vital)
            if level is None or sample.quality & SUSPECT:
                continue
            if at - level.closed >= width and not moment.frozen:
                after = completed(level, sample, at, self._options)
                if level.reference is not None and after.reference is not None:
                    mean = mean_of(level, sample.value, at, width)
                    scores.append(self._score(after, after.reference, mean, moment, sample))
            elif level.shift is not None and level.reference is not None:
                mean = level.reference.mean
                scores.append(self._score(level, level.reference, mean, moment, sample))
        return scores

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Gather the values to levels; nothing of a frozen moment, and no suspect value."""
        del settings, scores
        if moment.frozen:
            return
        at, width = moment.at, self._width
        for sample in moment.samples:
            vital, value, quality, _ = sample
            if quality & SUSPECT:
                continue
            level = self._levels.get(vital)
            if level is None:
                if vital in FLOORS:
                    self._levels[vital] = Level(int(at), 1, value)
                continue
            elapsed = at - level.closed
            if elapsed >= width:
                self._levels[vital] = completed(level, sample, at, self._options)
            elif elapsed < -width:
                # The clock was ahead, by more than readings of two devices can overlap.
                level.closed, level.count, level.total = int(at), 1, value
            else:
                level.count += 1
                level.total += value

    def snapshot(self) -> State:
        """Return the working state itself: encode it at once."""
        return self._state

    def _score(
        self, level: Level, reference: Reference, mean: float, moment: Moment, sample: Sample
    ) -> Score:
        """Score a vital whose level is `mean`: that which `sample` completed, or the last one."""
        value = max(reference.up, reference.down) / self._options.threshold
        shift, vital, spread = level.shift, sample.vital, reference.spread
        rule = RULES[vital]
        if shift is None:
            low, high = reference.mean - spread, reference.mean + spread
            return Score(DETECTOR, rule, value, None, vital, mean, low, high)
        # A shift that is told is one, whatever has added up since.
        value, low, high = max(value, 1.0), shift.before - spread, shift.before + spread
        # The clock of the moment's device may be behind that of the one which gave the level.
        since = min(datetime.fromtimestamp(shift.since, UTC), moment.time)
        time, original = min(datetime.fromtimestamp(level.closed, UTC), moment.time), None
        if level.closed == int(moment.at):
            time, original = moment.time, sample.original if sample.value == mean else None
        evidence = Evidence(vital, mean, time, moment.device, low, high, None, original)
        finding = Finding(
            rule=rule,
            kind=Kind.ADVISORY,
            priority=Priority.LOW,
            detector=DETECTOR,
            evidence=(evidence,),
            score=value,
            since=since,
            pattern=Pattern.RISING if shift.rising else Pattern.FALLING,
            against=_against(shift),
        )
        return Score(DETECTOR, rule, value, finding, vital, mean, low, high, since)


def _against(shift: Shift) -> Against:
    """Say over what time the level before was learned, from how long the shift took to be found."""
    taken = shift.found - shift.since
    if taken < HOURS:
        return Against.HOURS
    return Against.DAYS if taken < DAYS else Against.WEEKS
