"""The body's day: how far a vital usually lies from its own mean at each time of the day.

The time of the day is UTC's, wherever the patient lives: only that it comes back each day matters.
When the clocks change, the patient's day moves by an hour in a bin of two, and is learned anew.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY = 1440  # minutes
# Two hours each (engineering choice): fine enough for the fall of pulse and temperature at night
# and their rise in the morning, coarse enough to be filled in three days by readings that are
# hours apart. Between the middles of bins the profile is a straight line.
BINS = 12
# The profile counts once half of its bins have seen more than three days, and from there on more
# and more until they have seen seven (engineering choice: a working week with its Sunday). So no
# value becomes unusual because a profile appeared. One figure a day has no profile.
FEW_DAYS, ENOUGH_DAYS = 3.0, 7.0
# A bin remembers so many days: a new rhythm (night work, a new drug) is learned in two weeks.
MEMORY_DAYS = 14.0
# Floats for each bin: the number of days in it, the offset.
WIDTH = 2


def empty() -> list[float]:
    """Return the profile of a patient of whom nothing is known."""
    return [0.0] * (WIDTH * BINS)


def learned(profile: Sequence[float], minute: int, off: float, minutes: float) -> list[float]:
    """Return the profile after a reading that lay `off` from the patient's mean level.

    `minutes` is how long it stands for: the time to the next one, at most a bin. So a bin forgets
    by days, however often a day it is filled.

    >>> learned(empty(), 30, -8.0, 600)[:2]
    [1.0, -8.0]
    """
    after = list(profile)
    place = WIDTH * (minute % DAY * BINS // DAY)
    share = min(minutes * BINS / DAY, 1.0)
    days = after[place] + share
    after[place] = min(days, MEMORY_DAYS)
    after[place + 1] += share / days * (off - after[place + 1])
    return after


def strength(profile: Sequence[float]) -> float:
    """Return how far the profile can be relied on: 0 too few days, 1 days enough.

    >>> strength(empty()), strength([5.0, 1.0] * 12), strength([9.0, 1.0] * 12)
    (0.0, 0.5, 1.0)
    """
    median = sorted(profile[::WIDTH])[BINS // 2]
    return min(max((median - FEW_DAYS) / (ENOUGH_DAYS - FEW_DAYS), 0.0), 1.0)


def offset(profile: Sequence[float], minute: int) -> float:
    """Return how far from the mean level the patient usually is at this time of the day.

    >>> profile = [9.0, 5.0, *[9.0, -1.0] * 11]
    >>> offset(profile, 60), offset(profile, 720)
    (5.5, -0.5)
    """
    strong = strength(profile)
    if not strong:
        return 0.0
    offsets = profile[1::WIDTH]
    level = sum(offsets) / BINS
    at = minute % DAY * BINS / DAY - 0.5  # bins from the middle of the first
    before = floor(at)
    part = at - before
    one, other = offsets[before % BINS], offsets[(before + 1) % BINS]
    return strong * ((1 - part) * one + part * other - level)
