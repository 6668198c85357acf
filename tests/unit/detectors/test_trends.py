"""Trends: a weight that rises by more than 2.0 kg in 3 days, and what is not that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Moment, Sample, Score
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.trends import Options, Trends
from ingest.readings import Quality, Vital
from ingest.registry.entities import Patient, Trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MORNING = datetime(2026, 11, 1, 7, tzinfo=UTC)
WEIGHT = Options({Vital.WEIGHT: Trend(days=3, rise=2.0)})
PLAIN = Patient("p-1")


def moment(
    day: float, value: float, vital: str = "weight", opened: frozenset[str] = frozenset()
) -> Moment:
    time = MORNING + timedelta(days=day)
    return Moment(time, time.timestamp(), "scale", (Sample(vital, value),), open=opened)


def look(detector: Trends, now: Moment, settings: Patient = PLAIN) -> Sequence[Score]:
    scores = detector.score(settings, now, {})
    detector.learn(settings, now, scores)
    return scores


def told(weights: Iterable[tuple[float, float]], options: Options = WEIGHT) -> list[float]:
    """Return the days with a finding."""
    detector = Trends(options)
    found = []
    for day, weight in weights:
        if any(score.finding for score in look(detector, moment(day, weight))):
            found.append(day)
    return found


def daily(*weights: float) -> list[tuple[float, float]]:
    return [(float(day), weight) for day, weight in enumerate(weights)]


@pytest.mark.parametrize(
    ("weights", "days"),
    [
        pytest.param(daily(80, 80.7, 81.4, 82.1), [3], id="2.1 kg in 3 days"),
        pytest.param(daily(80, 80.7, 81.4, 82.0), [], id="2.0 kg is not more than 2.0"),
        pytest.param(daily(80.1, 80.7, 81.4, 82.1), [], id="2.0 kg with binary fractions"),
        pytest.param(daily(80.1, 80.7, 81.4, 82.2), [3], id="2.1 kg with binary fractions"),
        pytest.param(daily(80, 81.1, 82.2), [2], id="2.2 kg in 2 days"),
        pytest.param(daily(80, 80.5, 81, 81.5, 82, 82.5), [], id="1.5 kg in each 3 days"),
        pytest.param(daily(80, 80.4, 80.9, 82.3), [3], id="uneven, but each day higher"),
        pytest.param(daily(80.5, 80, 80.7, 81.4, 82.1), [4], id="counted from the lowest"),
        pytest.param(daily(80, 80, 80, 85), [], id="one wrong weighing at the end"),
        pytest.param(daily(80, 80, 80, 82.4, 80), [], id="a coat on one day"),
        pytest.param(daily(80, 80, 82.4, 80, 80.1), [], id="a coat in between"),
        pytest.param(daily(77, 80, 80, 80, 80), [], id="one wrong weighing at the start"),
        pytest.param(daily(80, 80, 80, 82.3, 82.4), [4], id="a jump that the next day confirms"),
        pytest.param(daily(84, 83, 82, 81, 80), [], id="a fall is not watched here"),
        pytest.param([(0, 80), (3, 83)], [], id="two weighings cannot tell a coat from water"),
        pytest.param([(0, 80), (1, 80.7), (3, 82.1)], [3], id="one day without"),
        pytest.param([(0, 80), (2.1, 81.4), (3.1, 82.1)], [3.1], id="a little later each day"),
        pytest.param([(0, 80), (2, 81.4), (3.2, 82.1)], [], id="3 days and 5 hours are more"),
        pytest.param([(0, 80), (1, 81), (9, 83), (10, 83), (11, 83)], [], id="a long gap"),
    ],
)
def test_more_than_two_kilograms_in_three_days(
    weights: list[tuple[float, float]], days: list[float]
) -> None:
    assert told(weights) == days


@pytest.mark.parametrize(("hours", "within"), [(2.8, True), (3.0, False)])
def test_a_weighing_counts_as_three_days_ago_for_nearly_three_hours_more(
    hours: float, *, within: bool
) -> None:
    weights = [(0, 80.0), (1, 80.7), (2, 81.4), (3 + hours / 24, 82.1)]
    assert bool(told(weights)) is within


def test_a_second_try_on_the_scale_is_the_same_weighing() -> None:
    weights = [(0, 80.0), (1, 80.0), (1.01, 80.1), (1.02, 80.0), (2, 80.0), (2.01, 80.1)]
    detector = Trends(WEIGHT)
    for day, weight in weights:
        look(detector, moment(day, weight))
    assert [point.count for point in detector.snapshot()["weight"]] == [1, 3, 2]


def test_mornings_and_evenings_are_points_of_their_own() -> None:
    steady = [(half / 2, 80.0 + (half % 2)) for half in range(20)]
    assert told(steady) == []
    rising = [(half / 2, 80.0 + (half % 2) + 0.5 * half) for half in range(20)]
    assert told(rising)


def test_the_finding_says_from_what_to_what_and_since_when() -> None:
    detector = Trends(WEIGHT)
    for day, weight in daily(80, 80.7, 81.4):
        look(detector, moment(day, weight))
    (score,) = look(detector, moment(3, 82.1))
    finding = score.finding
    assert finding is not None
    assert finding.rule == "trends.weight"
    assert finding.kind is Kind.PHYSIOLOGICAL
    assert finding.priority is Priority.MEDIUM
    assert finding.pattern is Pattern.RISING
    assert finding.against is Against.DAYS
    assert finding.since == MORNING
    assert [(one.value, one.time) for one in finding.evidence] == [
        (80.0, MORNING),
        (82.1, MORNING + timedelta(days=3)),
    ]
    assert score.high == 82.0
    assert finding.score == pytest.approx(2.1)


def test_a_patients_own_figures_replace_the_profiles() -> None:
    own = Patient("p-1", trends={Vital.WEIGHT: Trend(days=7, rise=3.0, fall=1.0)})
    detector = Trends(WEIGHT)
    found = []
    for day, weight in daily(80, 80.7, 81.4, 82.1, 82.8, 83.1):
        scores = look(detector, moment(day, weight), own)
        found += [day for score in scores if score.finding]
    assert found == [5]


def test_a_fall_is_told_where_it_is_watched() -> None:
    detector = Trends(Options({Vital.SPO2: Trend(days=3, fall=4)}))
    found: list[Score] = []
    for day, value in daily(96, 94, 93, 91.5):
        found += look(detector, moment(day, value, "spo2"))
    finding = found[-1].finding
    assert finding is not None
    assert finding.pattern is Pattern.FALLING
    # No published rule stands behind it: advice.
    assert (finding.kind, finding.priority) == (Kind.ADVISORY, Priority.LOW)
    assert found[-1].low == 92.0


def test_an_alert_goes_on_while_most_of_the_change_is_there() -> None:
    detector = Trends(WEIGHT)
    for day, weight in daily(80, 80.7, 81.4, 82.1):
        look(detector, moment(day, weight))
    opened = frozenset({"trends.weight"})
    now = moment(4, 82.3, opened=opened)
    assert detector.score(PLAIN, now, {})[0].finding
    assert not detector.score(PLAIN, now._replace(open=frozenset()), {})[0].finding


def test_a_trend_that_is_not_watched_any_more_is_answered_normal() -> None:
    now = moment(0, 80, opened=frozenset({"trends.weight"}))
    (score,) = look(Trends(Options()), now)
    assert score.finding is None


def test_before_three_points_nothing_is_known() -> None:
    detector = Trends(WEIGHT)
    assert not look(detector, moment(0, 80))
    assert not look(detector, moment(1, 80))
    assert look(detector, moment(2, 80))[0].value == 0


def test_suspect_and_late_weights_are_passed_over() -> None:
    detector = Trends(WEIGHT)
    for day, weight in daily(80, 80, 80):
        look(detector, moment(day, weight))
    before = msgspec.msgpack.encode(detector.snapshot())
    doubtful = moment(3, 1.0)
    doubtful = doubtful._replace(samples=(Sample("weight", 1.0, int(Quality.SUSPECT)),))
    assert not look(detector, doubtful)
    assert not look(detector, moment(1.5, 90.0))
    assert msgspec.msgpack.encode(detector.snapshot()) == before


def test_a_monitor_is_thinned_to_points_and_asked_once_a_minute() -> None:
    detector = Trends(Options({Vital.TEMPERATURE: Trend(days=1, rise=1.5)}))
    asked = 0
    for second in range(0, 2 * 86_400, 10):
        warm = 36.5 + 2.0 * second / (2 * 86_400)
        asked += len(look(detector, moment(second / 86_400, warm, "temperature")))
    assert len(msgspec.msgpack.encode(detector.snapshot())) <= 160
    assert 0 < asked <= 2 * 86_400 / 10 / 60 + 8 * 12
    points = detector.snapshot()["temperature"]
    assert all(later.mean > one.mean for one, later in pairwise(points))


noise = st.lists(st.floats(-0.9, 0.9), min_size=4, max_size=20)


@given(noise, st.integers(0, 19), st.floats(-20, 20))
def test_no_single_wrong_weighing_among_steady_ones_is_told(
    noise: list[float], place: int, wrong: float
) -> None:
    weights = [80.0 + round(one / 9, 1) for one in noise]
    if place < len(weights):
        weights[place] += wrong
    assert told(daily(*weights)) == []


@given(noise, st.floats(0.72, 2.0))
def test_every_steady_rise_of_more_than_the_bound_is_told(noise: list[float], slope: float) -> None:
    assert 3.0 in told(daily(*(80.0 + slope * day for day in range(max(4, len(noise))))))


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(60, 100)), max_size=30))
def test_a_restored_one_goes_on_the_same(steps: list[tuple[float, float]]) -> None:
    straight, stopped = Trends(WEIGHT), Trends(WEIGHT)
    day = 0.0
    for gap, weight in steps:
        day += gap
        now = moment(day, weight)
        assert look(straight, now) == look(stopped, now)
        raw = msgspec.msgpack.encode(stopped.snapshot())
        stopped = Trends(WEIGHT, msgspec.msgpack.decode(raw, type=Trends.state_type))
    assert straight.snapshot() == stopped.snapshot()
