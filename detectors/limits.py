"""Bounds of one vital: prescribed for this patient, or else those of the patient's profile.

A plain monitor sounds at the first value beyond its bound, and again at each of the small waves
around it. Three habits take most of that away: wait a little (`seconds`, `count`), call it over
only once the value has come back by a `margin`, and `rearm` after that.

References
----------
IEC 60601-1-8 names the two parts of an alarm's delay: that of the condition (here) and that of
the signal (`alerts.episode`). Delay: of 1535 saturation alarms at 90 % after operations, 6 s take
away nearly half, 18 s 82 % (Rheineck-Leyssius A. T. and Kalkman C. J., Journal of Clinical
Monitoring and Computing 14(3):151-156, 1998); more than half of them were true, so a delay is no
free gain. Bounds: a step-down unit had 63 % fewer alarms at 88 than at 90 % (reported by Welch J.,
Biomedical Instrumentation & Technology 45 s1:46, 2011), so a prescription for the patient goes
before the profile's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.excursions import Bound, Heard, Run, Track, following, outvoted
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from ingest.readings import Vital
from ingest.registry.entities import Limit  # noqa: TC001 (msgspec reads it at run time)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Before, Moment, Sample, Scores
    from ingest.registry.entities import Patient

DETECTOR = "limits/2"
RULES: Mapping[str, str] = MappingProxyType({vital.value: f"limits.{vital}" for vital in Vital})
# Two ways of measuring one thing (as in NEWS2): the second is judged where the first is not there.
STAND_IN: Mapping[str, str] = MappingProxyType({Vital.PULSE_RATE.value: Vital.HEART_RATE.value})

NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a prescription leaves open, and the bounds of patients without a prescription.

    Parameters
    ----------
    seconds
        How long a value must have been beyond, for a vital that comes at least once a minute. 10 s
        is an engineering choice: with the 10 s of `alerts.episode` it stays below the 28 s in all
        that a bedside monitor's maker states for its saturation alarm (GE Carescape One manual).
    count
        In how many readings in a row.
    margin
        By how much it must come back, in the vital's unit; `margins` by vital goes before it. At
        most half the distance of the two bounds is asked.
    rearm
        For how many seconds after an end nothing is said of the same side; what holds on until then
        is said at once. Not for urgent bounds.
    bounds
        By vital. A patient's prescription for a vital replaces its bounds altogether.
    """

    seconds: NotNegative = 10.0
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    margin: NotNegative = 0.0
    rearm: NotNegative = 60.0
    margins: dict[Vital, NotNegative] = {}
    bounds: dict[Vital, Limit] = {}


State = dict[str, Track]


class Limits:
    """How far a value lies beyond its bounds, in the vital's own unit.

    A score is 0 on and within the bounds. The finding comes once the value has been beyond on the
    same side for `seconds` and in `count` readings in a row, and stays until a value has come back
    by the margin; a spot measurement (nothing of the vital in the last minute) is asked for `count`
    alone, so a cuff or the morning's weight speaks at once. `since` is the first value beyond.

    Values marked as suspect count: a saturation below 50 % may be a loose probe or a dying patient,
    and only one of the two errors can be taken back. When it is the probe, `artefact` withholds it.

    Of two devices that measure one vital the one that is beyond counts: while it goes on, another
    one's value within the bounds is not answered, until the first has been quiet for a minute.

    Where a pulse rate comes together with a heart rate that has bounds, the heart rate alone is
    judged, unless the pulse has a prescription of its own: one fast heart is one alert. A pulse
    that comes alone is judged by the heart rate's bounds when it has none.

    Cost: about a microsecond per bounded vital. State: about 20 bytes per bounded vital.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Limit, Patient
    >>> settings = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
    >>> time = datetime(2026, 11, 24, tzinfo=UTC)
    >>> moment = Moment(time, time.timestamp(), "dev-1", (Sample(Vital.SPO2, 85.0),))
    >>> [score] = Limits(Options()).score(settings, moment, {})
    >>> score.value, score.low, score.finding.priority.value
    (3.0, 88.0, 'medium')
    """

    name: ClassVar[str] = "limits"
    version: ClassVar[int] = 2
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[object] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        self._options = options
        self._tracks = state if state is not None else {}
        # Completed bounds: of the profile, and of the prescriptions that they were made from. Made
        # when asked for, as most detectors that are restored see a few vitals only.
        self._bounds: dict[str, Bound] = {}
        self._prescribed: dict[str, Bound] = {}
        self._prescriptions: object = None
        self._seats: tuple[_Seat, ...] = ()
        self._seated: object = None
        # The moment that was scored last, if all of it was within bounds: then there is no run to
        # take further, and no need to find that out again.
        self._quiet: Moment | None = None

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say how far beyond its bounds each value lies, where there are any."""
        del before
        found = []
        quiet = True
        for seat, sample in zip(self._seat(settings, moment), moment.samples, strict=False):
            vital, rule, bound, track, _, spoken_for, low, high = seat
            if bound is None or (spoken_for and track.run is None):
                if rule in moment.open:
                    # A bound that is in force no longer is judged once more, as normal.
                    found.append(Score(DETECTOR, rule, 0.0))
                continue
            value = sample.value
            if track.run is None and low <= value <= high:
                found.append(Score(DETECTOR, rule, 0.0, None, vital, value, bound.low, bound.high))
                continue
            quiet = False
            heard = Heard(value, moment.device, moment.at)
            if outvoted(track.run, bound, heard):
                continue
            found.append(_judged(moment, sample, seat, bound, heard))
        self._quiet = moment if quiet else None
        return found

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Remember what is going on at the bounds. They are prescribed: none is learned."""
        del scores
        at = int(moment.at)
        quiet = moment is self._quiet
        for seat, sample in zip(self._seat(settings, moment), moment.samples, strict=False):
            track = seat.track
            last = track.last
            if seat.bound is None:
                # Bounds that are in force no longer leave nothing behind.
                self._tracks.pop(seat.vital, None)
                continue
            if not quiet and (track.run is not None or not seat.spoken_for):
                heard = Heard(sample.value, moment.device, moment.at)
                if not outvoted(track.run, seat.bound, heard):
                    track.run = following(track.run, seat.bound, heard, seat.last)
            if last is None:
                self._tracks[seat.vital] = track
                track.last = at
            elif at > last:
                track.last = at

    def snapshot(self) -> State:
        """Return the state itself: encode it at once."""
        return self._tracks

    def _seat(self, settings: Patient, moment: Moment) -> tuple[_Seat, ...]:
        """Find what is in force for each value; a monitor sends the same vitals again and again."""
        seats, samples = self._seats, moment.samples
        if self._seated is settings.limits and len(seats) == len(samples):
            for seat, sample in zip(seats, samples, strict=False):
                if seat.vital is not sample.vital:
                    break
            else:
                return seats
        if self._prescriptions is not settings.limits:
            self._prescriptions, self._prescribed = settings.limits, {}
        there = {sample.vital for sample in samples}
        self._seats = tuple(self._seat_of(sample.vital, settings, there) for sample in samples)
        self._seated = settings.limits
        return self._seats

    def _seat_of(self, vital: str, settings: Patient, there: set[str]) -> _Seat:
        bound = self._bound(vital, settings)
        rule = RULES.get(vital, f"limits.{vital}")
        first = STAND_IN.get(vital)
        spoken_for = False
        if first is not None and vital not in settings.limits:
            instead = self._bound(first, settings)
            spoken_for = instead is not None and first in there
            if first in settings.limits or bound is None:
                bound = instead
        track = self._tracks.get(vital)
        if track is None:
            track = Track()  # it is kept once something is learned of it
        other = self._tracks.get(first) if first is not None else None
        low, high = -inf, inf
        if bound is not None:
            low = -inf if bound.low is None else bound.low
            high = inf if bound.high is None else bound.high
        return _Seat(vital, rule, bound, track, other, spoken_for, low, high)

    def _bound(self, vital: str, settings: Patient) -> Bound | None:
        """Return the bounds that are in force: prescribed, or else the profile's."""
        limits: Mapping[str, Limit] = settings.limits  # type: ignore[assignment]  # a Vital is a str
        known = self._prescribed
        if vital not in limits:
            limits, known = self._options.bounds, self._bounds  # type: ignore[assignment]  # the same
        if vital not in limits:
            return None
        if vital not in known:
            known[vital] = self._complete(Vital(vital), limits[vital])
        return known[vital]

    def _complete(self, vital: Vital, limit: Limit) -> Bound:
        """Fill in from the profile what a limit leaves open."""
        usual = self._options
        profile = usual.bounds.get(vital, limit)
        low = None if limit.low is None else float(limit.low)
        high = None if limit.high is None else float(limit.high)
        margin = _first(limit.margin, profile.margin, usual.margins.get(vital), usual.margin)
        if low is not None and high is not None:
            margin = max(0.0, min(margin, (high - low) / 2))
        return Bound(
            low,
            high,
            _first(limit.seconds, profile.seconds, usual.seconds),
            int(_first(limit.count, profile.count, usual.count)),
            margin,
            0.0 if limit.urgent else usual.rearm,
            Priority.HIGH if limit.urgent else Priority.MEDIUM,
        )


class _Seat(NamedTuple):
    """A vital of a moment, with what is in force for it and what is known.

    `other` is the track of the vital that it stands in for; `spoken_for`: that one has come too.
    `low` and `high` are the bounds, infinite where there is none.
    """

    vital: str
    rule: str
    bound: Bound | None
    track: Track
    other: Track | None
    spoken_for: bool
    low: float
    high: float

    @property
    def last(self) -> int | None:
        """When the vital, or else the one that it stands in for, came before (None: never)."""
        last = self.track.last
        return self.other.last if last is None and self.other is not None else last


def _first(*choices: float | None) -> float:
    return next(float(one) for one in choices if one is not None)


def _judged(moment: Moment, sample: Sample, seat: _Seat, bound: Bound, heard: Heard) -> Score:
    """Score a value that is beyond its bounds, or was lately."""
    run, beyond = following(seat.track.run, bound, heard, seat.last), abs(bound.beyond(heard.value))
    finding = None
    if run is not None and run.told:
        finding = _finding(moment, sample, bound, run, beyond)
    since = None if finding is None else finding.since
    return Score(
        *(DETECTOR, seat.rule, beyond, finding, seat.vital, sample.value),
        *(bound.low, bound.high, since),
    )


def _finding(moment: Moment, sample: Sample, bound: Bound, run: Run, beyond: float) -> Finding:
    evidence = Evidence(
        *(sample.vital, sample.value, moment.time, moment.device, bound.low, bound.high),
        original=sample.original,
    )
    return Finding(
        rule=RULES[sample.vital],
        kind=Kind.PHYSIOLOGICAL,
        priority=bound.priority,
        detector=DETECTOR,
        evidence=(evidence,),
        score=beyond,
        since=min(moment.time, datetime.fromtimestamp(run.since, UTC)),
        pattern=Pattern.ABOVE if run.side > 0 else Pattern.BELOW,
        against=Against.LIMITS,
    )
