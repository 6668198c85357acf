"""From labelled recordings to a model and what is known of it. Not for run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detectors.evaluation.labelled import labelled
from detectors.evaluation.measure import Evaluation, How, evaluate
from detectors.risk import table as tables
from detectors.risk.calibration import platt
from detectors.risk.features import NAMES, WATCHED
from detectors.risk.fitting import Array, Fitted, area, crossed, fit, folds
from detectors.risk.model import SCHEMA, Calibration, RiskModel, Thresholds, Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from detectors.risk.table import Features, Row

# Fewer patients with an event than this in a fold tell nothing.
LEAST_ILL = 5
# A finding ends at this part of the probability at which it begins (engineering choice).
RELEASE = 0.75
# The patients whose values are exchanged to see whether the pattern alone tells anything.
EXCHANGED = 2000
# Rows of River's progressive validation: 0.2 ms each.
PROGRESSIVE_ROWS = 40_000


class NotEnough(tables.BadTable):
    """The table is well formed, and too small or too one-sided to fit anything to it."""


class Plan(NamedTuple):
    """What to fit: see `vigie train --help`."""

    question: str
    data: str
    licence: str
    version: int = 1
    folds: int = 4
    seed: int = 7
    penalty: float = 0.01
    budget: float = 1.0
    refractory_hours: float = 3.0
    horizon_hours: float | None = None
    replicates: int = 1000
    about: str = ""


class Progressive(NamedTuple):
    """AUROC on a fold, patient by patient: weights as fitted, and River learning on."""

    rows: int
    frozen: float
    learning: float


class Trained(NamedTuple):
    """A model, and its figures: `evaluation` is of patients who were left out.

    `by_fold` is the AUROC in each fold, `pattern` that of values which were exchanged between
    patients while the pattern of measurements was kept: 0.5 when the pattern tells nothing.
    """

    plan: Plan
    model: RiskModel
    evaluation: Evaluation
    by_fold: list[float]
    pattern: float
    progressive: Progressive


class Validated(NamedTuple):
    """What cross-validation gives: log-odds of rows by models that never saw their patients."""

    log_odds: Array
    by_fold: list[float]
    calibration: Calibration
    last: Fitted
    left_out: Array

    @property
    def risk(self) -> Any:
        """Calibrated probabilities."""
        odds = self.calibration.slope * self.log_odds + self.calibration.intercept
        return 1 / (1 + np.exp(-odds))


def train(read: Callable[[], Iterable[Row]], plan: Plan, told: Callable[[str], None]) -> Trained:
    """Fit, validate, calibrate and set the threshold; the same rows give the same model.

    `read` gives the rows anew each time it is called (twice), `told` gets a sentence for each step.
    Raises BadTable, NotEnough. Memory: 0.5 KB per labelled time, whatever the readings.
    """
    told("following each patient as at run time")
    found = tables.features(read())
    _enough(found, plan)
    told("cross-validation by patient")
    checked = validated(found, plan)
    told("figures with intervals by patient")
    figures = evaluated(found, checked.risk, plan)
    told("fitting to all patients")
    fitted = fit(found.values, found.labels, plan.penalty)
    threshold = figures.scores["risk"].budgets[0].threshold
    model = _model(plan, found, fitted, checked.calibration, threshold)
    told("exchanging values between patients")
    pattern = exchanged(read(), fitted, plan.seed)
    told("River goes on learning from the last fold")
    progressive = _progressive(found, checked, plan)
    return Trained(plan, model, figures, checked.by_fold, pattern, progressive)


def validated(found: Features, plan: Plan) -> Validated:
    """Cross-validate by patient; Platt's scaling is fitted to the rows that were left out."""
    fold = folds(found.whose, found.labels, plan.folds, plan.seed)
    log_odds, by_fold = np.empty(len(found.labels)), []
    last, left_out = None, fold == 0
    for out, fitted in crossed(found.values, found.labels, fold, plan.penalty):
        log_odds[out] = fitted.log_odds(found.values[out])
        by_fold.append(area(found.labels[out], log_odds[out]))
        last, left_out = fitted, out
    assert last is not None  # noqa: S101 (there are two folds at least)
    return Validated(log_odds, by_fold, platt(log_odds, found.labels), last, left_out)


def evaluated(found: Features, risk: Any, plan: Plan) -> Evaluation:
    """Judge probabilities as `vigie evaluate` does."""
    data = labelled(
        np.array([f"{one:08d}" for one in found.whose]),
        found.at,
        found.labels == 1,
        {"risk": np.asarray(risk, dtype=np.float64)},
    )
    budgets = (plan.budget, 2 * plan.budget, 5 * plan.budget)
    how = How(
        budgets=budgets,
        refractory_hours=plan.refractory_hours,
        horizon_hours=plan.horizon_hours,
        replicates=plan.replicates,
        seed=plan.seed,
    )
    return evaluate(data, how)[0]


def exchanged(read: Iterable[Row], fitted: Fitted, seed: int) -> float:
    """Return the AUROC of a model on values that were dealt out anew among all readings.

    Who was measured, when, and which vitals, stays as it was: so only the pattern of measurements
    could tell the ill from the well. Near 0.5 it does not. NaN: it cannot be said.
    """
    rows: list[Row] = []
    patients: set[str] = set()
    for row in read:
        patients.add(row.patient)
        if len(patients) > EXCHANGED:
            break
        rows.append(row)
    random = np.random.default_rng(seed)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.vital, []).append(place)
    for own in places.values():
        values = [rows[place].value for place in own]
        for place, other in zip(own, random.permutation(len(own)), strict=True):
            rows[place] = rows[place]._replace(value=values[other])
    found = tables.features(rows)
    if not 0 < found.labels.sum() < len(found.labels):
        return float("nan")
    return area(found.labels, fitted.log_odds(found.values))


def _enough(found: Features, plan: Plan) -> None:
    if not len(found.labels):
        vitals = ", ".join(str(one.vital) for one in WATCHED)
        raise NotEnough(f"no time with a label has a value of one of the vitals {vitals}")
    ones = int(found.labels.sum())
    if ones in {0, len(found.labels)}:
        only = "1" if ones else "0"
        raise NotEnough(f"every label is {only}: there is nothing to tell apart")
    ill = len(np.unique(found.whose[found.labels == 1]))
    well = len(np.unique(found.whose)) - ill
    least = LEAST_ILL * plan.folds
    if min(ill, well) < least:
        raise NotEnough(
            f"{ill} patients with label 1 and {well} without: at least {least} of each are needed"
            f" for {plan.folds} folds"
        )


def _model(
    plan: Plan, found: Features, fitted: Fitted, calibration: Calibration, threshold: float | None
) -> RiskModel:
    # Where no threshold keeps the budget, only what is as good as certain is told.
    alert = min(max(_short(threshold if threshold is not None else 0.999), 1e-6), 0.999)
    return RiskModel(
        schema=SCHEMA,
        question=plan.question,
        version=plan.version,
        data=plan.data,
        licence=plan.licence,
        patients=len(np.unique(found.whose)),
        rows=len(found.labels),
        seed=plan.seed,
        intercept=_short(fitted.intercept),
        calibration=calibration,
        thresholds=Thresholds(alert, _short(RELEASE * alert)),
        features=tuple(
            Weight(name, _short(mean), _short(scale), _short(weight))
            for name, mean, scale, weight in zip(
                NAMES, fitted.mean, fitted.scale, fitted.weights, strict=True
            )
        ),
    )


def _short(figure: float) -> float:
    """Keep five digits: what is beyond them differs between machines, and says nothing."""
    return float(f"{figure:.5g}")


def _progressive(found: Features, checked: Validated, plan: Plan) -> Progressive:
    """Let River predict all of a stay of the last fold, learn it, and go on to the next patient.

    Not row by row: a label that is known an hour later would tell the patient's next label.
    """
    from detectors.risk.online import named, pipeline  # noqa: PLC0415 (River takes 0.6 s)

    river = pipeline(_model(plan, found, checked.last, Calibration(1.0, 0.0), 0.5))
    rows = np.flatnonzero(checked.left_out)[:PROGRESSIVE_ROWS]
    labels, said = found.labels[rows], []
    ends = np.append(np.flatnonzero(np.diff(found.whose[rows])) + 1, len(rows))
    start = 0
    for end in ends:
        stay = [
            named([None if np.isnan(one) else float(one) for one in found.values[row]])
            for row in rows[start:end]
        ]
        said += [river.predict_proba_one(given)[True] for given in stay]
        for given, label in zip(stay, labels[start:end], strict=True):
            river.learn_one(given, bool(label))
        start = end
    if not 0 < labels.sum() < len(labels):
        return Progressive(len(rows), float("nan"), float("nan"))
    frozen = area(labels, checked.log_odds[rows])
    return Progressive(len(rows), frozen, area(labels, np.array(said)))
