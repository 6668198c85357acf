"""What is usual for a patient in one vital: the state, and what is expected from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from detectors import circadian as body_day
from detectors import scales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.scales import Band, Scale

MINUTE = 60.0
# The least spread of a series of which nothing is known: a millionth of its own level, which only
# keeps a constant series from a division by zero; and the least of all, for a series of zeros.
RELATIVE_FLOOR = 1e-6
TINY = 1e-12
# Larger numbers are no measurements; their squares would not be finite.
LARGEST = 1e100


class Usual(msgspec.Struct, array_like=True, gc=False):
    """What is known of one vital. Times are whole minutes since 1970, UTC.

    `scales` are weight, mean and mean squared distance of each scale, faded to the minute `minute`;
    `count`, `total` and `square` gather what came in that minute, as distances from the first
    scale's mean, and are learned when the minute is over. `day` is the profile by time of the day
    (empty: none is kept). `since` (seconds) is when an unbroken row of values far off began,
    `reported` the last minute with an open alert of this rule (None: never).
    """

    first: int
    minute: int
    scales: list[float]
    day: list[float]
    count: int = 0
    total: float = 0.0
    square: float = 0.0
    since: float | None = None
    reported: int | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """What is known of each vital, on the scales named here."""

    scales: tuple[str, ...]
    vitals: dict[str, Usual]


def fitted(state: State | None, names: tuple[str, ...], *, circadian: bool) -> State:
    """Return what is known as a profile with these scales has it (None: nothing is).

    After a change of profile each scale goes on under its own name: one that is new knows nothing
    yet, one that is not kept any more is forgotten. The days that were seen stay where both keep
    them; the readings of the minute that was not over are dropped.
    """
    if state is None:
        return State(names, {})
    same = state.scales == names
    if same and all(bool(usual.day) == circadian for usual in state.vitals.values()):
        return state
    vitals = {}
    for vital, usual in state.vitals.items():
        parts = {
            name: usual.scales[scales.WIDTH * place : scales.WIDTH * (place + 1)]
            for place, name in enumerate(state.scales)
        }
        new = (0.0, usual.scales[-2], 0.0)  # the level only keeps the first distances small
        after = [number for name in names for number in parts.get(name, new)]
        day = (usual.day or body_day.empty()) if circadian else []
        kept = Usual(usual.first, usual.minute, after, day)
        kept.since, kept.reported = usual.since, usual.reported
        vitals[vital] = kept
    return State(names, vitals)


class Own:
    """One vital at work: its state, and what follows from it in the minute that is looked at.

    `bands` are what each warm scale expects of a value, once `offset` is taken off it: how far from
    the mean level the patient usually is at this time of the day (0 without a profile).
    """

    __slots__ = (
        "_after",
        "_day",
        "_floor",
        "_least",
        "_most",
        "_scales",
        "bands",
        "minute",
        "offset",
        "rule",
        "usual",
    )

    def __init__(self, rule: str, usual: Usual, known: Sequence[Scale], floor: float) -> None:
        self.rule = rule
        self.usual, self._scales, self._floor = usual, known, floor
        self.minute = -1
        self._after, self._day = usual.scales, usual.day
        self._least, self._most = -LARGEST, LARGEST
        self.bands: Sequence[Band] = ()
        self.offset = 0.0

    def look(self, minute: int) -> None:
        """Work out what is expected in this minute; the state stays as it is.

        What came in an earlier minute is in it; what comes in this one is not.
        """
        usual = self.usual
        minute = self.minute = max(minute, usual.minute)
        minutes, after, day = minute - usual.minute, usual.scales, usual.day
        floor = self._floor or max(RELATIVE_FLOOR * abs(after[1]), TINY)
        if minutes and usual.count:
            off = usual.total / usual.count
            variance = max(usual.square / usual.count - off * off, 0.0)
            mean = after[1] + off
            if day:
                # Against the longest scale, which has seen all times of the day.
                off = mean + body_day.offset(day, usual.minute) - after[-2]
                day = body_day.learned(day, usual.minute, off, minutes)
            after = scales.learned(after, self._scales, floor, mean, variance, minutes)
        elif minutes:
            after = scales.faded(after, self._scales, minutes)
        self._after, self._day = after, day
        self.bands = bands = scales.bands(after, self._scales, floor, minute - usual.first)
        self.offset = body_day.offset(day, minute) if day else 0.0
        self._least, self._most = -LARGEST, LARGEST
        if bands:
            self._least = min([one.centre - scales.WINSOR * one.spread for one in bands])
            self._most = max([one.centre + scales.WINSOR * one.spread for one in bands])

    def learn(self, value: float, minute: int) -> None:
        """Take in a value of this minute."""
        if self.minute != minute:
            self.look(minute)
        usual = self.usual
        if self.minute > usual.minute:
            usual.scales, usual.day, usual.minute = self._after, self._day, self.minute
            usual.count, usual.total, usual.square = 0, 0.0, 0.0
        value -= self.offset
        if value < self._least:
            value = self._least
        elif value > self._most:
            value = self._most
        off = value - usual.scales[1]
        usual.count += 1
        usual.total += off
        usual.square += off * off
