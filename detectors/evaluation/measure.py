"""All figures of all scores on one question, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from detectors.evaluation import leads, ranking
from detectors.evaluation.bootstrap import NOTHING, Interval, Ratio, intervals
from detectors.evaluation.budgets import Alarms, Alert, AtThreshold, Point
from detectors.evaluation.calibration import Bin, calibration
from detectors.evaluation.labelled import Floats, Labelled, events

if TYPE_CHECKING:
    from detectors.evaluation.bootstrap import Measure
    from detectors.evaluation.labelled import Events

# Columns that are no probabilities, even where all their values lie between 0 and 1.
NO_PROBABILITIES = frozenset({"news2", "anomaly", "priority"})


@dataclass(frozen=True, slots=True)
class How:
    """How scores are judged.

    `budgets` are alerts per patient-day; `refractory_hours` and `alert` say what an alert is (see
    `Alarms`), `horizon_hours` when an event begins (see `Events.onset`). Intervals are over
    `replicates` samples of the patients (0: none), drawn with `seed`.
    """

    budgets: tuple[float, ...] = (1.0, 2.0, 5.0)
    refractory_hours: float = 1.0
    alert: Alert = Alert.REPEATED
    horizon_hours: float | None = None
    replicates: int = 1000
    seed: int = 7


class Figure(msgspec.Struct, frozen=True):
    """A figure and the bounds of its 95 % interval; None: it cannot be said."""

    value: float | None
    low: float | None
    high: float | None


class LeadTime(msgspec.Struct, frozen=True):
    """Hours from the first alert within a detected event to its onset."""

    lower_quartile: Figure
    median: Figure
    upper_quartile: Figure


class AtBudget(msgspec.Struct, frozen=True):
    """What a team gets for an alarm budget; `threshold` is None where no threshold keeps it.

    `sensitivity` is the share of events into which an alert fell, `ppv` the share of alerts that
    fell into an event. Intervals hold the threshold as it was chosen over all patients.
    """

    budget: float
    threshold: float | None
    alerts_per_patient_day: Figure
    sensitivity: Figure
    ppv: Figure
    lead_hours: LeadTime


class CalibrationBin(msgspec.Struct, frozen=True):
    """A tenth of the rows by prediction."""

    predicted: float
    observed: Figure
    rows: int


class CalibrationFigures(msgspec.Struct, frozen=True):
    """Calibration of a score between 0 and 1; see `detectors.evaluation.calibration`."""

    brier: Figure
    in_the_large: Figure
    slope: Figure
    curve: tuple[CalibrationBin, ...]


class ScoreFigures(msgspec.Struct, frozen=True):
    """The figures of one score; `coverage` is the share of rows (0..1) in which it is known."""

    coverage: float
    auroc: Figure
    auprc: Figure
    budgets: tuple[AtBudget, ...]
    calibration: CalibrationFigures | None


class Evaluation(msgspec.Struct, frozen=True, tag_field="schema", tag="evaluation/1"):
    """How good scores are on one question: what `vigie evaluate --json` prints.

    `rows` are labelled rows, `positive_rows` those with label 1, `unscored_rows` those without any
    row of scores (unknown, so no alert), `unlabelled_rows` rows of scores that the question leaves
    out. `unjudged` says of columns that are not among `scores` why not.
    """

    patients: int
    rows: int
    positive_rows: int
    unscored_rows: int
    unlabelled_rows: int
    events: int
    patient_days: float
    alert: str
    refractory_hours: float
    horizon_hours: float | None
    replicates: int
    seed: int
    scores: dict[str, ScoreFigures]
    unjudged: dict[str, str] = {}


class Drawn(NamedTuple):
    """What a picture of a score needs besides its figures."""

    curve: ranking.Curve
    budget: list[Point]


def evaluate(data: Labelled, how: How) -> tuple[Evaluation, dict[str, Drawn]]:
    """Judge every score of the rows.

    Both classes must be there. Costs some seconds for each score of 300,000 rows and 1000 samples.

    >>> from detectors.evaluation.labelled import labelled
    >>> at, label = np.arange(8) * 3600.0, np.array([0, 0, 1, 1, 0, 0, 0, 0]) > 0
    >>> score = np.array([0.1, 0.2, 0.8, 0.9, 0.3, 0.1, 0.1, 0.2])
    >>> data = labelled(list("aaaabbbb"), at, label, {"risk": score})
    >>> found, _ = evaluate(data, How(budgets=(12.0,), replicates=0))
    >>> found.scores["risk"].auroc.value, found.scores["risk"].budgets[0].threshold
    (1.0, 0.3)
    """
    found = events(data)
    prepared = {
        name: _prepared(data, score, found, how, name) for name, score in data.scores.items()
    }
    measures = {
        f"{name}\0{which}": measure
        for name, one in prepared.items()
        for which, measure in one.measures.items()
    }
    sure = intervals(measures, data.patients, how.replicates, how.seed)
    scores = {name: _figures(name, one, sure) for name, one in prepared.items()}
    return (
        Evaluation(
            patients=data.patients,
            rows=len(data.label),
            positive_rows=int(data.label.sum()),
            unscored_rows=data.unscored,
            unlabelled_rows=data.unlabelled,
            events=len(found.first),
            patient_days=float(data.days.sum()),
            alert=how.alert.value,
            refractory_hours=how.refractory_hours,
            horizon_hours=how.horizon_hours,
            replicates=how.replicates,
            seed=how.seed,
            scores=scores,
            unjudged=dict(data.unjudged),
        ),
        {name: one.drawn for name, one in prepared.items()},
    )


def probability(name: str, score: Floats) -> bool:
    """Whether a score can be taken for a probability, by its name and values."""
    known = score[np.isfinite(score)]
    return name not in NO_PROBABILITIES and bool(((known >= 0) & (known <= 1)).all())


class _Prepared(NamedTuple):
    coverage: float
    measures: dict[str, Measure]
    budgets: list[tuple[float, AtThreshold]]
    bins: list[Bin]
    drawn: Drawn


def _prepared(data: Labelled, score: Floats, found: Events, how: How, name: str) -> _Prepared:
    ranks = ranking.ranking(data, score)
    measures: dict[str, Measure] = {
        "auroc": ranking.Ranked(ranks, "auroc"),
        "auprc": ranking.Ranked(ranks, "auprc"),
    }
    alarms = Alarms(data, score, found, how.refractory_hours, how.alert, how.horizon_hours)
    curve = alarms.curve()
    budgets = list(zip(how.budgets, alarms.within(how.budgets, curve), strict=True))
    for budget, at in budgets:
        measures.update(_at_budget(data, found, budget, at))
    bins: list[Bin] = []
    if probability(name, score):
        calibrated = calibration(data, score)
        bins = calibrated.curve
        measures["brier"] = calibrated.brier
        measures["in_the_large"] = calibrated.in_the_large
        measures["slope"] = calibrated.slope
        measures.update({f"bin {number}": one.observed for number, one in enumerate(bins)})
    coverage = float(np.isfinite(score).mean())
    drawn = Drawn(ranking.curve(data, score), curve)
    return _Prepared(coverage, measures, budgets, bins, drawn)


def _at_budget(data: Labelled, found: Events, budget: float, at: AtThreshold) -> dict[str, Measure]:
    def by_patient(values: Floats) -> Floats:
        return np.bincount(found.patient, values, data.patients).astype(np.float64)

    measures: dict[str, Measure] = {
        f"{budget} alerts": Ratio(at.alerts, data.days),
        f"{budget} ppv": Ratio(at.true, at.alerts),
        f"{budget} sensitivity": Ratio(
            by_patient(at.detected), by_patient(np.ones(len(at.detected)))
        ),
    }
    for name, lead in leads.leads(at.lead, found.patient).items():
        measures[f"{budget} {name}"] = lead
    return measures


def _figures(name: str, one: _Prepared, sure: dict[str, Interval]) -> ScoreFigures:
    def figure(which: str) -> Figure:
        return Figure(*sure.get(f"{name}\0{which}", NOTHING))

    budgets = tuple(
        AtBudget(
            budget=budget,
            threshold=at.threshold if np.isfinite(at.threshold) else None,
            alerts_per_patient_day=figure(f"{budget} alerts"),
            sensitivity=figure(f"{budget} sensitivity"),
            ppv=figure(f"{budget} ppv"),
            lead_hours=LeadTime(*(figure(f"{budget} {which}") for which in leads.QUARTILES)),
        )
        for budget, at in one.budgets
    )
    calibrated = None
    if one.bins:
        bins = tuple(
            CalibrationBin(own.predicted, figure(f"bin {number}"), own.rows)
            for number, own in enumerate(one.bins)
        )
        calibrated = CalibrationFigures(
            figure("brier"), figure("in_the_large"), figure("slope"), bins
        )
    return ScoreFigures(one.coverage, figure("auroc"), figure("auprc"), budgets, calibrated)
