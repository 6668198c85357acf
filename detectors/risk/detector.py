"""How likely is it that this patient gets worse soon? The fitted models, asked at run time."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Part, Pattern, Priority
from detectors.news2 import for_adults
from detectors.risk.features import (
    AT,
    DEVICE,
    EVERY,
    LONG,
    PLACES,
    VALUE,
    WATCHED,
    Known,
    taken,
    vector,
)
from detectors.risk.model import RiskModel, Scorer, probability
from detectors.risk.options import Options
from ingest.readings import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.base import Before, Moment, Scores
    from ingest.registry.entities import Patient

DETECTOR = "risk/1"
# So many contributions are told; more explain nothing (engineering choice).
MOST_PARTS = 5
# For how long (hours) a vital counts as known: as long as the longest mean of a feature looks back.
# Older ones are carried forward in the probability, as in the recordings that it was fitted to,
# but no finding rests on them alone (engineering choice).
FRESH = LONG
# A finding neither begins nor goes on with fewer vitals than this: with one or two, a probability
# is that of all patients, moved by a single reading (engineering choice). It is given all the same.
LEAST_VITALS = 3
VITALS = tuple(str(one.vital) for one in WATCHED)
_place_of = PLACES.get
_SUSPECT = int(Quality.SUSPECT)
# What a question is an advice for: sepsis labels foretell an onset that bedside staff dated from
# antibiotics and cultures, and its models tell the ill from the well poorly; the rest is a reason
# for closer follow-up. None is urgent by itself.
ADVICE = frozenset({"sepsis"})


class Passed(msgspec.Struct, array_like=True, gc=False):
    """Since when a question's threshold has been passed, and when it last ended; seconds, UTC.

    `told`: it has been for long enough to be a finding.
    """

    since: float | None
    ended: float | None
    told: bool = False


class State(msgspec.Struct, array_like=True, gc=False):
    """What is known of each vital (`detectors.risk.features`), and where the findings stand.

    `names` are the devices'.
    """

    known: list[Known] = msgspec.field(default_factory=lambda: [[] for _ in WATCHED])
    names: list[str] = msgspec.field(default_factory=list)
    passed: dict[str, Passed] = msgspec.field(default_factory=dict)


class _Step(NamedTuple):
    """What a moment makes of the state: computed by `score`, taken over by `learn`."""

    moment: Moment
    state: State
    scores: Scores


class Risk:
    """Gives a calibrated probability for each question that a model was fitted for.

    The models see the vitals alone: neither NEWS2's validity nor any other detector's score, so a
    profile changes no probability. There is one as soon as any of the vitals is known; a vital that
    never came speaks neither for nor against. What was measured is carried forward, as in the
    recordings; but a finding needs three vitals of the last 24 h, and after a day without any it
    begins anew. Values are taken in once a minute at most; in between, the last scores are
    repeated. Suspect values are left out. Learning is not frozen in
    an alert, as nothing is learned of what is usual: the statistics say how the patient is.

    There is no score for a patient who is pregnant or, as far as the year of birth tells, under 16
    (the models' patients were adults in intensive care): an alert that was open then ends.

    A raised risk of deterioration is a reason for closer follow-up, never by itself an urgent one;
    of sepsis, an advice. Read the model cards (`docs/models/`).

    Cost: about 2 microseconds per moment of six vitals at one a second, on average; 0.1 ms for a
    moment that is taken in. State: at most 800 bytes, and each device's name once.

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> def moment(*samples: Sample) -> Moment:
    ...     return Moment(noon, noon.timestamp(), "dev-1", samples)
    >>> well = moment(Sample("heart_rate", 70.0), Sample("respiratory_rate", 14.0))
    >>> ill = moment(Sample("heart_rate", 128.0), Sample("respiratory_rate", 29.0))
    >>> asked = [Risk(Options()).score(Patient("p-1"), one, {}) for one in (well, ill)]
    >>> [score.rule for score in asked[0]]
    ['risk.deterioration', 'risk.sepsis']
    >>> asked[0][0].value < asked[1][0].value
    True

    References
    ----------
    Reyna, M. A. et al. Early prediction of sepsis from clinical data: the PhysioNet/Computing in
    Cardiology Challenge 2019. Critical Care Medicine 48(2), 210-217, 2020 (the recordings). Platt,
    J. Probabilistic outputs for support vector machines. In: Advances in large margin classifiers.
    MIT Press, 1999 (the calibration).
    """

    name: ClassVar[str] = "risk"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[type[State]] = State

    def __init__(
        self,
        options: Options,
        state: State | None = None,
    ) -> None:
        self._options = options
        self._scorers = options.scorers
        self._state = state if state is not None else State()
        # The scores of the state as it is: worked out when first wanted; no part of the state.
        self._scores: Scores | None = None
        # So that `learn` need not work out again what `score` did.
        self._step: _Step | None = None

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Give each question's probability with this moment's values as the newest."""
        del before
        self._step = None
        known, at, ours = self._state.known, moment.at, False
        for vital, _, quality, _ in moment.samples:
            place = _place_of(vital)
            if place is None:
                continue
            ours = True
            one = known[place]
            if (not one or at - one[AT] >= EVERY) and not quality & _SUSPECT:
                self._step = step = self._next(moment)
                return _for(settings, moment, step.scores)
        if not ours:
            return ()
        if self._scores is None:
            self._scores = _again(self._state, self._scorers)
        return _for(settings, moment, self._scores)

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Take the values in, once a minute of each vital at most."""
        if self._step is None or self._step.moment is not moment:
            self.score(settings, moment, {})
        del scores
        if self._step is not None:
            self._state, self._scores = self._step.state, self._step.scores
            self._step = None

    def snapshot(self) -> State:
        """Return the statistics, and where the findings stand."""
        return self._state

    def _next(self, moment: Moment) -> _Step:
        known, at = self._state.known.copy(), moment.at
        names, device = _named(self._state, moment.device)
        for vital, value, quality, _ in moment.samples:
            place = _place_of(vital)
            if place is None or quality & _SUSPECT:
                continue
            one = known[place]
            if not one or at - one[AT] >= EVERY:
                known[place] = taken(place, one, at, value, device)
        found = vector(known)
        # What was passed before a long silence says nothing of what is passed now.
        since = at - _newest(self._state.known)
        before = self._state.passed if since <= 3600 * FRESH else {}
        hold = 60 * self._options.hold_minutes
        enough = len(VITALS) - len(_missing(known)) >= LEAST_VITALS
        risks = [probability(scorer.log_odds(found)) for scorer in self._scorers]
        passed = {}
        for scorer, risk in zip(self._scorers, risks, strict=True):
            question = scorer.model.question
            after = self._judged(scorer.model, before.get(question), risk, at, enough=enough)
            if after is not None:
                # Of readings that come seldom the next may be hours away: that cannot be waited
                # for. The first one of all may be a monitor's, whose next comes in a second.
                if after.since is not None and not after.told:
                    seldom = not hold or hold <= since < inf
                    after = Passed(after.since, None, seldom or at - after.since >= hold)
                passed[question] = after
        state = State(known, names, passed)
        return _Step(moment, state, _scored(state, self._scorers, found, risks))

    def _judged(
        self, model: RiskModel, was: Passed | None, risk: float, at: float, *, enough: bool
    ) -> Passed | None:
        """Say whether a threshold is passed now; None: it has not been for some time."""
        thresholds = self._options.thresholds.get(model.question, model.thresholds)
        if was is not None and was.since is not None:
            return was if enough and risk >= thresholds.release else Passed(None, at)
        again = 3600 * self._options.again_hours
        if was is not None and was.ended is not None and abs(at - was.ended) < again:
            return was
        return Passed(at, None) if enough and risk >= thresholds.alert else None


def _for(settings: Patient, moment: Moment, scores: Scores) -> Scores:
    """Leave out patients whom the models are not for, and end what nobody asks any more."""
    if not for_adults(settings, moment.time):
        scores = ()
    if not moment.open:
        return scores
    asked = {one.rule for one in scores}
    left = sorted(rule for rule in moment.open if rule.startswith("risk.") and rule not in asked)
    if not left:
        return scores
    return [*scores, *(Score(DETECTOR, rule, 0.0, missing=VITALS) for rule in left)]


def _again(state: State, scorers: Sequence[Scorer]) -> Scores:
    """Work the scores out from nothing but the state, so that they are the same once restored."""
    if not any(state.known):
        return ()
    found = vector(state.known)
    risks = [probability(scorer.log_odds(found)) for scorer in scorers]
    return _scored(state, scorers, found, risks)


def _newest(known: Sequence[Known]) -> float:
    """Return when something was measured last (seconds); minus infinity: never."""
    return max((one[AT] for one in known if one), default=-inf)


def _missing(known: Sequence[Known]) -> tuple[str, ...]:
    """Name the vitals that never came, or so long before the newest that they tell nothing now."""
    oldest = _newest(known) - 3600 * FRESH
    return tuple(
        vital for vital, one in zip(VITALS, known, strict=True) if not one or one[AT] < oldest
    )


def _scored(
    state: State,
    scorers: Sequence[Scorer],
    found: Sequence[float | None],
    risks: Sequence[float],
) -> Scores:
    missing = _missing(state.known)
    scores = []
    for scorer, risk in zip(scorers, risks, strict=True):
        question = scorer.model.question
        passed = state.passed.get(question)
        finding = since = None
        if passed is not None and passed.since is not None and passed.told:
            since = datetime.fromtimestamp(passed.since, UTC)
            _, parts = scorer.parts(found)
            finding = _finding(state, question, risk, since, parts, missing)
        rule = f"risk.{question}"
        scores.append(Score(DETECTOR, rule, risk, finding, since=since, missing=missing))
    return scores


def _finding(
    state: State,
    question: str,
    risk: float,
    since: datetime,
    parts: list[Part],
    missing: tuple[str, ...],
) -> Finding:
    told = tuple(one for one in parts[:MOST_PARTS] if one.weight > 0)
    places = {PLACES[one.name.partition(".")[0]] for one in told}
    if not places:  # it is all patients' risk that is high
        places = {place for place, known in enumerate(state.known) if known}
    advice = question in ADVICE
    return Finding(
        rule=f"risk.{question}",
        kind=Kind.ADVISORY if advice else Kind.PHYSIOLOGICAL,
        priority=Priority.LOW if advice else Priority.MEDIUM,
        detector=DETECTOR,
        evidence=tuple(_evidence(state, place) for place in sorted(places)),
        score=risk,
        missing=missing,
        since=since,
        pattern=Pattern.TOGETHER,
        against=Against.MODEL,
        parts=told,
    )


def _evidence(state: State, place: int) -> Evidence:
    known = state.known[place]
    time = datetime.fromtimestamp(known[AT], UTC)
    return Evidence(VITALS[place], known[VALUE], time, state.names[int(known[DEVICE])])


def _named(state: State, device: str) -> tuple[list[str], int]:
    """Return the names with a device's, and its place; a name that nothing refers to is reused."""
    names = state.names
    if device in names:
        return names, names.index(device)
    wanted = {known[DEVICE] for known in state.known if known}
    for place in range(len(names)):
        if place not in wanted:
            return [*names[:place], device, *names[place + 1 :]], place
    return [*names, device], len(names)
