"""A vital that moves over days: a weight that rises, a saturation that falls.

*More than 2.0 kg in 3 days* means here, exactly: the newest weight is more than 2.0 kg above the
lowest one of the last 3 days, and the days between speak for it: the repeated median of their
slopes, over the time they span, carries more than half of the 2.0 kg. So one wrong weighing (with
shoes, with a coat, another person), at either end or in between, raises nothing by itself, and a
true rise of 2.1 kg does.

References
----------
Weight, more than 2 kg in 3 days: the European Society of Cardiology's advice to patients
(heartfailurematters.org, "Weight gain"). ESC 2019, P6334: the evidence behind the rule is unclear
and longer windows do better, so both figures are a setting of the patient (`Patient.trends`).
Slope: Siegel A. F., Robust regression using repeated medians, Biometrika 69(1):242-244, 1982; it
holds out against nearly half of the points, where the median of all slopes (Theil H. 1950; Sen
P. K., Journal of the American Statistical Association 63:1379-1389, 1968) holds out against 29 %:
with the four weights of three days, one wrong one is 25 %, and moves Theil and Sen's slope already.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from ingest.readings import Quality, Vital
from ingest.registry.entities import Trend  # noqa: TC001 (msgspec reads it at run time)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.base import Before, Moment, Sample, Scores
    from ingest.registry.entities import Patient

DETECTOR = "trends/1"
RULES: Mapping[str, str] = MappingProxyType({vital.value: f"trends.{vital}" for vital in Vital})
DAY = 24 * 60  # in minutes, the unit of this file's times
# Readings within so much of the window count as one, by their mean: 9.6 h for three days, so a
# morning and an evening stay apart and a second try on the scale does not; 22.4 h for a week, so
# daily weights stay apart though one comes early. At most 8 points a vital: two stay below 300
# bytes.
POINTS = 7.5
# "Three days ago" is the morning three days ago, not the same minute: so much of a point more (for
# three days nearly three hours).
GRACE = 0.3
# Fewer points cannot tell one wrong weighing from a change.
FEWEST = 3
# An alert goes on until the change is below this part of what raised it: no letter for each wave.
STAY = 0.75
# Of what raised it: the part that the slope of the days between must carry.
SUPPORT = 0.5
# Decimals of a scale are no exact binary fractions: 82.1 - 80.1 is a little more than 2.0.
ROUNDING = 1e-6
SUSPECT = int(Quality.SUSPECT)
# Each reading is judged until a point has so many of them; then one in sixty: one a minute at 1 Hz.
SPARSE = 8
DENSE = 60
MOST = 60_000  # readings counted in a point (17 h at 1 Hz); then each one moves the mean by so much


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The trends of the profile by vital; a patient's own for a vital replaces it.

    `medium` are the vitals whose trend calls for closer follow-up; another vital's is advice.
    """

    vitals: dict[Vital, Trend] = {}
    medium: tuple[Vital, ...] = (Vital.WEIGHT,)


class Point(msgspec.Struct, array_like=True, gc=False):
    """Readings of a vital close together: `minute` of the first (since 1970), mean and number."""

    minute: int
    mean: float
    count: int


State = dict[str, list[Point]]


class Change(NamedTuple):
    """What a vital did within its window: `by` how much (positive), and between which points."""

    by: float
    carried: float
    first: Point
    last: Point


class Trends:
    """How much a vital rose or fell within its window, in its own unit.

    Weight is of medium priority (closer follow-up): a rule that physicians know stands behind it.
    A saturation or a temperature that moves is advice by default: no published rule, and `limits`
    and `news2` speak where the level itself is a danger.

    No score before there are three points (readings close together count as one). Of a monitor's
    readings one in sixty is judged, so 1 Hz costs little. Suspect values are passed over. `since`
    is the first point of the change. Cost: about 20 microseconds for a reading that is judged, 2
    for another. State: at most 8 points of 16 bytes per vital.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> options = Options({Vital.WEIGHT: Trend(days=3, rise=2.0)})
    >>> detector, patient = Trends(options), Patient("p-1")
    >>> for day, weight in enumerate((80.0, 80.7, 81.4, 82.1)):
    ...     time = datetime(2026, 11, 20, 7, tzinfo=UTC) + timedelta(days=day)
    ...     moment = Moment(time, time.timestamp(), "scale", (Sample(Vital.WEIGHT, weight),))
    ...     scores = detector.score(patient, moment, {})
    ...     detector.learn(patient, moment, scores)
    >>> round(scores[0].value, 3), scores[0].finding.pattern.value
    (2.1, 'rising')
    """

    name: ClassVar[str] = "trends"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[object] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        self._options = options
        self._points = state if state is not None else {}

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say how far each watched vital moved within its window."""
        del before
        if not (settings.trends or self._options.vitals or moment.open):
            return ()
        found = []
        for sample in moment.samples:
            trend = self._trend(settings, sample.vital)
            if trend is None:
                rule = RULES.get(sample.vital)
                if rule is not None and rule in moment.open:
                    found.append(Score(DETECTOR, rule, 0.0))
            elif not sample.quality & SUSPECT:
                known = self._points.get(sample.vital, ())
                if not _passed_over(known, moment):
                    score = self._judge(trend, sample, moment, _with(known, sample, moment, trend))
                    found.extend(score)
        return found

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Remember the readings, thinned."""
        del scores
        if not (settings.trends or self._options.vitals or self._points):
            return
        for sample in moment.samples:
            trend = self._trend(settings, sample.vital)
            if trend is None:
                self._points.pop(sample.vital, None)
            elif not sample.quality & SUSPECT:
                known = self._points.get(sample.vital, [])
                if not _joined(known, sample, moment, trend):
                    self._points[sample.vital] = _with(known, sample, moment, trend)

    def snapshot(self) -> State:
        """Return the state itself: encode it at once."""
        return self._points

    def _trend(self, settings: Patient, vital: str) -> Trend | None:
        own: Mapping[str, Trend] = settings.trends  # type: ignore[assignment]  # a Vital is a str
        usual: Mapping[str, Trend] = self._options.vitals  # type: ignore[assignment]
        return own.get(vital) or usual.get(vital)

    def _judge(
        self, trend: Trend, sample: Sample, moment: Moment, points: Sequence[Point]
    ) -> tuple[Score, ...]:
        window = _window(points, trend)
        if len(window) < FEWEST:
            return ()
        rule = RULES[sample.vital]
        stay = STAY if rule in moment.open else 1.0
        largest = 0.0
        for asked, sign in ((trend.rise, 1.0), (trend.fall, -1.0)):
            if asked is None:
                continue
            change = measure(window, sign)
            largest = max(largest, change.by)
            bound = stay * asked
            if change.by > bound + ROUNDING and change.carried > SUPPORT * bound + ROUNDING:
                medium = sample.vital in self._options.medium
                finding = _finding(rule, change, sample, moment, sign, medium=medium)
                edge = change.first.mean + sign * asked
                low, high = (None, edge) if sign > 0 else (edge, None)
                value, since = sample.value, finding.since
                score = Score(
                    DETECTOR, rule, change.by, finding, sample.vital, value, low, high, since
                )
                return (score,)
        return (Score(DETECTOR, rule, largest, None, sample.vital, sample.value),)


def measure(window: Sequence[Point], sign: float = 1.0) -> Change:
    """Measure how far the newest of at least two points is above (`sign` 1) or below (-1) the rest.

    `carried` is what the repeated median of the slopes makes of the time between the two. Cost:
    the square of the number of points, of which there are at most 8.

    >>> one_coat = [Point(0, 80.0, 1), Point(1440, 80.0, 1), Point(2880, 83.0, 1)]
    >>> measure(one_coat).by, abs(measure(one_coat).carried)
    (3.0, 0.0)
    """
    *rest, last = window
    first = min(rest, key=lambda one: sign * one.mean)
    by = sign * (last.mean - first.mean)
    slope = _low_median(
        [
            _low_median(
                [
                    sign * (other.mean - one.mean) / (other.minute - one.minute)
                    for other in window
                    if other is not one
                ]
            )
            for one in window
        ]
    )
    return Change(max(0.0, by), slope * (last.minute - window[0].minute), first, last)


def _low_median(values: list[float]) -> float:
    """Take the middle value, of two the lower: where half speaks against a trend, there is none."""
    return sorted(values)[(len(values) - 1) // 2]


def _passed_over(points: Sequence[Point], moment: Moment) -> bool:
    """Whether this reading is late, or one of the many of a monitor of which one in 60 is asked."""
    if not points:
        return False
    newest = points[-1]
    return moment.at / 60 < newest.minute or (newest.count > SPARSE and newest.count % DENSE != 0)


def _length(trend: Trend) -> float:
    return max(1.0, trend.days * DAY / POINTS)


def _window(points: Sequence[Point], trend: Trend) -> Sequence[Point]:
    """Return the points of the window that ends with the newest one."""
    oldest = points[-1].minute - trend.days * DAY - GRACE * _length(trend)
    return [one for one in points if one.minute >= oldest]


def _joined(points: list[Point], sample: Sample, moment: Moment, trend: Trend) -> bool:
    """Add a reading to the newest point in place, if it belongs there; no memory is made."""
    if not points:
        return False
    newest = points[-1]
    if not 0 <= moment.at / 60 - newest.minute < _length(trend):
        return False
    newest.count = min(newest.count + 1, MOST)
    newest.mean += (sample.value - newest.mean) / newest.count
    return True


def _with(points: Sequence[Point], sample: Sample, moment: Moment, trend: Trend) -> list[Point]:
    """Return the points with this reading: in the newest one, or as a new one. Late: no change."""
    kept = list(points)
    if kept:
        copy = [Point(kept[-1].minute, kept[-1].mean, kept[-1].count)]
        if _joined(copy, sample, moment, trend):
            return [*kept[:-1], *copy]
        if moment.at / 60 < kept[-1].minute:
            return kept
    kept.append(Point(int(moment.at // 60), sample.value, 1))
    return list(_window(kept, trend))


def _finding(
    rule: str, change: Change, sample: Sample, moment: Moment, sign: float, *, medium: bool
) -> Finding:
    since = datetime.fromtimestamp(60 * change.first.minute, UTC)
    # The device of the first value is not remembered: nearly always it is the same one.
    first = Evidence(sample.vital, change.first.mean, since, moment.device)
    last = Evidence(
        *(sample.vital, change.last.mean, moment.time, moment.device),
        original=sample.original if change.last.count == 1 else None,
    )
    return Finding(
        rule=rule,
        kind=Kind.PHYSIOLOGICAL if medium else Kind.ADVISORY,
        priority=Priority.MEDIUM if medium else Priority.LOW,
        detector=DETECTOR,
        evidence=(first, last),
        score=change.by,
        since=since,
        pattern=Pattern.RISING if sign > 0 else Pattern.FALLING,
        against=Against.DAYS,
    )
