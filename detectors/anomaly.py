"""How unusual the patient is all in all, as one number that compares between patients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from detectors import scales, tails
from detectors.base import Score
from detectors.baseline import PREFIX, RULES, SUSPECT
from detectors.findings import Against, Evidence, Finding, Kind, Part, Pattern, Priority
from detectors.tails import Tail
from detectors.usual import MINUTE

if TYPE_CHECKING:
    from detectors.base import Before, Moment, Scores
    from ingest.registry.entities import Patient

DETECTOR = "anomaly/1"
RULE = "anomaly"
POPULATION = "population"
# How rare a distance is as long as nothing was learned of the patient.
NEWCOMER = tails.curve(Tail(), 0)
UNKNOWN = -1  # a minute for which nothing was worked out
# In what is remembered of a vital, a distance counts for no more spreads than in learning what is
# usual: so one wild reading is no trend (2 and 10 were measured too, and told less).
MOST = scales.WINSOR


class Lately(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of one vital: its last signed distance, and their fading mean.

    `minute` is whole minutes since 1970, UTC; `weight` that of the mean.
    """

    minute: int
    last: float
    weight: float
    mean: float


class Memory(msgspec.Struct, array_like=True):
    """Everything that the detector knows.

    `now` and `lately` are how far the patient usually is from the usual, in one reading and in the
    mean of the last ones; both faded to the minute `minute`. `since` (seconds since 1970, UTC): the
    number has been above the least that is told since then.
    """

    minute: int
    vitals: dict[str, Lately]
    now: Tail
    lately: Tail
    since: float | None = None


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile sets in its section `[anomaly]`.

    `weights`: what a spread above the usual counts for, by vital; below 0 for a vital of which less
    is worse. Only these vitals are then looked at, and only in that direction. Empty: all vitals,
    in both directions, and the farthest is what counts.

    `memory`: how many readings of a vital the mean of the last ones is about. `fresh_hours`: a
    vital that did not come with this moment counts with its last distance for so long.

    `low`, `medium`: from there on the number is told, as advice or as a reason for closer
    follow-up. None: never. `against`: what an explanation says the patient was compared with.
    """

    weights: dict[str, float] = {}
    memory: float = 12.0
    fresh_hours: float = 36.0
    low: float | None = None
    medium: float | None = None
    against: Against = Against.DAYS

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises ValueError."""
        if self.memory < 1 or self.fresh_hours < 0:
            raise ValueError("`memory` is 1 or more, `fresh_hours` 0 or more")


class Anomaly:
    """How rare it is for this patient to be so far from his or her usual; unbounded above.

    It reads what `baseline` says of each vital, joins the distances to one, and asks how often
    this patient is that far off: 1 is once in ten readings, 2 once in a hundred, 3 once in a
    thousand, as far as the tail of what was seen reaches (see `detectors.tails`). So one threshold
    serves a steady patient and one whose values jump. The number is the mean of two: of this
    moment alone, and of the fading mean of the last distances, which sees what is never far off
    but has been a little off for long.

    A newcomer, none of whose baselines is warm, is judged by what `population` says, where a
    profile has it and looks in both directions. `drift` is not read: a lasting shift is what the
    mean of the last distances sees.

    It fails where the illness is older than the baseline, and for a patient who is never far off:
    the first real deviation is then as rare as any. None while neither is known.

    Cost: about 5 microseconds for six vitals at 1 Hz, 15 where each moment has a minute of its own.
    State: about 45 bytes per vital.

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> anomaly, time = Anomaly(Options()), datetime(2026, 11, 24, tzinfo=UTC)
    >>> moment = Moment(time, time.timestamp(), "dev-1", (Sample("pulse_rate", 100.0),))
    >>> before = {
    ...     RULES["pulse_rate"]: Score(
    ...         "baseline/3", RULES["pulse_rate"], 8.0, None, "pulse_rate", 100.0, 48.0, 72.0
    ...     )
    ... }
    >>> [score] = anomaly.score(Patient("p-1"), moment, before)
    >>> round(score.value, 2)
    2.86

    References
    ----------
    Pickands, J. Statistical inference using extreme order statistics. Annals of Statistics 3(1),
    119-131, 1975 (the excesses over a high threshold; here with an exponential tail).
    """

    name: ClassVar[str] = "anomaly"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[Any] = Memory

    def __init__(self, options: Options, state: Memory | None = None) -> None:
        self._options = options
        self._memory = state if state is not None else Memory(0, {}, Tail(), Tail())
        self._fade = 1 - 1 / max(options.memory, 1.0)
        self._fresh = int(options.fresh_hours * 60)
        self._weights = dict(options.weights)
        # The least that is told; None: nothing is.
        told = [one for one in (options.low, options.medium) if one is not None]
        self._least = min(told, default=None)
        self._minute, self._now, self._lately = UNKNOWN, NEWCOMER, NEWCOMER
        # What `score` made of the moment that `learn` is shown next: the baseline's scores of it.
        self._looked: tuple[Moment, list[tuple[str, Score]], float, float] | None = None

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Join what the baseline says of this moment to one number; nothing while it is cold."""
        del settings
        minute = int(moment.at // MINUTE)
        known: list[tuple[str, Score]] = []
        weights = self._weights
        for sample in moment.samples:
            vital = sample[0]
            one = before.get(RULES.get(vital) or PREFIX + vital)
            if one is not None and (not weights or vital in weights):
                known.append((vital, one))
        if not known:
            return self._newcomer(before)
        now, lately = self._directed(known, minute) if weights else self._farthest(known, minute)
        self._looked = (moment, known, now, lately)
        if minute != self._minute:
            self._look(minute)
        value = (self._now.rarity(now) + self._lately.rarity(lately)) / 2
        if self._least is None or value < self._least:
            return (Score(DETECTOR, RULE, value),)
        return (self._told(moment, known, value),)

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Take in how far off the patient was: one moment of each minute."""
        del settings
        memory, minute = self._memory, int(moment.at // MINUTE)
        looked, self._looked = self._looked, None
        if looked is None or looked[0] is not moment or not scores:
            if memory.since is not None and self._forgotten(moment):
                memory.since = None
            return
        if self._least is not None:
            since = scores[0].since
            memory.since = None if since is None else since.timestamp()
        if moment.frozen:
            return
        _, known, now, lately = looked
        for vital, one in known:
            before = memory.vitals.get(vital)
            if before is None or before.minute < minute:
                distance = _signed(one)
                weight, mean = self._after(before, distance, minute)
                memory.vitals[vital] = Lately(minute, distance, weight, mean)
        if minute > memory.minute:
            past = minute - memory.minute
            memory.now = tails.learned(memory.now, now, past)
            memory.lately = tails.learned(memory.lately, lately, past)
            memory.minute, self._minute = minute, UNKNOWN

    def snapshot(self) -> Memory:
        """Return the working state itself: encode it at once."""
        return self._memory

    def _after(self, known: Lately | None, distance: float, minute: int) -> tuple[float, float]:
        """Return weight and mean of the last distances with this one."""
        distance = min(max(distance, -MOST), MOST)
        if known is None or minute - known.minute > self._fresh:
            return 1.0, distance
        weight = known.weight * self._fade + 1
        return weight, known.mean + (distance - known.mean) / weight

    def _newcomer(self, before: Before) -> Scores:
        """Say how rare the patient is among others, where nothing is known of what is usual."""
        other = before.get(POPULATION)
        self._looked = None
        if other is None or self._weights:
            return ()
        return (Score(DETECTOR, RULE, NEWCOMER.rarity(other.value)),)

    def _look(self, minute: int) -> None:
        """Work out what is rare in this minute; the state stays as it is."""
        past = max(minute - self._memory.minute, 0)
        self._now = tails.curve(self._memory.now, past)
        self._lately = tails.curve(self._memory.lately, past)
        self._minute = minute

    def _farthest(self, known: list[tuple[str, Score]], minute: int) -> tuple[float, float]:
        """Return the farthest distance of this moment, and of the means of the last ones."""
        now = lately = 0.0
        vitals = self._memory.vitals
        for vital, one in known:
            distance, before = one[2], vitals.get(vital)
            now = max(now, distance)
            if before is not None and before.minute == minute:
                mean = abs(before.mean)  # this minute is in it
            else:
                mean = abs(self._after(before, _signed(one), minute)[1])
            lately = max(lately, mean)
        return now, lately

    def _directed(self, known: list[tuple[str, Score]], minute: int) -> tuple[float, float]:
        """Return the weighted sums of this moment's distances, and of the means."""
        vitals = self._memory.vitals
        now = lately = 0.0
        come = {vital: _signed(one) for vital, one in known}
        for vital, weight in self._weights.items():
            before, distance = vitals.get(vital), come.get(vital)
            if distance is not None:
                now += weight * distance
                lately += weight * self._after(before, distance, minute)[1]
            elif before is not None and minute - before.minute <= self._fresh:
                now += weight * before.last
                lately += weight * before.mean
        return max(now, 0.0), max(lately, 0.0)

    def _told(self, moment: Moment, known: list[tuple[str, Score]], value: float) -> Score:
        """Make the score and the finding: a threshold of the profile is passed."""
        since, medium, minute = self._memory.since, self._options.medium, int(moment.at // MINUTE)
        begun = moment.time
        if since is not None and since < moment.at:  # a device's clock may be behind another's
            begun = datetime.fromtimestamp(since, UTC)
        closer = medium is not None and value >= medium
        finding = Finding(
            rule=RULE,
            kind=Kind.ADVISORY,
            priority=Priority.MEDIUM if closer else Priority.LOW,
            detector=DETECTOR,
            evidence=_evidence(moment, dict(known)),
            score=value,
            missing=self._missing({vital for vital, _ in known}, minute),
            since=begun,
            pattern=Pattern.TOGETHER,
            against=self._options.against,
            parts=self._parts(known, minute),
        )
        return Score(DETECTOR, RULE, value, finding, since=begun, missing=finding.missing)

    def _missing(self, come: set[str], minute: int) -> tuple[str, ...]:
        """Name the weighted vitals that are not known, or not any more."""
        vitals = self._memory.vitals
        fresh = {vital for vital, one in vitals.items() if minute - one.minute <= self._fresh}
        return tuple(sorted(self._weights.keys() - come - fresh))

    def _parts(self, known: list[tuple[str, Score]], minute: int) -> tuple[Part, ...]:
        """Say what each vital gave, the most telling first; what it gave before counts too."""
        if not self._weights:
            parts = [Part(vital, one.value) for vital, one in known]
        else:
            distances = {
                vital: one.last
                for vital, one in self._memory.vitals.items()
                if vital in self._weights and minute - one.minute <= self._fresh
            }
            distances.update((vital, _signed(one)) for vital, one in known)
            parts = [Part(vital, self._weights[vital] * far) for vital, far in distances.items()]
        return tuple(sorted(parts, key=lambda part: (-part.weight, part.name)))

    def _forgotten(self, moment: Moment) -> bool:
        """Whether a vital of which the usual was known came, and nothing is known any more."""
        vitals = self._memory.vitals
        return any(one.vital in vitals and not one.quality & SUSPECT for one in moment.samples)


def _evidence(moment: Moment, known: dict[str, Score]) -> tuple[Evidence, ...]:
    """Gather the readings that were joined, with what was expected of each."""
    return tuple(
        Evidence(
            vital,
            value,
            moment.time,
            moment.device,
            known[vital].low,
            known[vital].high,
            original=original,
        )
        for vital, value, _, original in moment.samples
        if vital in known
    )


def _signed(score: Score) -> float:
    """Return a baseline's distance with its direction."""
    if score.low is None or score.high is None or score.reading is None:
        return score.value
    return score.value if 2 * score.reading >= score.low + score.high else -score.value
