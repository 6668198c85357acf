"""Can a probability be taken at its word? For scores between 0 and 1.

References: Brier, Monthly Weather Review 78(1), 1950. Cox, Biometrika 45(3/4), 1958 (slope). Van
Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine 17:230, 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detectors.evaluation.bootstrap import Ratio

if TYPE_CHECKING:
    from detectors.evaluation.bootstrap import Measure
    from detectors.evaluation.labelled import Floats, Labelled, Places

# A probability of exactly 0 or 1 has no log odds: it is taken as so near to it (engineering choice,
# a thousand times nearer than what any of our data could tell from it).
NEAREST = 1e-6
# Newton's method needs some six steps; what is not there by then has no slope (separated classes).
STEPS, CLOSE = 50, 1e-9
BINS = 10


class Slope(NamedTuple):
    """The slope of the events' log odds over the predicted ones; 1 is right, below 1 too extreme.

    `gradient` and `information` are by patient, at the fit over all. A sample of patients takes one
    Newton step from there, which is as good as a fit of its own to first order, and costs nothing.
    """

    fitted: Floats
    gradient: Floats
    information: Floats

    def over(self, weights: Floats) -> Floats:
        """Work it out for samples of patients."""
        if not np.isfinite(self.fitted).all():
            return np.full(len(weights), np.nan)
        gradient = weights @ self.gradient
        aa, ab, bb = (weights @ self.information).T
        determinant = aa * bb - ab * ab
        with np.errstate(divide="ignore", invalid="ignore"):
            step = (aa * gradient[:, 1] - ab * gradient[:, 0]) / determinant
        return np.where(determinant > 0, self.fitted[1] + step, np.nan)


class Bin(NamedTuple):
    """A tenth of the rows, by prediction: the mean of it, and the share that were events."""

    predicted: float
    rows: int
    observed: Measure


class Calibration(NamedTuple):
    """Measures of calibration.

    `brier` is the mean squared error. `in_the_large` is the share of events less the mean
    prediction: above 0, the score promises too little. `slope` see `Slope`. `curve`: see `Bin`.
    """

    brier: Measure
    in_the_large: Measure
    slope: Measure
    curve: list[Bin]


def calibration(data: Labelled, score: Floats) -> Calibration:
    """Make the measures ready, over the rows whose score is known (0..1)."""
    rows = np.flatnonzero(np.isfinite(score))
    predicted, label = score[rows], data.label[rows].astype(np.float64)
    counts = data.summed(np.ones(len(rows)), rows)
    return Calibration(
        Ratio(data.summed((label - predicted) ** 2, rows), counts),
        Ratio(data.summed(label - predicted, rows), counts),
        _slope(data, rows, predicted, label),
        _curve(data, rows, predicted, label),
    )


def _slope(data: Labelled, rows: Places, predicted: Floats, label: Floats) -> Slope:
    held = np.clip(predicted, NEAREST, 1 - NEAREST)
    odds = np.log(held / (1 - held))
    fitted, chance = _fit(odds, label), np.zeros(len(odds))
    if np.isfinite(fitted).all():
        chance = _logistic(fitted[0] + fitted[1] * odds)
    off, sure = label - chance, chance * (1 - chance)
    gradient = [data.summed(off, rows), data.summed(off * odds, rows)]
    information = [data.summed(sure * odds**power, rows) for power in range(3)]
    return Slope(fitted, np.stack(gradient, axis=1), np.stack(information, axis=1))


def _fit(odds: Floats, label: Floats) -> Floats:
    """Fit intercept and slope by Newton's method; NaN where there is no fit."""
    found = np.array([0.0, 1.0])
    design = np.stack([np.ones(len(odds)), odds], axis=1)
    for _ in range(STEPS):
        chance = _logistic(design @ found)
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        if not np.linalg.det(information) > 0:
            break
        step = np.linalg.solve(information, design.T @ (label - chance))
        found += step
        if np.abs(step).max() < CLOSE:
            return found
    return np.full(2, np.nan)


def _curve(data: Labelled, rows: Places, predicted: Floats, label: Floats) -> list[Bin]:
    """Cut the rows into tenths by prediction; equal predictions stay together."""
    if not len(rows):
        return []
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="left")
    found = []
    for number in np.unique(place):
        own = place == number
        counts = data.summed(np.ones(int(own.sum())), rows[own])
        observed = Ratio(data.summed(label[own], rows[own]), counts)
        found.append(Bin(float(predicted[own].mean()), int(own.sum()), observed))
    return found


def _logistic(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -700, 700))))
