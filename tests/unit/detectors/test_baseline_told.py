"""What a baseline tells of a value far off, and what a profile may set."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from random import Random

import msgspec
import pytest

from detectors.base import Moment, Sample
from detectors.baseline import Baseline, Options
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.profiles.loading import BadProfile, parse
from ingest.readings import Original, Vital
from tests.unit.detectors.baselines import (
    DAY,
    HOUR,
    MINUTE,
    RULE,
    START,
    at,
    day_and_night,
    far,
    learned,
    look,
    score,
)

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def test_the_finding_is_advice_and_says_what_was_expected_and_since_when() -> None:
    baseline = learned(lambda _: 70.0, 1, HOUR)
    sent = Original(1.7, "Hz")
    for second in range(HOUR, HOUR + 30):
        time = START + timedelta(seconds=second)
        sample = Sample(Vital.HEART_RATE, 100.0, 0, sent)
        found = look(baseline, Moment(time, time.timestamp(), "dev-1", (sample,)))
        assert found is not None
        finding = found.finding
        assert finding is not None
        assert finding.since == found.since == START + timedelta(seconds=HOUR)
        told = (finding.rule, finding.kind, finding.priority)
        assert told == (RULE, Kind.ADVISORY, Priority.LOW)
        assert finding.score == pytest.approx(10.0)
        assert (finding.pattern, finding.against) == (Pattern.ABOVE, Against.HOURS)
        (evidence,) = finding.evidence
        assert evidence.value == 100.0
        assert evidence.low == pytest.approx(58.0)
        assert evidence.high == pytest.approx(82.0)
        assert evidence.original == sent


def test_nothing_is_unusual_since_later_than_the_moment_of_a_device_whose_clock_is_behind() -> None:
    baseline = learned(lambda _: 70.0, 1, HOUR)
    look(baseline, at(HOUR + 60, 100.0))
    behind = look(baseline, at(HOUR + 1, 100.0)._replace(device="dev-2"))
    assert behind is not None
    assert behind.finding is not None
    assert behind.finding.since == behind.since == START + timedelta(seconds=HOUR + 1)


def test_a_value_too_low_is_below() -> None:
    found = score(learned(lambda _: 70.0, 1, HOUR), HOUR, 30.0)
    assert found is not None
    assert found.finding is not None
    assert found.finding.pattern is Pattern.BELOW


@pytest.mark.parametrize(
    ("after", "value", "opened", "expected"),
    [
        pytest.param(10 * MINUTE, 90.0, [], "quiet", id="soon after the alert: stay quiet"),
        pytest.param(10 * MINUTE, 90.0, [RULE], "told", id="the alert is still open: it goes on"),
        pytest.param(10 * MINUTE, 130.0, [], "told", id="twice as far off: tell at once"),
        pytest.param(31 * MINUTE, 90.0, [], "told", id="after the refractory period: tell"),
    ],
)
def test_after_a_report_the_same_vital_is_not_told_again_soon(
    after: int, value: float, opened: list[str], expected: str
) -> None:
    baseline = learned(lambda _: 70.0, 1, 3 * HOUR)
    look(baseline, at(3 * HOUR, 90.0, open=frozenset({RULE})))
    look(baseline, at(3 * HOUR + 1, 70.0))
    found = score(baseline, 3 * HOUR + after, value, open=frozenset(opened))
    assert found is not None
    assert found.value > 4
    assert expected == ("quiet" if found.finding is None else "told")


def test_once_there_are_days_enough_a_value_is_judged_by_the_time_of_day() -> None:
    told = {}
    for circadian in (False, True):
        options = Options(scales=("days", "weeks"), circadian=circadian)
        baseline = learned(day_and_night(), 15 * MINUTE, 14 * DAY, options)
        told[circadian] = score(baseline, 14 * DAY, 85.0)  # a noon's pulse at midnight
        assert far(baseline, 14 * DAY, 55.0) < 2.5
        assert far(baseline, 14 * DAY + DAY // 2, 85.0) < 2.5
    blind, aware = told[False], told[True]
    assert blind is not None
    assert aware is not None
    assert blind.finding is None
    assert aware.finding is not None
    assert aware.finding.against is Against.TIME_OF_DAY


def test_no_value_becomes_unusual_because_a_profile_appears() -> None:
    baseline, usual, farthest = Baseline(Options(circadian=True)), day_and_night(), 0.0
    for second in range(0, 20 * DAY, 5 * MINUTE):
        found = look(baseline, at(second, usual(second)))
        if found is not None and second > 2 * DAY:
            farthest = max(farthest, found.value)
    assert farthest < 6


def test_what_is_counted_or_given_has_no_baseline() -> None:
    for vital in (Vital.CONSCIOUSNESS, Vital.STEPS, Vital.BATTERY, Vital.OXYGEN_FLOW, "queue"):
        baseline = Baseline(Options())
        for minute in range(60):
            look(baseline, at(60 * minute, 1.0, vital))
        assert score(baseline, HOUR, 50.0, vital=vital) is None
        assert not baseline.snapshot().vitals


def test_a_profile_can_name_a_floor_and_keep_the_vital_untold() -> None:
    baseline = Baseline(Options(floors={"steps": 500.0}, untold=("steps",)))
    for day in range(30):
        look(baseline, at(day * DAY, 8000.0, "steps"))
    found = score(baseline, 30 * DAY, 14000.0, vital="steps")
    assert found is not None
    assert found.value == pytest.approx(12.0)
    assert found.finding is None
    assert found.since is not None


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_series_of_unknown_name_has_its_own_spread_whatever_its_scale(scale: float) -> None:
    random, baseline = Random(8), Baseline(Options(generic=True))
    for n in range(500):
        look(baseline, at(300 * n, scale * random.gauss(10, 1), "queue_length"))
    found = score(baseline, 150_000, scale * 20, vital="queue_length")
    assert found is not None
    assert found.rule == "baseline.queue_length"
    assert found.value == pytest.approx(10.0, rel=0.2)


def test_a_series_that_never_moved_is_far_off_when_it_does() -> None:
    baseline = Baseline(Options(generic=True))
    for n in range(100):
        look(baseline, at(300 * n, 0.0, "errors"))
    assert far(baseline, 30_000, 0.0, vital="errors") == 0
    assert isfinite(far(baseline, 30_000, 1.0, vital="errors"))
    assert far(baseline, 30_000, 1.0, vital="errors") > 1e6


@pytest.mark.parametrize(
    "text",
    [
        'scales = ["minutes"]',
        "scales = []",
        "far = 0",
        "refractory_minutes = -1",
        "floors = { steps = 0 }",
        "unknown = 1",
    ],
)
def test_a_profile_with_a_bad_option_is_refused(text: str) -> None:
    with pytest.raises(BadProfile, match="baseline"):
        parse("bad", f'about = "x"\n[baseline]\n{text}\n')


def test_the_state_of_six_vitals_is_small() -> None:
    vitals = ("heart_rate", "pulse_rate", "respiratory_rate", "spo2", "systolic", "temperature")
    sizes = {}
    for circadian in (False, True):
        baseline, random = Baseline(Options(circadian=circadian)), Random(9)
        for n in range(2000):
            time = START + timedelta(minutes=10 * n)
            samples = tuple(Sample(vital, random.gauss(70, 5)) for vital in vitals)
            look(baseline, Moment(time, time.timestamp(), "dev-1", samples))
        sizes[circadian] = len(_encoder.encode(baseline.snapshot()))
    assert sizes[False] <= 900
    assert sizes[True] <= 2500
