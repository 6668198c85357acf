"""How far a value lies from what is usual for this very patient, by River statistics."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import msgspec

from detectors import circadian, scales
from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from detectors.usual import LARGEST, MINUTE, Own, State, Usual, fitted
from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Before, Moment, Sample, Scores
    from ingest.registry.entities import Patient

DETECTOR = "baseline/3"
PREFIX = "baseline."
RULES: Mapping[str, str] = MappingProxyType({vital: f"{PREFIX}{vital}" for vital in Vital})

# The least spread that is taken for real, per continuous vital in its own unit (engineering
# choice, near the resolution and repeatability of bedside and home devices). A patient who lies
# still, measured in whole numbers, would otherwise be "far off" after one beat per minute.
FLOORS: Mapping[str, float] = MappingProxyType(
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
SUSPECT = int(Quality.SUSPECT)
# After its first minute a value far off is not learned until it has been so for an hour, in seconds
# (engineering choice: the shortest stretch that a physician would call a new state). The first
# minute is: a patient whose values jump now and then has a wide spread.
PATIENCE = 3600.0
# A value so many times farther off than needed is told in spite of the refractory period
# (engineering choice).
WORSE = 2.0


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile sets in its section `[baseline]`.

    `scales`: over what time the usual is learned, shortest first. `far`: in spreads; from there on
    a value is advice. `circadian`: also learn the time of the day. `floors`: the least spread that
    is taken for real, by vital, where it is not that of `FLOORS`; a vital that is in neither has no
    baseline (counts and settings). `generic`: judge series that Vigie does not know too; the least
    spread is then the series' own. `refractory_minutes`: for so long after an alert of a vital
    ended, the same vital is no advice again, unless it is twice as far off. `untold`: vitals that
    are scored for other detectors to read, and are never advice themselves.
    """

    scales: tuple[str, ...] = ("hours", "days", "weeks")
    far: float = 4.0
    circadian: bool = False
    floors: dict[str, float] = {}
    generic: bool = False
    refractory_minutes: float = 30.0
    untold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises ValueError."""
        unknown = sorted(set(self.scales) - scales.SCALES.keys())
        if unknown or not self.scales:
            raise ValueError(f"scales are some of {', '.join(scales.SCALES)}")
        if self.far <= 0 or not all(floor > 0 for floor in self.floors.values()):
            raise ValueError("`far` and each of `floors` are above 0")
        if self.refractory_minutes < 0:
            raise ValueError("`refractory_minutes` is 0 or more")


class Baseline:
    """How many spreads a value lies from this patient's own usual; unbounded above.

    The usual is a mean and a spread on several scales (see `detectors.scales`), fading by the time
    of the readings and learned minute by minute, so that a monitor at 1 Hz, a series of five
    minutes and one figure a day are served alike. Of the scales that are warm, the one that the
    value is farthest from answers: a sudden change stands out from the last hours, a slow one from
    the last weeks. Once there are days enough, the patient's own course of the day is taken off
    first (see `detectors.circadian`).

    A value far off moves what is usual no more than an ordinary extreme does (it is winsorised). If
    it stays far off it is not learned for an hour, and then it is, as the patient's new level: at
    1 Hz "hours" takes some two hours for it all in all.
    Suspect values are neither judged nor learned, nothing is learned while the moment is frozen.

    A patient who moves to another profile keeps what is known on the scales that both have.

    None while warming up: on each scale, about four minutes with readings over five minutes, a day
    or five days (one figure a day: from the sixth day on). It
    fails where a patient's usual is itself ill (a baseline learned in sepsis knows sepsis), and
    with rhythms other than the day's.

    Cost: about 2 microseconds per reading at 1 Hz, 10 for a reading in a minute of its own. State:
    about 120 bytes per vital, and 220 for the day. River's `GaussianScorer` is not used: it
    saturates at 1.0, and one NaN poisons it for good; its `stats.Mean`, with weights, is.

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> baseline, start = Baseline(Options()), datetime(2026, 11, 24, tzinfo=UTC).timestamp()
    >>> def moment(minute: int, value: float) -> Moment:
    ...     at = start + 60 * minute
    ...     time = datetime.fromtimestamp(at, UTC)
    ...     return Moment(time, at, "dev-1", (Sample(Vital.HEART_RATE, value),))
    >>> for minute in range(30):
    ...     baseline.learn(Patient("p-1"), moment(minute, 70 + minute % 2), ())
    >>> [score] = baseline.score(Patient("p-1"), moment(30, 100.5), {})
    >>> round(score.value, 1), round(score.low, 1), round(score.high, 1)
    (10.0, 58.5, 82.5)
    >>> score.finding.pattern, score.finding.against
    (<Pattern.ABOVE: 'above'>, <Against.HOURS: 'hours'>)

    References
    ----------
    Finch, T. Incremental calculation of weighted mean and variance. Cambridge, 2009. Huber, P. J.
    Robust estimation of a location parameter. Annals of Mathematical Statistics 35(1), 1964.
    """

    name: ClassVar[str] = "baseline"
    version: ClassVar[int] = 3
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[type[State]] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        self._options = options
        self._far = options.far
        self._untold = frozenset(PREFIX + vital for vital in options.untold)
        self._scales = [scales.SCALES[one] for one in options.scales]
        self._state = fitted(state, options.scales, circadian=options.circadian)
        # Each vital at work, made when it comes: most that are restored see a few moments only.
        self._own: dict[str, Own] = {}

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say how far off each value is, in spreads; nothing while warming up."""
        del settings, before  # what is usual is the patient's own, in every profile
        found = []
        minute, far = int(moment.at // MINUTE), self._far
        for sample in moment.samples:
            vital, value, quality, _ = sample
            own = self._own.get(vital) or self._known(vital)
            if own is None or quality & SUSPECT:
                continue
            if own.minute != minute:
                own.look(minute)
            farthest, answer, usual = -1.0, None, value - own.offset
            for band in own.bands:
                off = abs(usual - band[0]) / band[1]
                if off > farthest:
                    farthest, answer = off, band
            if answer is None:
                continue
            wide, centre = far * answer[1], answer[0] + own.offset
            score = Score(
                DETECTOR, own.rule, farthest, None, vital, value, centre - wide, centre + wide
            )
            found.append(score if farthest < far else self._far_off(score, own, moment, sample))
        return found

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Take the values in, but for what the frozen and the suspect would teach."""
        del settings
        minute, frozen = int(moment.at // MINUTE), moment.frozen
        far = {one.vital: one.since for one in scores if one.since is not None} if scores else None
        for vital, value, quality, _ in moment.samples:
            if quality & SUSPECT:
                continue
            own = self._own.get(vital) or self._known(vital)
            if own is None:
                if frozen or not self._asked(vital):
                    continue
                own = self._begin(vital, value, minute)
            elif far and (since := far.get(vital)) is not None:
                own.usual.since = since.timestamp()
                if MINUTE <= moment.at - own.usual.since < PATIENCE:
                    continue
            elif own.usual.since is not None:
                own.usual.since = None
            if not frozen:
                own.learn(value, minute)
        if moment.open:
            self._note_alerts(moment, minute)

    def snapshot(self) -> State:
        """Return the working state itself: encode it at once."""
        return self._state

    def _note_alerts(self, moment: Moment, minute: int) -> None:
        """Remember of which vitals of this moment an alert is open."""
        for vital, *_ in moment.samples:
            own = self._own.get(vital) or self._known(vital)
            if own is not None and own.rule in moment.open:
                own.usual.reported = minute

    def _asked(self, vital: str) -> bool:
        known = vital in FLOORS or vital in self._options.floors
        return known or (self._options.generic and vital not in RULES)

    def _known(self, vital: str) -> Own | None:
        usual = self._state.vitals.get(vital)
        return None if usual is None else self._at_work(vital, usual)

    def _at_work(self, vital: str, usual: Usual) -> Own:
        rule = RULES.get(vital) or PREFIX + vital
        floor = self._options.floors.get(vital) or FLOORS.get(vital, 0.0)
        own = self._own[vital] = Own(rule, usual, self._scales, floor)
        return own

    def _begin(self, vital: str, value: float, minute: int) -> Own:
        day = circadian.empty() if self._options.circadian else []
        value = min(max(value, -LARGEST), LARGEST)
        known = [0.0, value, 0.0] * len(self._scales)
        usual = self._state.vitals[vital] = Usual(minute, minute, known, day)
        return self._at_work(vital, usual)

    def _far_off(self, score: Score, own: Own, moment: Moment, sample: Sample) -> Score:
        """Say since when, and make it a finding."""
        since = own.usual.since
        begun = moment.time
        if since is not None and since < moment.at:  # a device's clock may be behind another's
            begun = datetime.fromtimestamp(since, UTC)
        score = score._replace(value=min(score.value, LARGEST), since=begun)
        if not self._told(own.usual, moment, score.rule, score.value):
            return score
        return score._replace(finding=_advice(score, moment, sample, begun, _against(own, score)))

    def _told(self, usual: Usual, moment: Moment, rule: str, far: float) -> bool:
        """Whether a value far off is advice: not soon after an alert of the same has ended."""
        if rule in self._untold:
            return False
        if usual.reported is None or rule in moment.open or far >= WORSE * self._far:
            return True
        return moment.at - MINUTE * usual.reported >= MINUTE * self._options.refractory_minutes


def _against(own: Own, score: Score) -> Against:
    """Name what the value was compared with: the time of day where that makes a difference."""
    usual = (score.reading or 0.0) - own.offset
    answer = max(own.bands, key=lambda band: abs(usual - band.centre) / band.spread)
    return Against.TIME_OF_DAY if abs(own.offset) >= answer.spread else answer.against


def _advice(
    score: Score, moment: Moment, sample: Sample, since: datetime, against: Against
) -> Finding:
    evidence = Evidence(
        sample.vital,
        sample.value,
        moment.time,
        moment.device,
        score.low,
        score.high,
        original=sample.original,
    )
    below = score.low is not None and sample.value < score.low
    return Finding(
        rule=score.rule,
        kind=Kind.ADVISORY,
        priority=Priority.LOW,
        detector=DETECTOR,
        evidence=(evidence,),
        score=score.value,
        since=since,
        pattern=Pattern.BELOW if below else Pattern.ABOVE,
        against=against,
    )
