"""NEWS2, the National Early Warning Score 2, of one patient over time.

Validated for adult inpatients; not for patients under 16 or pregnant women. At home it is one more
number for the physician, not a validated one.

References
----------
Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the assessment of
acute-illness severity in the NHS. London: RCP, 2017.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from detectors.news2_chart import (
    CHART,
    EXPECTED,
    EXPECTED_SPO2_SCALE_2,
    INPUTS,
    PLACES,
    POINTS,
    RED,
    UNBOUNDED,
    add_up,
    priority,
)
from ingest.readings import Original, Vital

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detectors.base import Before, Moment, Scores
    from ingest.registry.entities import Patient

# The missing list of a score of which nothing is known is all of CHART.
__all__ = ["CHART", "DETECTOR", "RULE", "News2Detector", "Options", "State"]

RULE = "news2"
DETECTOR = "news2/2"
# RCP 2017: "should not be used in children (i.e. aged <16 years) or women who are pregnant".
ADULT_YEARS = 16
_SPO2, _SYSTOLIC = PLACES[Vital.SPO2], PLACES[Vital.SYSTOLIC]
_DIASTOLIC = PLACES[Vital.DIASTOLIC]
# A plain dict, and its method, are found twice as fast as a read-only view's.
_place_of = dict(PLACES).get
_LONG_AGO = float("-inf")

# What comes after a longer pause, or first of all, is told at once: whether more will follow within
# seconds or in hours, nobody can know, and of the two errors the late call is the worse one.
SPOT_SECONDS = 60.0

Hours = Annotated[float, msgspec.Meta(gt=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a value speaks for the patient, in event time; `inf`: for ever.

    `validity_hours_of` goes before `validity_hours`, by vital. An engineering choice: NEWS2 says
    how often to measure, at least every 12 h on a ward, but not when a value is void.

    `hold_seconds`: where measurements come more often than every minute, a human is called once the
    score has called for one for so long; 0: always at once. NEWS2 is made for single sets of
    measurements: on a monitor, a cough would be one (docs/evaluation.md has what it does to false
    alarms). For a patient who is measured by hand a few times within a minute and then not for
    hours, it must stay 0.
    """

    validity_hours: Hours = 12.0
    validity_hours_of: dict[Vital, Hours] = {}
    hold_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0

    def __post_init__(self) -> None:
        """Refuse a vital that NEWS2 does not ask for."""
        strange = sorted(self.validity_hours_of.keys() - PLACES.keys())
        if strange:
            raise ValueError(f"NEWS2 does not ask for {strange[0]}")


def _unknown() -> list[float | None]:
    return [None] * len(INPUTS)


class State(msgspec.Struct, array_like=True, gc=False):
    """The newest value of each input, by its place in `INPUTS`.

    `times` are seconds since 1970 (UTC), `devices` places in `names` (-1: none), `originals` (by
    vital) what a converted value was. `now` is the newest time of any value of this patient, also
    of vitals that NEWS2 does not ask for. `medium` and `high` say since when the priority has been
    at least that (None: it is not).
    """

    values: list[float | None] = msgspec.field(default_factory=_unknown)
    times: list[float | None] = msgspec.field(default_factory=_unknown)
    devices: list[int] = msgspec.field(default_factory=lambda: [-1] * len(INPUTS))
    names: list[str] = msgspec.field(default_factory=list)
    originals: dict[str, Original] = msgspec.field(default_factory=dict)
    now: float = _LONG_AGO
    medium: float | None = None
    high: float | None = None


class _Step(NamedTuple):
    """What a moment makes of the state: computed by `score`, taken over by `learn`."""

    moment: Moment
    settings: Patient
    state: State
    points: list[int | None]
    oldest: float
    scores: Scores


def for_adults(settings: Patient, time: datetime) -> bool:
    """Whether what was made for adults applies: not in pregnancy, nor under 16 as far as is known.

    >>> from ingest.registry.entities import Patient
    >>> [
    ...     for_adults(Patient("p-1", born=born), datetime(2026, 1, 1, tzinfo=UTC))
    ...     for born in (2009, 2010, None)
    ... ]
    [True, False, True]
    """
    if settings.pregnant:
        return False
    return settings.born is None or time.year - settings.born > ADULT_YEARS


class News2Detector:
    """Keeps the newest value of each vital, and scores those that still speak for the patient.

    A value older than its validity is missing, measured against the newest time that any value came
    with. Values marked as suspect count: a saturation below 50 % may be a loose probe or a dying
    patient, and only one of the two errors can be taken back.

    There is no score for a patient who is pregnant or, as far as the year of birth tells, under 16:
    in the year of the 16th birthday a patient counts as under 16. An alert that was open then ends
    with a score of which everything is missing.

    Cost: 3 to 6 microseconds per moment of six vitals while nobody is called. State: about 20 bytes
    per vital, and each device's name once.

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> ill = (Sample("heart_rate", 112.0), Sample("respiratory_rate", 22.0), Sample("spo2", 95.0))
    >>> moment = Moment(noon, noon.timestamp(), "dev-1", ill)
    >>> detector = News2Detector(Options())
    >>> (found,) = detector.score(Patient("p-1"), moment, {})
    >>> found.value, found.finding.priority.value, found.missing[0].value
    (5.0, 'medium', 'supplemental_oxygen')
    >>> detector.score(Patient("p-1", born=2012), moment, {})
    ()
    """

    name: ClassVar[str] = "news2"
    version: ClassVar[int] = 2
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[type[State]] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        hours = options.validity_hours_of
        self._hold = options.hold_seconds
        self._validity = [3600 * hours.get(vital, options.validity_hours) for vital in INPUTS]
        # The age up to which nothing can be void.
        self._shortest = min(self._validity)
        self._state = state if state is not None else State()
        self._points: list[int | None] = [
            None if value is None else points(value)
            for value, points in zip(self._state.values, POINTS, strict=True)
        ]
        # No input is older; it may lag behind, and is caught up with when something may be void.
        self._oldest = _LONG_AGO
        # So that `learn` need not work out again what `score` did; no part of the state.
        self._step: _Step | None = None

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Score the patient with this moment's values as the newest."""
        del before
        self._step = step = self._next(settings, moment)
        return step.scores

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Keep the values, unless a newer one of the vital is known."""
        del scores
        step = self._step
        if step is None or step.moment is not moment or step.settings is not settings:
            step = self._next(settings, moment)
        self._state, self._points, self._oldest = step.state, step.points, step.oldest
        self._step = None

    def snapshot(self) -> State:
        """Return the newest value of each vital."""
        return self._state

    def _next(self, settings: Patient, moment: Moment) -> _Step:
        state, points = _with(self._state, self._points, moment)
        if not for_adults(settings, moment.time):
            state.medium = state.high = None
            scores = (_nothing(),) if RULE in moment.open else ()
            return _Step(moment, settings, state, points, _LONG_AGO, scores)
        valid, oldest = self._valid(state, points, min(self._oldest, moment.at))
        places, total = add_up(valid, state.times, state.values[_SPO2], settings.spo2_scale)
        missing = _missing(tuple(places))
        if len(missing) == len(CHART):
            state.medium = state.high = None
            return _Step(moment, settings, state, points, oldest, ())
        level = priority(total, red=RED in valid and _red(valid, places))
        since = _since(state, level, moment.at)
        finding = None
        if level is not None and self._held(state, moment):
            found = tuple(_evidence(state, valid, places, settings.spo2_scale))
            finding = _finding(level, found, total, missing, since)
        one = Score(DETECTOR, RULE, float(total), finding, since=since, missing=missing)
        return _Step(moment, settings, state, points, oldest, (one,))

    def _held(self, state: State, moment: Moment) -> bool:
        """Whether the score has called for a human for long enough, or comes too seldom to wait.

        An alert that is open goes on, and escalates, at once.
        """
        if RULE in moment.open or moment.at - self._state.now > SPOT_SECONDS:
            return True
        # By the newest time of all: a device whose clock is behind waits no longer for that.
        return state.medium is not None and state.now - state.medium >= self._hold

    def _valid(
        self, state: State, points: list[int | None], oldest: float
    ) -> tuple[list[int | None], float]:
        """Copy the points of what still speaks for the patient; no input is older than `oldest`.

        Returns a newer such time with it, where all had to be looked at.
        """
        now = state.now
        if now - oldest <= self._shortest:
            return points.copy(), oldest
        known = [time for time in state.times if time is not None]
        valid = [
            given if time is not None and now - time <= validity else None
            for given, time, validity in zip(points, state.times, self._validity, strict=True)
        ]
        return valid, min(known, default=now)


def _with(state: State, points: list[int | None], moment: Moment) -> tuple[State, list[int | None]]:
    """Take a moment into a copy of the state; returns that and the points of each input."""
    values, times, devices = state.values.copy(), state.times.copy(), state.devices.copy()
    points, names, originals = points.copy(), state.names, state.originals
    at, device = moment.at, -1
    for vital, value, _, original in moment.samples:
        place = _place_of(vital)
        if place is None:
            continue
        newest = times[place]
        if newest is not None and newest > at:
            continue
        if device < 0:
            names, device = _named(names, devices, moment)
        if values[place] != value:
            values[place] = value
            points[place] = POINTS[place](value)
        times[place] = at
        devices[place] = device
        if original is not None or originals:
            originals = {known: was for known, was in originals.items() if known != vital}
            if original is not None:
                originals[str(vital)] = original
    now = at if at > state.now else state.now  # noqa: FURB136 (twice as fast as `max`)
    return State(values, times, devices, names, originals, now, state.medium, state.high), points


def _named(names: list[str], devices: list[int], moment: Moment) -> tuple[list[str], int]:
    """Return the names with the moment's device, and its place; a new one takes a free place.

    No more places are needed than there are inputs: a device whose values were all replaced is
    forgotten when its place is wanted.
    """
    if moment.device in names:
        return names, names.index(moment.device)
    for place in range(len(names)):
        if place not in devices:
            return [*names[:place], moment.device, *names[place + 1 :]], place
    return [*names, moment.device], len(names)


def _nothing() -> Score:
    return Score(DETECTOR, RULE, 0.0, missing=CHART)


@cache
def _missing(places: tuple[int, ...]) -> tuple[Vital, ...]:
    return tuple(vital for vital, place in zip(CHART, places, strict=True) if place < 0)


def _red(points: Sequence[int | None], places: Sequence[int]) -> bool:
    return any(place >= 0 and points[place] == RED for place in places)


def _since(state: State, level: Priority | None, at: float) -> datetime | None:
    """Keep since when the priority has been at least what it is; returns that, None without one."""
    if level is None:
        state.medium = state.high = None
        return None
    state.medium = at if state.medium is None else state.medium
    if level is not Priority.HIGH:
        state.high = None
        since = state.medium
    else:
        since = state.high = at if state.high is None else state.high
    # A reading that came late may be older than what the priority was first seen with.
    return datetime.fromtimestamp(min(since, at), UTC)


def _evidence(
    state: State, points: Sequence[int | None], places: Sequence[int], scale: int
) -> Iterator[Evidence]:
    """Yield what gave points, in the order of the chart."""
    for place in places:
        given = points[place] if place >= 0 else 0
        if not given:
            continue
        low, high = EXPECTED.get(INPUTS[place], UNBOUNDED)
        if place == _SPO2 and scale != 1:
            low, high = EXPECTED_SPO2_SCALE_2
        yield _one(state, place, low, high, given)
        # A blood pressure is shared as one measure: the diastolic goes with its systolic.
        if place == _SYSTOLIC and state.times[_DIASTOLIC] == state.times[_SYSTOLIC]:
            yield _one(state, _DIASTOLIC)


def _one(
    state: State,
    place: int,
    low: float | None = None,
    high: float | None = None,
    points: int | None = None,
) -> Evidence:
    vital, device = INPUTS[place], state.names[state.devices[place]]
    time = datetime.fromtimestamp(state.times[place] or 0.0, UTC)
    value, original = state.values[place] or 0.0, state.originals.get(vital)
    return Evidence(vital, value, time, device, low, high, points, original)


def _finding(
    level: Priority,
    evidence: tuple[Evidence, ...],
    total: int,
    missing: tuple[Vital, ...],
    since: datetime | None,
) -> Finding:
    return Finding(
        rule=RULE,
        kind=Kind.PHYSIOLOGICAL,
        priority=level,
        detector=DETECTOR,
        evidence=evidence,
        score=float(total),
        missing=missing,
        since=since,
        pattern=_pattern(evidence),
        against=Against.CHART,
    )


def _pattern(evidence: Sequence[Evidence]) -> Pattern:
    """Say in what way the score is high: by one parameter alone, or by several together."""
    red = [one for one in evidence if one.points == RED]
    if not red:
        return Pattern.TOGETHER
    return Pattern.BELOW if red[0].low is not None and red[0].value < red[0].low else Pattern.ABOVE
