"""What is usual over hours, over days, over weeks: means that forget by the clock of events.

A scale is three floats: the weight of what it remembers (one for each minute that had a reading,
fading), the mean and the mean squared distance from it.
"""

from __future__ import annotations

from math import exp2, sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from river.stats import Mean  # noqa: TID251 (this folder is where River lives)

from detectors.findings import Against

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Scale(NamedTuple):
    """How long a scale remembers, and when it is warm.

    `half_life`: after so many minutes what was learned weighs half. `span`: it speaks once it has
    learned for so many minutes.
    """

    against: Against
    half_life: float
    span: int


# Engineering choices. Half-lives: a quarter of a shift, so that a shift's end has forgotten its
# begin; two days, a short illness; two weeks, so that the mean is about as old as that of the four
# weeks which studies of wearables compare with (Mishra, Nature Biomedical Engineering 2020). One
# and three weeks told ill from well days as well (docs/evaluation.md). Spans: five minutes, in
# which a bedside monitor shows more than the noise of its sensor; a day, the body's own period;
# five days, after which a single figure a day is the least that a spread can be taken from.
SCALES: Mapping[str, Scale] = MappingProxyType(
    {
        "hours": Scale(Against.HOURS, 2 * 60.0, 5),
        "days": Scale(Against.DAYS, 2 * 1440.0, 1440),
        "weeks": Scale(Against.WEEKS, 14 * 1440.0, 5 * 1440),
    }
)
# The least weight that can speak. A scale that is too short for how seldom a patient is measured
# (hours at one figure a day, weeks at one a week) never gathers it, and after a year's gap none has
# it; of one figure every other day "weeks" has it after six.
LEAST = 4.0
# A distance counts in learning for no more than this many spreads (Huber's psi function; between
# the 1.5 that costs a normal distribution 4 % of its information and none). So one spike moves
# what is usual by no more than an ordinary extreme does, and a new level is learned all the same:
# at each step the spread grows too.
WINSOR = 3.0
# Floats for each scale: weight, mean, mean squared distance.
WIDTH = 3


class Band(NamedTuple):
    """What a warm scale expects: `centre` give or take `spread`."""

    centre: float
    spread: float
    against: Against


def learned(
    known: Sequence[float],
    scales: Sequence[Scale],
    floor: float,
    mean: float,
    square: float,
    minutes: float,
) -> list[float]:
    """Return what is known after one more minute of readings, and after `minutes` have passed.

    Parameters
    ----------
    known
        Weight, mean, mean squared distance of each scale.
    scales
        What each of them is.
    floor
        The least spread that is taken for real, in the vital's own unit.
    mean
        The mean of the minute's readings.
    square
        The variance of the readings within the minute: 0 for one reading.
    minutes
        The time from that minute to the one that the weights returned are for; at least 0.

    Examples
    --------
    >>> hours = [SCALES["hours"]]
    >>> learned([1.0, 70.0, 0.0], hours, 3.0, 72.0, 0.0, 120.0)
    [1.0, 71.0, 2.0]

    References
    ----------
    Finch, T. Incremental calculation of weighted mean and variance. Cambridge, 2009 (River's
    `stats.Mean` with weights). West, D. H. D. Updating mean and variance estimates: an improved
    method. Communications of the ACM 22(9), 1979. Huber, P. J. Robust estimation of a location
    parameter. Annals of Mathematical Statistics 35(1), 1964 (winsorised residuals).
    """
    after: list[float] = []
    for place, scale in enumerate(scales):
        weight, centre, known_square = known[WIDTH * place : WIDTH * place + WIDTH]
        off = mean - centre if weight else 0.0
        squared = off * off + square
        if weight >= LEAST:
            most = WINSOR * max(sqrt(known_square), floor)
            off = min(max(off, -most), most)
            squared = min(squared, most * most)
        # The distance is taken from the mean before this minute: a value has no say in whether it
        # is unusual itself.
        fade = exp2(-minutes / scale.half_life)
        centres, squares = _mean(weight, centre), _mean(weight, known_square)
        centres.update(centre + off if weight else mean)
        squares.update(squared)
        after += (centres.n * fade, centres.get(), squares.get())
    return after


def faded(known: Sequence[float], scales: Sequence[Scale], minutes: float) -> list[float]:
    """Return what is known after `minutes` without a reading: the same, with less weight.

    >>> faded([8.0, 70.0, 9.0], [SCALES["hours"]], 240.0)
    [2.0, 70.0, 9.0]
    """
    after = list(known)
    for place, scale in enumerate(scales):
        after[WIDTH * place] *= exp2(-minutes / scale.half_life)
    return after


def bands(known: Sequence[float], scales: Sequence[Scale], floor: float, age: int) -> list[Band]:
    """Return what each warm scale expects; `age` is for how many minutes there were readings.

    The spread of few readings is uncertain itself, so it is widened to that of the predictive
    distribution (Student's t with weight - 1 degrees of freedom): twofold at a weight of four, by
    a third at seven, by 2 % at a hundred.

    >>> bands([5.0, 70.0, 100.0], [SCALES["hours"]], 3.0, age=5)
    [Band(centre=70.0, spread=15.491933384829668, against=<Against.HOURS: 'hours'>)]

    References
    ----------
    Geisser, S. Predictive inference: an introduction. Chapman and Hall, 1993 (chapter 2).
    """
    found = []
    for place, scale in enumerate(scales):
        weight, centre, square = known[WIDTH * place : WIDTH * place + WIDTH]
        if weight >= LEAST and age >= scale.span:
            widened = (weight + 1) / weight * (weight - 1) / (weight - 3)
            found.append(Band(centre, max(sqrt(square * widened), floor), scale.against))
    return found


def _mean(weight: float, mean: float) -> Mean:
    """Make River's mean as it stood: one update with the whole weight is exact."""
    made = Mean()
    if weight:
        made.update(mean, weight)
    return made
