"""Risk models beside NEWS2 and a plain threshold, on hours of patients they were not fitted to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detectors.evaluation.labelled import labelled
from detectors.evaluation.measure import Evaluation, How, evaluate
from detectors.risk import table as tables
from detectors.risk.calibration import platt
from detectors.risk.fitting import area, fit, folds
from detectors.risk.training import Plan, exchanged
from tests.evaluation.risk_tables import COLUMNS, START, Stay, stays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from detectors.evaluation.measure import Figure
    from detectors.risk.table import Features, Row

REPLICATES = 500
SEED = 7
WATCHED, ASKED = 1, 2
VITALS = tuple(COLUMNS.values())
# Of NEWS2 and the plain thresholds, what is not known yet is as if all were well.
USUAL = {"heart_rate": 80.0, "systolic": 120.0}

Numbers = Any


class Hours(NamedTuple):
    """Hours in which something was measured: `features` for the models, the rest beside them.

    `others` are the scores to compare with. `asked` says which hours the question is about,
    `watched` in which hours besides an alert would count.
    """

    features: Features
    asked: Numbers
    watched: Numbers
    hour: Numbers
    others: dict[str, Numbers]


def hours(recordings: Path, asked: Callable[[Stay], tuple[Numbers, Numbers]], mean: int) -> Hours:
    """Read the recordings; `asked` gives of each hour of a stay ASKED, WATCHED or 0, and its label.

    `mean`: NEWS2 is also averaged over so many hours.
    """
    beside: dict[tuple[str, float], list[float]] = {}

    def rows() -> Iterator[Row]:
        for stay in stays(recordings):
            part, label = asked(stay)
            scores = _others(stay, mean)
            for place, hour in enumerate(stay.hours):
                at = (START + timedelta(hours=float(hour))).timestamp()
                known = np.flatnonzero(~np.isnan(stay.values[place]))
                for column in known:
                    value = float(stay.values[place, column])
                    yield tables.Row(stay.name, at, VITALS[column], value, bool(label[place]))
                if len(known):
                    beside[stay.name, at] = [float(part[place]), *scores[:, place]]

    names: list[str] = []
    found = tables.features(_naming(rows(), names))
    kept = [beside[names[one], at] for one, at in zip(found.whose, found.at, strict=True)]
    table = np.array(kept)
    hour = (found.at - START.timestamp()) / 3600
    columns = ("NEWS2", f"NEWS2, mean of {mean} h", "heart rate", "heart rate / systolic")
    others = {name: table[:, 1 + place] for place, name in enumerate(columns)}
    return Hours(found, table[:, 0] == ASKED, table[:, 0] > 0, hour, others)


def _naming(rows: Iterable[Row], names: list[str]) -> Iterator[Row]:
    for row in rows:
        if not names or names[-1] != row.patient:
            names.append(row.patient)
        yield row


def _others(stay: Stay, mean: int) -> Numbers:
    carried = {}
    for vital, usual in USUAL.items():
        column, now = stay.values[:, VITALS.index(vital)], usual
        kept = []
        for value in column:
            now = now if np.isnan(value) else float(value)
            kept.append(now)
        carried[vital] = np.array(kept)
    total = np.cumsum(np.append(0, stay.news2))
    ends = np.arange(1, len(stay.news2) + 1)
    begins = np.maximum(ends - mean, 0)
    averaged = (total[ends] - total[begins]) / (ends - begins)
    index = carried["heart_rate"] / np.maximum(carried["systolic"], 1)
    return np.array([stay.news2, averaged, carried["heart_rate"], index])


class Crossed(NamedTuple):
    """The model's probability in each hour, by cross-validation, and the check of the pattern."""

    risk: Numbers
    by_fold: list[float]
    pattern: float


def crossed(found: Hours, plan: Plan, read: Callable[[], Iterable[Row]]) -> Crossed:
    """Cross-validate a model by patient; it is fitted to all hours that are watched."""
    values, labels, whose = found.features.values, found.features.labels, found.features.whose
    part, watched = found.asked, found.watched
    fold = folds(whose, labels * watched, plan.folds, plan.seed)
    log_odds, by_fold = np.empty(len(labels)), []
    for one in range(plan.folds):
        out, learned = fold == one, (fold != one) & watched
        fitted = fit(values[learned], labels[learned], plan.penalty)
        log_odds[out] = fitted.log_odds(values[out])
        by_fold.append(area(labels[out & part], log_odds[out & part]))
    scaled = platt(log_odds[watched], labels[watched])
    risk = 1 / (1 + np.exp(-scaled.slope * log_odds - scaled.intercept))
    return Crossed(risk, by_fold, exchanged(read(), fitted, plan.seed))


def judged(found: Hours, risk: Numbers, plan: Plan) -> Evaluation:
    """Judge the risk and what it is compared with, as `vigie evaluate` does."""
    part = found.asked
    scores = {"risk": risk, **found.others}
    data = labelled(
        np.array([f"{one:08d}" for one in found.features.whose[part]]),
        found.features.at[part],
        found.features.labels[part] == 1,
        {name: np.asarray(score[part], dtype=np.float64) for name, score in scores.items()},
    )
    how = How(budgets=(1.0,), horizon_hours=plan.horizon_hours, replicates=REPLICATES, seed=SEED)
    return evaluate(data, how)[0]


def written(figure: Figure, digits: int = 3) -> str:
    """Write a figure with its interval."""
    if figure.value is None:
        return "-"
    value = f"{figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
