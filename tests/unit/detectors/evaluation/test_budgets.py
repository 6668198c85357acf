"""Alerts at a threshold, and the thresholds that a ward can bear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.evaluation.budgets import Alarms, Alert
from detectors.evaluation.labelled import Labelled, events, labelled
from tests.unit.detectors.evaluation.question import HOUR, one_patient, ward


def alarms(data: Labelled, refractory: float = 1.0, **options: object) -> Alarms:
    return Alarms(data, data.scores["score"], events(data), refractory, **options)  # type: ignore[arg-type]  # of this test's own options


def test_a_score_that_stays_high_alerts_again_after_the_refractory_time() -> None:
    data = one_patient([0] * 8, [0, 5, 5, 5, 5, 5, 0, 5])
    assert alarms(data, 1).alerts(5).tolist() == [1, 2, 3, 4, 5, 7]
    assert alarms(data, 3).alerts(5).tolist() == [1, 4, 7]
    assert alarms(data, 3.5).alerts(5).tolist() == [1, 5]


def test_a_crossing_alerts_only_where_the_row_before_was_below() -> None:
    data = one_patient([0] * 8, [5, 5, 0, 5, np.nan, 5, 5, 0])
    assert alarms(data, 0, alert=Alert.CROSSING).alerts(5).tolist() == [0, 3, 5]
    assert alarms(data, 4, alert=Alert.CROSSING).alerts(5).tolist() == [0, 5]


def test_the_alert_of_one_patient_silences_no_other() -> None:
    at = np.array([0, HOUR, 0, HOUR])
    data = labelled(list("aabb"), at, np.zeros(4, bool), {"score": np.ones(4)})
    assert alarms(data, 6).alerts(1).tolist() == [0, 2]


def test_an_unknown_score_is_no_alert_at_any_threshold() -> None:
    data = one_patient([0, 1, 0], [np.nan, np.nan, 1])
    assert alarms(data).alerts(-np.inf).tolist() == [2]
    assert [point.threshold for point in alarms(data).curve()] == [1]
    assert alarms(data).at(1).alerts.tolist() == [1]


def test_an_event_is_a_run_of_labels_and_detected_by_an_alert_within_it() -> None:
    data = one_patient([0, 1, 1, 1, 0, 1, 1, 0], [9, 0, 9, 9, 9, 0, 0, 0])
    found = alarms(data).at(9)
    assert found.alerts.tolist() == [4]
    assert found.true.tolist() == [2]
    assert found.detected.tolist() == [1, 0]
    assert found.lead[0] == 1, "from the third row to the last one of the run"
    assert np.isnan(found.lead[1])


def test_with_a_horizon_the_onset_is_so_long_after_the_first_label() -> None:
    data = one_patient([0] + [1] * 10, [0] * 9 + [9, 9])
    assert alarms(data, horizon_hours=6.0).at(9).lead.tolist() == [-2]
    assert alarms(data, horizon_hours=12.0).at(9).lead.tolist() == [4]


def test_hours_that_the_question_leaves_out_are_nobodys_time() -> None:
    at = np.array([0, 1, 2, 20, 21]) * HOUR
    data = labelled(["a"] * 5, at, np.zeros(5, bool), {})
    assert data.days.tolist() == [5 / 24]
    assert labelled(["a"] * 5, at, np.zeros(5, bool), {}, row_hours=2).days.tolist() == [7 / 24]


@pytest.mark.parametrize("refractory", [0, 1, 4])
@pytest.mark.parametrize("budget", [0.5, 1, 2, 5, 100])
def test_the_threshold_of_a_budget_is_the_lowest_that_keeps_it(
    budget: float, refractory: float
) -> None:
    data = ward(5, digits=1)
    one = alarms(data, refractory)
    [found] = one.within([budget], one.curve())
    days = data.days.sum()
    assert found.alerts.sum() <= budget * days
    thresholds = np.unique(data.scores["score"][np.isfinite(data.scores["score"])])
    lower = thresholds[thresholds < found.threshold]
    if len(lower):
        assert len(one.alerts(float(lower[-1]))) > budget * days


def test_where_no_threshold_keeps_a_budget_there_is_no_alert() -> None:
    data = one_patient([0, 1, 1, 0], [1, 1, 1, 1])
    one = alarms(data)
    [found] = one.within([1], one.curve())
    assert found.threshold == np.inf
    assert found.alerts.sum() == found.detected.sum() == 0


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=40),
    st.integers(0, 5),
)
def test_to_lower_the_threshold_never_gives_fewer_alerts(
    rows: list[tuple[int, int]], refractory: int
) -> None:
    score = np.array([row[1] for row in rows], dtype=float)
    names = [str(row[0]) for row in rows]
    at = np.array([HOUR * row for row in range(len(rows))])
    data = labelled(names, at, np.zeros(len(rows), bool), {"score": score})
    one = alarms(data, refractory)
    counts = [len(one.alerts(threshold)) for threshold in range(5, -1, -1)]
    assert counts == sorted(counts)
    for threshold in range(6):
        assert one.alerts(threshold).tolist() == plainly(data, threshold, refractory)


def plainly(data: Labelled, threshold: float, refractory: float) -> list[int]:
    """Count alerts as one would by hand."""
    found, last = [], dict[int, float]()
    for row, (patient, at) in enumerate(zip(data.patient.tolist(), data.at.tolist(), strict=True)):
        if data.scores["score"][row] < threshold:
            continue
        if patient not in last or at - last[patient] >= refractory * HOUR:
            found.append(row)
            last[patient] = at
    return found
