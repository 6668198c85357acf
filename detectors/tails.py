"""How rare a distance is, learned from the distances there were: the tail of a distribution."""

from __future__ import annotations

from math import exp2, log10
from typing import NamedTuple


class Tail(NamedTuple):
    """What is known of large distances: readings, those that were over, by how much altogether."""

    readings: float = 0.0
    over: float = 0.0
    excess: float = 0.0


# In spreads: distances from here on are the tail. The prior is a normal distribution's share of it
# (4.6 %), with a mean excess of one spread, which is heavier than the normal's 0.37: real series
# are. It counts like ten readings over (engineering choice: two hundred ordinary readings), so a
# patient's own tail is heard after a few days at five minutes and hardly at one figure a day.
OVER = 2.0
SHARE = 0.046
EXCESS = 1.0
PRIOR = 10.0
# What was learned weighs half after a month, as long as a patient stays the same (engineering
# choice).
HALF_LIFE = 30 * 1440.0
# One distance counts in the mean excess for no more than this many of it: an illness of its own
# does not make illness usual at once.
WINSOR = 3.0
DECADE = 2.302585092994046  # the natural logarithm of 10


class Curve(NamedTuple):
    """How rare each distance is: `share` and `mean` of the tail, on a decimal logarithm."""

    share: float
    mean: float

    def rarity(self, distance: float) -> float:
        """Return minus the decimal logarithm of how often the distance is exceeded; at least 0.

        Peaks over a threshold: P(over) * exp(-(distance - OVER) / mean excess). Below the threshold
        it rises in a straight line from 0.
        """
        if distance < OVER:
            return self.share * distance / OVER
        return self.share + (distance - OVER) / self.mean


def curve(tail: Tail, minutes: float) -> Curve:
    """Return what is rare; `minutes` is the time since the tail was last learned.

    The tail is exponential and not a generalised Pareto because two numbers can be learned from
    little.

    >>> [round(curve(Tail(), 0).rarity(distance), 2) for distance in (0.0, 2.0, 4.0, 1e6)]
    [0.0, 1.34, 2.21, 434294.95]

    References
    ----------
    Siffer, A. et al. Anomaly detection in streams with extreme value theory. KDD 2017. Pickands, J.
    Statistical inference using extreme order statistics. Annals of Statistics 3(1), 1975.
    """
    fade = exp2(-minutes / HALF_LIFE)
    over = tail.over * fade + PRIOR
    share = over / (tail.readings * fade + PRIOR / SHARE)
    mean = (tail.excess * fade + PRIOR * EXCESS) / over
    return Curve(-log10(share), mean * DECADE)


def learned(tail: Tail, distance: float, minutes: float) -> Tail:
    """Return the tail after one more distance, `minutes` after the last.

    >>> learned(Tail(99.0, 1.0, 0.5), 2.5, 0)
    Tail(readings=100.0, over=2.0, excess=1.0)
    """
    fade = exp2(-minutes / HALF_LIFE)
    readings, over, excess = tail.readings * fade + 1, tail.over * fade, tail.excess * fade
    if distance < OVER:
        return Tail(readings, over, excess)
    most = WINSOR * (excess + PRIOR * EXCESS) / (over + PRIOR)
    return Tail(readings, over + 1, excess + min(distance - OVER, most))
