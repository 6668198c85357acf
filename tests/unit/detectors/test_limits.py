"""Bounds that a physician prescribed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detectors.base import Sample
from detectors.findings import Kind, Priority
from detectors.limits import Limits
from ingest.readings import Vital
from ingest.registry.entities import Limit, Patient

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


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
    sample = Sample(Vital.SPO2, value, NOON, "dev-1")
    score = Limits().score(settings, sample)
    assert score is not None
    assert score.value == beyond
    assert (Limits().finding(sample, score) is None) is (beyond == 0.0)


def test_a_vital_without_a_prescription_is_not_judged() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
    assert Limits().score(settings, Sample(Vital.HEART_RATE, 180.0, NOON, "dev-1")) is None


def test_the_finding_says_what_was_measured_and_what_was_prescribed() -> None:
    settings = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
    sample = Sample(Vital.SPO2, 60.0, NOON, "dev-1")
    score = Limits().score(settings, sample)
    assert score is not None
    finding = Limits().finding(sample, score)
    assert finding is not None
    assert finding.rule == "limits.spo2"
    assert finding.kind is Kind.PHYSIOLOGICAL
    # However far beyond: medium. What is urgent is for NEWS2 to say.
    assert finding.priority is Priority.MEDIUM
    (evidence,) = finding.evidence
    assert (evidence.value, evidence.low, evidence.high, evidence.device) == (60, 88, None, "dev-1")
