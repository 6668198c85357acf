"""AUROC and AUPRC, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from detectors.evaluation.labelled import labelled
from detectors.evaluation.ranking import curve, ranking
from tests.unit.detectors.evaluation.question import ward


@pytest.mark.parametrize("digits", [None, 1, 0], ids=["no ties", "some ties", "many ties"])
def test_a_patients_weight_counts_as_scikit_learn_weighs_rows(digits: int | None) -> None:
    data = ward(1, digits=digits)
    found = ranking(data, data.scores["score"])
    lowest = np.nan_to_num(data.scores["score"], nan=-1e9)
    random = np.random.default_rng(2)
    for weights in (np.ones(data.patients), random.integers(0, 4, data.patients).astype(float)):
        rows = weights[data.patient]
        area = roc_auc_score(data.label, lowest, sample_weight=rows)
        assert found.over(weights[None], "auroc")[0] == pytest.approx(area, abs=1e-12)
        precision = average_precision_score(data.label, lowest, sample_weight=rows)
        assert found.over(weights[None], "auprc")[0] == pytest.approx(precision, abs=1e-12)


rows_of_scores = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.integers(-3, 3) | st.just(None)), min_size=2
)


@given(rows_of_scores)
def test_any_rows_are_ranked_as_scikit_learn_does(
    rows: list[tuple[int, bool, int | None]],
) -> None:
    label = np.array([row[1] for row in rows])
    score = np.array([np.nan if row[2] is None else float(row[2]) for row in rows])
    names = [str(row[0]) for row in rows]
    data = labelled(names, np.arange(len(rows), dtype=np.float64), label, {"score": score})
    found = ranking(data, data.scores["score"])
    weights = np.ones((1, data.patients))
    area, precision = (found.over(weights, which)[0] for which in ("auroc", "auprc"))
    if label.all() or not label.any():
        assert np.isnan(area)
        assert np.isnan(precision)
        return
    lowest = np.nan_to_num(score, nan=-9)
    assert area == pytest.approx(roc_auc_score(label, lowest), abs=1e-12)
    assert precision == pytest.approx(average_precision_score(label, lowest), abs=1e-12)


def test_a_sample_without_an_event_or_with_nothing_else_has_neither_figure() -> None:
    label = np.array([1, 0]) > 0
    data = labelled(["a", "b"], np.zeros(2), label, {"score": np.array([1.0, 0.0])})
    found = ranking(data, data.scores["score"])
    assert np.isnan(found.over(np.array([[0.0, 3.0], [3.0, 0.0]]), "auroc")).all()


def test_the_curves_are_those_of_scikit_learn() -> None:
    data = ward(3, digits=1)
    score = np.nan_to_num(data.scores["score"], nan=-99)
    ours = curve(data, data.scores["score"])
    false, true, _ = roc_curve(data.label, score, drop_intermediate=False)
    assert np.allclose(ours.false_positives, false)
    assert np.allclose(ours.true_positives, true)
    precision, recall, _ = precision_recall_curve(data.label, score)
    shown = slice(len(precision) - 1 - len(ours.precision), -1)
    assert np.allclose(ours.precision[::-1], precision[shown])
    assert np.allclose(ours.true_positives[1:][::-1], recall[shown])
