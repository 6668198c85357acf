"""Intervals over patients, lead times, and calibration."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from detectors.evaluation.bootstrap import Measure, Ratio, intervals, resampled
from detectors.evaluation.calibration import calibration
from detectors.evaluation.labelled import Floats, Labelled, labelled
from detectors.evaluation.leads import leads
from detectors.evaluation.measure import How, evaluate, probability
from tests.unit.detectors.evaluation.question import ward


def risks(seed: int, patients: int = 300, rows: int = 10, steep: float = 1.0) -> Labelled:
    """Build rows whose probability is known; `steep` says how far the score overstates it."""
    random = np.random.default_rng(seed)
    odds = random.normal(-1, 1, patients * rows)
    label = random.random(patients * rows) < 1 / (1 + np.exp(-odds))
    names = [f"p-{row // rows}" for row in range(patients * rows)]
    score = 1 / (1 + np.exp(-steep * odds))
    return labelled(names, np.arange(len(names), dtype=np.float64), label, {"risk": score})


def test_a_seed_decides_what_is_drawn_and_each_sample_has_as_many_patients() -> None:
    first, again, other = (np.concatenate(list(resampled(50, 200, seed))) for seed in (1, 1, 2))
    assert first.shape == (200, 50)
    assert (first.sum(axis=1) == 50).all()
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(3).normal(10, 2, 400)
    found = intervals({"mean": Ratio(values, np.ones(400))}, 400, 2000, 7)["mean"]
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.03)
    assert found.high == pytest.approx(values.mean() + error, abs=0.03)


def test_a_figure_that_no_sample_has_is_not_said_and_without_samples_there_is_no_interval() -> None:
    known, never = Ratio(np.ones(50), np.ones(50)), Ratio(np.zeros(50), np.zeros(50))
    measures: dict[str, Measure] = {"known": known, "never": never}
    without = intervals(measures, 50, 0, 7)
    assert tuple(without["known"]) == (1, None, None), "no samples, no interval"
    found = intervals(measures, 50, 100, 7)
    assert tuple(found["never"]) == (None, None, None)
    assert tuple(found["known"]) == (1, None, None), "no width is no certainty"


def test_lead_times_of_a_sample_are_the_quantiles_of_its_events() -> None:
    random = np.random.default_rng(4)
    hours = np.where(random.random(60) < 0.3, np.nan, np.round(random.normal(4, 2, 60), 1))
    patient = random.integers(0, 20, 60)
    weights = random.integers(0, 3, (5, 20)).astype(float)
    for name, share in (("lower_quartile", 0.25), ("median", 0.5), ("upper_quartile", 0.75)):
        found = leads(hours, patient)[name].over(weights)
        for sample, value in zip(weights, found, strict=True):
            drawn = np.repeat(hours, sample[patient].astype(int))
            assert value == pytest.approx(np.quantile(drawn[np.isfinite(drawn)], share))


@pytest.mark.parametrize("steep", [1.0, 2.0])
def test_calibration_is_what_a_logistic_regression_on_the_log_odds_says(steep: float) -> None:
    data = risks(5, steep=steep)
    score, once = data.scores["risk"], np.ones((1, data.patients))
    found = calibration(data, score)
    odds = np.log(score / (1 - score))[:, None]
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(odds, data.label)
    assert found.slope.over(once)[0] == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    assert found.slope.over(once)[0] == pytest.approx(1 / steep, abs=0.15)
    assert found.brier.over(once)[0] == pytest.approx(brier_score_loss(data.label, score))
    large = data.label.mean() - score.mean()
    assert found.in_the_large.over(once)[0] == pytest.approx(large)
    assert sum(one.rows for one in found.curve) == len(score)


def test_one_step_from_the_fit_is_as_good_as_a_fit_of_the_samples_own() -> None:
    data = risks(6)
    score = data.scores["risk"]
    slope = calibration(data, score).slope
    odds = np.log(score / (1 - score))[:, None]
    [weights] = resampled(data.patients, 20, 7)
    exact: list[float] = []
    for sample in weights:
        model = LogisticRegression(C=np.inf, tol=1e-10)
        exact.append(model.fit(odds, data.label, sample_weight=sample[data.patient]).coef_[0, 0])
    assert np.abs(slope.over(weights) - exact).max() < 0.2 * np.std(exact)


def test_a_score_that_separates_the_classes_has_no_slope() -> None:
    label = np.array([0, 0, 1, 1]) > 0
    data = labelled(list("abcd"), np.zeros(4), label, {"risk": np.array([0.1, 0.2, 0.8, 0.9])})
    found = calibration(data, data.scores["risk"])
    assert np.isnan(found.slope.over(np.ones((1, 4)))).all()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("risk_sepsis", [0.0, 1.0, np.nan], True),
        ("risk_sepsis", [0.0, 1.1], False),
        ("news2", [0.0, 1.0], False),
        ("anomaly", [0.2, 0.9], False),
    ],
)
def test_a_probability_is_known_by_its_name_and_values(
    name: str, values: list[float], *, expected: bool
) -> None:
    score: Floats = np.array(values)
    assert probability(name, score) is expected


def test_all_figures_of_a_question_have_intervals_that_hold_them() -> None:
    data = ward(8, patients=120)
    found, drawn = evaluate(data, How(replicates=300, refractory_hours=2))
    score = found.scores["score"]
    figures = [score.auroc, score.auprc]
    for at in score.budgets:
        figures += [at.alerts_per_patient_day, at.sensitivity, at.ppv, at.lead_hours.median]
        assert (at.alerts_per_patient_day.value or 0) <= at.budget
    for figure in figures:
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
    assert score.calibration is None, "a score below 0 is no probability"
    assert 0.9 < score.coverage < 1
    assert found == evaluate(data, How(replicates=300, refractory_hours=2))[0]
    assert drawn["score"].budget
