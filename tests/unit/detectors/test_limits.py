"""Bounds: when a value beyond them is told, how long that lasts, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Moment, Sample, Score
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.limits import Limits, Options, State
from detectors.profiles.loading import BadProfile, parse
from ingest.readings import Original, Quality, Vital
from ingest.registry.entities import Limit, Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOW = Patient("p-1", limits={Vital.SPO2: Limit(low=90, margin=2, seconds=10)})


def moment(second: float, **values: float) -> Moment:
    time = NOON + timedelta(seconds=second)
    samples = tuple(Sample(vital, values[vital]) for vital in sorted(values))
    return Moment(time, time.timestamp(), "dev-1", samples)


def look(detector: Limits, settings: Patient, now: Moment) -> Sequence[Score]:
    scores = detector.score(settings, now, {})
    detector.learn(settings, now, scores)
    return scores


def told(
    values: Iterable[tuple[float, float]],
    settings: Patient = LOW,
    options: Options | None = None,
    vital: str = "spo2",
) -> list[float]:
    """Return the seconds at which there is a finding."""
    detector = Limits(options or Options())
    found = []
    for second, value in values:
        scores = look(detector, settings, moment(second, **{vital: value}))
        if any(score.finding for score in scores):
            found.append(second)
    return found


def each_second(*values: float) -> list[tuple[float, float]]:
    return [(float(second), value) for second, value in enumerate(values)]


@pytest.mark.parametrize(
    ("limit", "value", "beyond"),
    [
        pytest.param(Limit(low=88), 88.0, 0.0, id="on the lower bound is within"),
        pytest.param(Limit(low=88), 87.5, 0.5, id="below the lower bound"),
        pytest.param(Limit(low=88), 100.0, 0.0, id="no upper bound"),
        pytest.param(Limit(high=92), 92.0, 0.0, id="on the upper bound is within"),
        pytest.param(Limit(high=92), 95.0, 3.0, id="above the upper bound"),
        pytest.param(Limit(low=88, high=92), 90.0, 0.0, id="between the two"),
        pytest.param(Limit(), 10.0, 0.0, id="a limit without bounds finds nothing"),
    ],
)
def test_when_a_value_is_beyond_its_bounds(limit: Limit, value: float, beyond: float) -> None:
    settings = Patient("p-1", limits={Vital.SPO2: limit})
    (score,) = look(Limits(Options()), settings, moment(0, spo2=value))
    assert score.value == beyond
    # The first value that ever came is a spot measurement: nobody knows when the next will come.
    assert (score.finding is None) is (beyond == 0.0)


def test_a_vital_without_bounds_is_not_judged() -> None:
    assert not look(Limits(Options()), LOW, moment(0, heart_rate=180.0))
    assert not look(Limits(Options()), Patient("p-1"), moment(0, spo2=50.0))


def test_the_finding_says_what_was_measured_against_what_and_since_when() -> None:
    detector = Limits(Options())
    for second in range(5):
        look(detector, LOW, moment(second, spo2=95.0))
    for second in range(5, 15):
        (score,) = look(detector, LOW, moment(second, spo2=80.0))
        assert score.finding is None
        assert score.value == 10
    (score,) = look(detector, LOW, moment(15, spo2=81.0))
    finding = score.finding
    assert finding is not None
    assert finding.rule == "limits.spo2"
    assert finding.kind is Kind.PHYSIOLOGICAL
    assert finding.priority is Priority.MEDIUM
    assert finding.pattern is Pattern.BELOW
    assert finding.against is Against.LIMITS
    assert finding.since == score.since == NOON + timedelta(seconds=5)
    (evidence,) = finding.evidence
    assert (evidence.value, evidence.low, evidence.high, evidence.device) == (81, 90, None, "dev-1")


def test_evidence_keeps_the_value_that_the_device_sent() -> None:
    settings = Patient("p-1", limits={Vital.TEMPERATURE: Limit(high=38)})
    sent = Original(102.2, "[degF]")
    now = moment(0)._replace(samples=(Sample("temperature", 39.0, 0, sent),))
    (score,) = look(Limits(Options()), settings, now)
    assert score.finding is not None
    assert score.finding.evidence[0].original == sent
    assert score.finding.pattern is Pattern.ABOVE


def test_an_urgent_bound_is_of_high_priority() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=85, urgent=True)})
    (score,) = look(Limits(Options()), settings, moment(0, spo2=80.0))
    assert score.finding is not None
    assert score.finding.priority is Priority.HIGH


def test_a_monitor_tells_after_the_seconds_and_not_before() -> None:
    values = each_second(95, 95, *[85] * 13)
    assert told(values) == [12.0, 13.0, 14.0]


def test_a_value_back_within_starts_the_seconds_anew() -> None:
    values = each_second(95, *[85] * 9, 91, *[85] * 11)
    assert told(values) == [21.0]


def test_a_value_that_swings_to_the_other_side_starts_the_seconds_anew() -> None:
    settings = Patient("p-1", limits={Vital.HEART_RATE: Limit(low=50, high=120, seconds=5)})
    values = each_second(80, *[130] * 4, *[40] * 6)
    assert told(values, settings, vital="heart_rate") == [10.0]


def test_so_many_readings_in_a_row_are_asked_for() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=90, seconds=0, count=3)})
    assert told(each_second(95, 85, 85, 91, 85, 85, 85), settings) == [6.0]


@pytest.mark.parametrize("gap", [61, 3600, 86_400])
def test_a_spot_measurement_tells_at_once(gap: float) -> None:
    assert told([(0, 95.0), (gap, 85.0)]) == [gap]


def test_a_count_is_asked_of_spot_measurements_too() -> None:
    settings = Patient("p-1", limits={Vital.SYSTOLIC: Limit(high=160, count=2)})
    day = 86_400.0
    values = [(0, 150.0), (day, 170.0), (2 * day, 150.0), (3 * day, 170.0), (4 * day, 171.0)]
    assert told(values, settings, vital="systolic") == [4 * day]


def test_it_is_over_only_once_it_came_back_by_the_margin() -> None:
    values = [(0, 85.0), (100, 90.0), (200, 91.9), (300, 92.0), (400, 91.0)]
    assert told(values) == [0, 100, 200]


def test_two_bounds_that_are_close_do_not_keep_an_alert_for_ever() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=88, high=92, margin=50)})
    assert told([(0, 95.0), (100, 91.0), (200, 90.0)], settings) == [0, 100]


def test_after_an_end_nothing_is_told_until_it_is_armed_again() -> None:
    options = Options(rearm=60)
    values = [*each_second(95, *[85] * 12, 95), *[(float(s), 85.0) for s in range(14, 90)]]
    found = told(values, options=options)
    assert found[:2] == [11.0, 12.0]
    # It ended at 13 s: what has held on since 14 s is told as soon as a minute has passed.
    assert found[2] == 73.0


def test_an_urgent_bound_is_always_armed() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=90, seconds=0, urgent=True)})
    assert told(each_second(95, 85, 95, 85), settings) == [1.0, 3.0]


def test_a_prescription_replaces_the_bounds_of_the_profile() -> None:
    options = Options(seconds=0, bounds={Vital.SPO2: Limit(low=92, high=99, seconds=30)})
    mild = Patient("p-1", limits={Vital.SPO2: Limit(low=85)})
    assert told([(0, 100.0), (100, 88.0), (200, 84.0)], mild, options) == [200]
    assert told([(0, 100.0), (100, 88.0)], Patient("p-1"), options) == [0, 100]
    # What the prescription leaves open is the profile's for that vital.
    assert told(each_second(95, *[80] * 31), mild, options) == [31.0]


def test_a_pulse_is_judged_where_there_is_no_heart_rate() -> None:
    options = Options(bounds={Vital.HEART_RATE: Limit(high=120), Vital.PULSE_RATE: Limit(high=120)})
    both = look(Limits(options), Patient("p-1"), moment(0, heart_rate=150.0, pulse_rate=150.0))
    assert [score.rule for score in both] == ["limits.heart_rate"]
    alone = look(Limits(options), Patient("p-1"), moment(0, pulse_rate=150.0))
    assert [score.rule for score in alone] == ["limits.pulse_rate"]


def test_a_pulse_alone_is_held_to_the_prescribed_heart_rate() -> None:
    settings = Patient("p-1", limits={Vital.HEART_RATE: Limit(high=100)})
    (score,) = look(Limits(Options()), settings, moment(0, pulse_rate=105.0))
    assert (score.rule, score.value, score.high) == ("limits.pulse_rate", 5.0, 100.0)
    assert score.finding is not None


def test_a_pulse_that_steps_in_for_a_moment_is_no_spot_measurement() -> None:
    options = Options(bounds={Vital.HEART_RATE: Limit(low=50)})
    detector = Limits(options)
    for second in range(5):
        look(detector, Patient("p-1"), moment(second, heart_rate=75.0, pulse_rate=48.0))
    (score,) = look(detector, Patient("p-1"), moment(5, pulse_rate=48.0))
    assert score.value == 2
    assert score.finding is None


def test_a_pulse_that_was_being_judged_is_judged_to_its_end() -> None:
    options = Options(bounds={Vital.HEART_RATE: Limit(high=120)})
    detector, settings = Limits(options), Patient("p-1")
    assert look(detector, settings, moment(0, pulse_rate=150.0))[0].finding
    now = moment(1, heart_rate=80.0, pulse_rate=80.0)
    scores = look(detector, settings, now._replace(open=frozenset({"limits.pulse_rate"})))
    assert {score.rule for score in scores} == {"limits.heart_rate", "limits.pulse_rate"}
    assert not [score for score in scores if score.finding]


def test_a_bound_that_is_in_force_no_longer_is_answered_normal_where_its_alert_is_open() -> None:
    detector = Limits(Options())
    look(detector, LOW, moment(0, spo2=80.0))
    now = moment(1, spo2=80.0)._replace(open=frozenset({"limits.spo2"}))
    (score,) = look(detector, Patient("p-1"), now)
    assert (score.rule, score.value, score.finding) == ("limits.spo2", 0.0, None)
    assert detector.snapshot() == {}


def test_a_bound_that_was_loosened_ends_what_is_within_it() -> None:
    detector = Limits(Options())
    assert look(detector, LOW, moment(0, spo2=85.0))[0].finding
    loose = Patient("p-1", limits={Vital.SPO2: Limit(low=80, margin=2)})
    assert look(detector, loose, moment(1, spo2=85.0))[0].finding is None


def test_a_suspect_value_counts() -> None:
    now = moment(0)._replace(samples=(Sample("spo2", 40.0, int(Quality.SUSPECT)),))
    assert look(Limits(Options()), LOW, now)[0].finding


def test_a_late_value_of_another_device_does_not_raise() -> None:
    detector = Limits(Options())
    look(detector, LOW, moment(100, spo2=85.0))
    (score,) = look(detector, LOW, moment(40, spo2=84.0))
    assert score.finding is not None
    assert score.finding.since is not None
    assert score.finding.since <= NOON + timedelta(seconds=40)


def test_the_usual_state_is_small() -> None:
    options = Options(bounds={vital: Limit(low=1, high=999) for vital in list(Vital)[:6]})
    detector = Limits(options)
    values = {vital.value: 50.0 for vital in list(Vital)[:6]}
    for second in range(100):
        look(detector, Patient("p-1"), moment(second, **values))
    assert len(msgspec.msgpack.encode(detector.snapshot())) <= 130


steps = st.lists(
    st.tuples(st.integers(0, 120), st.sampled_from([80.0, 89.0, 90.0, 91.0, 93.0])), max_size=60
)


@given(steps, st.integers(0, 59), st.integers(1, 7))
def test_a_restored_one_goes_on_the_same(
    steps: list[tuple[int, float]], cut: int, every: int
) -> None:
    straight, stopped = Limits(Options()), Limits(Options())
    second = 0
    for number, (gap, value) in enumerate(steps):
        second += gap
        now = moment(second, spo2=value)._replace(device=f"dev-{number % every}")
        assert look(straight, LOW, now) == look(stopped, LOW, now)
        if number == cut:
            raw = msgspec.msgpack.encode(stopped.snapshot())
            stopped = Limits(Options(), msgspec.msgpack.decode(raw, type=State))
    assert straight.snapshot() == stopped.snapshot()


@given(steps)
def test_whoever_is_beyond_for_long_is_told_of_and_whoever_is_within_is_not(
    steps: list[tuple[int, float]],
) -> None:
    detector = Limits(Options(rearm=0))
    second, beyond = 0, 0.0
    for gap, value in steps:
        second += gap
        beyond = 0.0 if value >= 90 else beyond or second + 1.0
        (score,) = look(detector, LOW, moment(second, spo2=value))
        if beyond and second + 1 - beyond >= 10:
            assert score.finding is not None
        if value >= 92:
            assert score.finding is None


def test_a_second_device_that_reads_well_keeps_nothing_from_being_told() -> None:
    detector, found, judged = Limits(Options()), [], []
    for second in range(40):
        probe = moment(second, spo2=95.0 if second < 5 else 85.0)
        for now in (probe, moment(second + 0.5, spo2=96.0)._replace(device="dev-2")):
            scores = look(detector, LOW, now)
            found += [second for score in scores if score.finding]
            judged += [second for score in scores if now.device == "dev-2"]
    assert found == list(range(15, 40))
    # Meanwhile the other device answers nothing: it neither ends an alert nor starts it anew.
    assert judged == list(range(5))


@pytest.mark.parametrize("ahead", [0.0, 60.0])
def test_once_the_device_that_was_beyond_is_quiet_another_can_end_it(ahead: float) -> None:
    detector = Limits(Options())
    assert look(detector, LOW, moment(ahead, spo2=85.0))[0].finding
    others = [moment(second, spo2=96.0)._replace(device="dev-2") for second in range(1, 200)]
    answered = [one for one in others if look(detector, LOW, one)]
    assert answered[0] == others[int(ahead) + 60]
    assert not look(detector, LOW, others[-1])[0].finding


@pytest.mark.parametrize(
    "text", ["seconds = -1", "count = 0", "margin = -1", "rearm = -1", "margins = { spo2 = -1 }"]
)
def test_a_profile_with_a_bad_option_is_refused(text: str) -> None:
    with pytest.raises(BadProfile, match="limits"):
        parse("bad", f'about = "x"\n[limits]\n{text}\n')
