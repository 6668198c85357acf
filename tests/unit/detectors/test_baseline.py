"""What is usual for a patient, and how it is learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from detectors.base import Sample
from detectors.baseline import FAR, PATIENCE, Baseline
from detectors.findings import Kind, Priority
from ingest.readings import Vital
from ingest.registry.entities import Patient

START = datetime(2026, 11, 24, tzinfo=UTC)
SETTINGS = Patient("p-1")


def sample(second: float, value: float, vital: Vital = Vital.HEART_RATE) -> Sample:
    return Sample(vital, value, START + timedelta(seconds=second), "dev-1")


def at_rest(minutes: int = 10, mean: float = 70.0, spread: float = 5.0) -> Baseline:
    """Build a baseline of a heart that beat steadily, read at 1 Hz."""
    baseline, random = Baseline(), Random(3)
    for second in range(60 * minutes):
        baseline.learn(sample(second, random.gauss(mean, spread)))
    return baseline


def distance(baseline: Baseline, value: float, second: float = 3600.0) -> float | None:
    score = baseline.score(SETTINGS, sample(second, value))
    return None if score is None else score.value


def test_half_a_minute_at_1_hz_is_no_baseline_yet() -> None:
    baseline = Baseline()
    for second in range(299):
        baseline.learn(sample(second, 70.0 + second % 7))
    assert distance(baseline, 70.0, 299.0) is None
    assert distance(baseline, 70.0, 300.0) is not None


def test_five_minutes_with_few_readings_are_no_baseline_yet() -> None:
    baseline = Baseline()
    for n in range(29):
        baseline.learn(sample(60 * n, 70.0))
    assert distance(baseline, 70.0) is None


def test_the_distance_is_in_spreads_of_a_normal_distribution() -> None:
    baseline = at_rest(minutes=60)
    assert distance(baseline, 70.0) == pytest.approx(0.0, abs=0.3)
    assert distance(baseline, 70.0 + 4 * 5.0) == pytest.approx(4.0, rel=0.1)


def test_the_distance_does_not_saturate() -> None:
    baseline = at_rest()
    scores = [distance(baseline, value) for value in (100.0, 200.0, 400.0, 4000.0)]
    assert scores == sorted(scores, key=lambda s: s or 0.0)
    assert len(set(scores)) == 4


def test_one_beat_more_is_not_unusual_for_a_patient_who_lies_quite_still() -> None:
    baseline = at_rest(spread=0.0)
    assert distance(baseline, 71.0) == pytest.approx(1 / 3)


def test_the_first_reading_weighs_no_more_than_any_other() -> None:
    odd, baseline = sample(0, 120.0), Baseline()
    baseline.learn(odd)
    for second in range(1, 600):
        baseline.learn(sample(second, 70.0))
    score = baseline.score(SETTINGS, sample(601, 70.0))
    assert score is not None
    assert score.low is not None
    assert score.high is not None
    assert (score.low + score.high) / 2 == pytest.approx(70.0, abs=0.1)


def test_a_new_level_is_learned_once_it_has_lasted() -> None:
    baseline = at_rest()
    begin, hour = 600, int(PATIENCE.total_seconds())
    for second in range(begin, begin + hour, 10):
        baseline.pass_over(sample(second, 120.0))
    assert (distance(baseline, 120.0) or 0.0) > FAR
    for second in range(begin + hour, begin + 2 * hour):
        if (distance(baseline, 120.0) or 0.0) < FAR:
            break
        baseline.pass_over(sample(second, 120.0))
    assert (distance(baseline, 120.0) or 0.0) < FAR


def test_a_value_within_what_is_usual_starts_the_patience_anew() -> None:
    baseline = at_rest()
    for minute in range(10, 69):
        baseline.pass_over(sample(60 * minute, 120.0))
    before = distance(baseline, 120.0)
    baseline.learn(sample(60 * 69, 70.0))
    baseline.pass_over(sample(60 * 71, 120.0))
    assert distance(baseline, 120.0) == pytest.approx(before, rel=0.01)


def test_what_changes_slowly_is_learned_along_the_way() -> None:
    baseline, random = Baseline(), Random(5)
    farthest = 0.0
    for second in range(6 * 3600):
        one = sample(second, random.gauss(65 + 15 * second / (6 * 3600), 3.0))
        score = baseline.score(SETTINGS, one)
        if score is not None:
            farthest = max(farthest, score.value)
        baseline.learn(one)
    # Six standard deviations in 20,000 readings would be a surprise; 15 beats would be 5 spreads.
    assert farthest < 6


def test_old_readings_fade() -> None:
    baseline = at_rest(minutes=180)
    random = Random(6)
    for second in range(4 * 3600, 5 * 3600):
        baseline.learn(sample(second, random.gauss(75.0, 5.0)))
    # An hour is two time constants of the memory: 0.135 of the old level is left.
    assert baseline.snapshot()[Vital.HEART_RATE].mean == pytest.approx(74.3, abs=0.5)


def test_what_is_counted_or_given_has_no_baseline() -> None:
    baseline = Baseline()
    for vital in (Vital.CONSCIOUSNESS, Vital.STEPS, Vital.BATTERY, Vital.OXYGEN_FLOW):
        for minute in range(60):
            baseline.learn(sample(60 * minute, 1.0, vital))
        assert baseline.score(SETTINGS, sample(3600, 50.0, vital)) is None
    assert not baseline.snapshot()


def test_the_finding_is_advice_and_says_what_was_expected() -> None:
    baseline = at_rest(spread=0.0)
    one = sample(3600, 100.0)
    score = baseline.score(SETTINGS, one)
    assert score is not None
    finding = baseline.finding(one, score)
    assert finding is not None
    assert (finding.rule, finding.kind, finding.priority, finding.score) == (
        "baseline.heart_rate",
        Kind.ADVISORY,
        Priority.LOW,
        10.0,
    )
    (evidence,) = finding.evidence
    assert (evidence.low, evidence.value, evidence.high) == (58.0, 100.0, 82.0)
