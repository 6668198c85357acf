"""Fit a logistic regression to feature vectors, and validate it by patient. Not for run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.risk.model import CLIP

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = NDArray[Any]
# L-BFGS comes to within the noise of the data in less (engineering choice).
STEPS = 200
# A feature that varies less is not one.
LEAST_SCALE = 1e-6


class Fitted(NamedTuple):
    """Weights of standardised features; `mean` and `scale` standardise."""

    mean: Array
    scale: Array
    weights: Array
    intercept: float

    def log_odds(self, values: Array) -> Array:
        """Return the raw log-odds of rows."""
        return standardised(values, self.mean, self.scale) @ self.weights + self.intercept


def fit(values: Array, labels: Array, penalty: float) -> Fitted:
    """Fit by maximum likelihood with a ridge penalty; NaN (not known) gives nothing.

    Parameters
    ----------
    values
        Rows by features.
    labels
        0 or 1 for each row; both must be there.
    penalty
        Half of it times the squared weights is added to the mean loss of a row.

    Returns
    -------
    Fitted
        The same for the same input. Cost: some seconds for 300,000 rows of 100 features.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 (0.4 s, for fitting only)

    mean, scale = moments(values)
    table = standardised(values, mean, scale)
    rows, width = table.shape
    share = labels.mean()

    def loss(given: Array) -> tuple[float, Array]:
        weights, intercept = given[:-1], given[-1]
        odds = (table @ weights.astype(np.float32)).astype(np.float64) + intercept
        error = 1 / (1 + np.exp(-odds)) - labels
        total = (np.logaddexp(0, odds) - labels * odds).mean() + penalty / 2 * weights @ weights
        slope = (table.T @ error.astype(np.float32)).astype(np.float64) / rows
        return total, np.append(slope + penalty * weights, error.mean())

    start = np.zeros(width + 1)
    start[-1] = np.log(share / (1 - share))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    return Fitted(mean, scale, found[:-1], float(found[-1]))


def moments(values: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature over the rows that have it."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0, dtype=np.float64) / count
    squares = np.where(known, (values - mean.astype(np.float32)) ** 2, 0)
    scale = np.sqrt(squares.sum(axis=0, dtype=np.float64) / count)
    return mean, np.where(scale > LEAST_SCALE, scale, 1.0)


def standardised(values: Array, mean: Array, scale: Array) -> Array:
    """Standardise and clip rows; what is not known becomes 0, the mean."""
    table = (values - mean.astype(np.float32)) / scale.astype(np.float32)
    np.clip(table, -CLIP, CLIP, out=table)
    return np.nan_to_num(table, copy=False, nan=0.0)


def folds(whose: Array, labels: Array, count: int, seed: int) -> Array:
    """Put whole patients into folds, those with an event and those without evenly.

    >>> whose, labels = np.array([0, 0, 1, 2, 3]), np.array([0, 1, 0, 1, 0])
    >>> sorted(folds(whose, labels, 2, 7)[[1, 3]].tolist())
    [0, 1]
    """
    ill = np.bincount(whose, weights=labels) > 0
    fold = np.empty(len(ill), dtype=np.int64)
    random = np.random.default_rng(seed)
    for group in (np.flatnonzero(ill), np.flatnonzero(~ill)):
        fold[random.permutation(group)] = np.arange(len(group)) % count
    return fold[whose]


def crossed(
    values: Array, labels: Array, fold: Array, penalty: float
) -> Iterator[tuple[Array, Fitted]]:
    """Fit to all folds but one, for each: yields which rows were left out, and the fit."""
    for one in range(int(fold.max()) + 1):
        out = fold == one
        yield out, fit(values[~out], labels[~out], penalty)


def area(labels: Array, score: Array) -> float:
    """Return the AUROC; ties count half.

    >>> area(np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.0, 0.5]))
    0.875
    """
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    ones = labels.sum()
    return float((rank[labels == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(labels) - ones)))
