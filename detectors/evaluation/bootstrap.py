"""How sure is a figure? Patients are drawn again and again, and the figure is worked out anew.

Rows of one patient are alike, so whole patients are drawn: an interval over rows would be far too
narrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.evaluation.labelled import Floats

# Weights of so many patients are in memory at once: 16 MB.
AT_ONCE = 2_000_000
# The interval is from the 2.5th to the 97.5th percentile.
TAILS = (2.5, 97.5)
# Where fewer of the drawn samples than this share have the figure at all, there is no interval.
ENOUGH = 0.5


class Measure(Protocol):
    """A figure of a sample of patients."""

    def over(self, weights: Floats) -> Floats:
        """Work the figure out for samples: one row of `weights` each, how often who was drawn.

        NaN where a sample does not have it (no event was drawn, say).
        """
        ...


class Ratio(NamedTuple):
    """A figure that is a sum over patients, divided by another.

    >>> Ratio(np.array([1.0, 0.0]), np.array([1.0, 1.0])).over(np.array([[1, 1], [2, 0], [0, 2]]))
    array([0.5, 1. , 0. ])
    """

    above: Floats
    below: Floats

    def over(self, weights: Floats) -> Floats:
        """Divide the sums."""
        below = weights @ self.below
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(below > 0, (weights @ self.above) / below, np.nan)
        return np.asarray(found, dtype=np.float64)


class Interval(NamedTuple):
    """A figure with its 95 % interval; None: it cannot be said.

    Where all samples agree (one patient, not one event found, or every one) there is no interval
    either: it would have no width, and look like certainty.
    """

    value: float | None
    low: float | None
    high: float | None


NOTHING = Interval(None, None, None)


def resampled(patients: int, replicates: int, seed: int) -> Iterator[Floats]:
    """Yield how often each patient was drawn, some samples at a time; the seed decides all.

    >>> [drawn] = resampled(3, 2, 7)
    >>> drawn.sum(axis=1).tolist()
    [3.0, 3.0]
    """
    random = np.random.default_rng(seed)
    size = max(1, AT_ONCE // max(patients, 1))
    for start in range(0, replicates, size):
        count = min(size, replicates - start)
        drawn = random.integers(0, patients, (count, patients))
        drawn += np.arange(count)[:, None] * patients
        found = np.bincount(drawn.ravel(), minlength=count * patients)
        yield found.reshape(count, patients).astype(np.float64)


def intervals(
    measures: dict[str, Measure], patients: int, replicates: int, seed: int
) -> dict[str, Interval]:
    """Work out each figure, with its interval over `replicates` samples (0: without)."""
    once = np.ones((1, patients))
    values = {name: float(measure.over(once)[0]) for name, measure in measures.items()}
    found: dict[str, list[Floats]] = {name: [] for name in measures}
    for weights in resampled(patients, replicates, seed):
        for name, measure in measures.items():
            found[name].append(measure.over(weights))
    return {name: _interval(values[name], found[name]) for name in measures}


def _interval(value: float, found: list[Floats]) -> Interval:
    if not np.isfinite(value):
        return NOTHING
    drawn = np.concatenate(found) if found else np.empty(0)
    finite = drawn[np.isfinite(drawn)]
    if not len(finite) or len(finite) < ENOUGH * len(drawn):
        return Interval(value, None, None)
    low, high = np.percentile(finite, TAILS)
    if finite.min() == finite.max():
        return Interval(value, None, None)
    return Interval(value, float(low), float(high))
