"""Make probabilities of a model's log-odds: Platt's scaling, by Newton's method.

References
----------
Platt, J. Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers,
MIT Press, 1999. Lin, H.-T. et al. A note on Platt's probabilistic outputs. Machine Learning 68,
2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.risk.model import CERTAIN, Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Newton's method needs some six steps.
STEPS, CLOSE = 50, 1e-10
# The least slope: a score that says nothing, or the opposite, becomes next to no score at all.
LEAST = 0.01


def platt(log_odds: NDArray[Any], labels: NDArray[Any]) -> Calibration:
    """Fit slope and intercept to out-of-fold log-odds.

    Rows that the model was fitted to would make it look too sure. The order of the rows by risk
    does not change.

    >>> from detectors.risk.model import probability
    >>> odds = np.array([-4.0, -4.0, -4.0, 2.0, 2.0, 2.0])
    >>> fitted = platt(odds, np.array([0, 0, 1, 0, 1, 1]))
    >>> [round(probability(fitted.slope * x + fitted.intercept), 3) for x in (-4.0, 2.0)]
    [0.333, 0.667]
    """
    share = float(labels.mean())
    slope, intercept = 0.0, float(np.log(share / (1 - share)))
    loss = _loss(log_odds, labels, slope, intercept)
    for _ in range(STEPS):
        risk = 1 / (1 + np.exp(-np.clip(slope * log_odds + intercept, -CERTAIN, CERTAIN)))
        error, weight = labels - risk, risk * (1 - risk)
        aa, ab, bb = weight.sum(), (weight * log_odds).sum(), (weight * log_odds**2).sum()
        down = aa * bb - ab * ab
        if down <= 0:  # all rows have one score: there is nothing to scale
            break
        a, b = error.sum(), (error * log_odds).sum()
        off, turn = (bb * a - ab * b) / down, (aa * b - ab * a) / down
        # A step that overshoots is halved.
        while (after := _loss(log_odds, labels, slope + turn, intercept + off)) > loss:
            off, turn = off / 2, turn / 2
            if abs(off) + abs(turn) < CLOSE:
                break
        slope, intercept, loss = slope + turn, intercept + off, after
        if abs(off) + abs(turn) < CLOSE:
            break
    return Calibration(round(max(float(slope), LEAST), 6), round(float(intercept), 6))


def _loss(log_odds: NDArray[Any], labels: NDArray[Any], slope: float, intercept: float) -> float:
    odds = slope * log_odds + intercept
    return float((np.logaddexp(0, odds) - labels * odds).sum())
