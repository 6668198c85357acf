"""A simulated body: vital signs that look like a ward patient's, the same for the same seed.

Each vital is the person's own level, a daily rhythm, and noise that remembers where it was
(first-order autoregressive). Levels and spreads are those of resting adults, chosen so that a
healthy patient stays at 0 to 2 points of NEWS2. They are an engineering choice, not a model of
physiology to reason with.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import Vital

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.scenarios import Scenario
    from simulators.series import Value

DAY_SECONDS = 86_400.0
# The heart beats faster with fever, 8 to 10 a minute for each degree (Davies and Maconochie,
# Emerg Med J 26(9):641-643, 2009, found 9.9 to 14.1 in children; adults lie lower).
BEATS_PER_DEGREE = 8.5


class Rhythm(NamedTuple):
    """How one vital varies: between people (normal, cut to low..high), over the day, in time.

    `amplitude` is half the difference between day and night, greatest at `peak_hour` (UTC here);
    `noise` is the standard deviation of the noise, `memory_seconds` how long it lasts.
    """

    mean: float
    spread: float
    low: float
    high: float
    amplitude: float
    peak_hour: float
    noise: float
    memory_seconds: float


RHYTHMS = {
    Vital.HEART_RATE: Rhythm(70, 5, 62, 76, 3, 15, 2.2, 40),
    Vital.RESPIRATORY_RATE: Rhythm(15.5, 0.8, 14.5, 17, 0.5, 15, 0.6, 30),
    Vital.SPO2: Rhythm(97.5, 0.4, 97, 98.3, 0.2, 14, 0.3, 30),
    Vital.TEMPERATURE: Rhythm(36.8, 0.12, 36.6, 37.1, 0.25, 17, 0.04, 600),
    Vital.SYSTOLIC: Rhythm(125, 6, 118, 140, 5, 12, 1.8, 120),
    Vital.DIASTOLIC: Rhythm(75, 5, 66, 84, 3, 12, 1.4, 120),
}
DECIMALS = {Vital.TEMPERATURE: 1, Vital.WEIGHT: 1}

# A monitor shows these with every instant, takes the pressure and temperature once a minute, and
# has the nurse's entries and its battery every five.
EACH = (Vital.HEART_RATE, Vital.PULSE_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2)
MINUTE = (Vital.TEMPERATURE, Vital.SYSTOLIC, Vital.DIASTOLIC)
MINUTE_SECONDS = 60.0
NURSE_SECONDS = 300.0


class Body:
    """One person's vital signs, asked for in order of time.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> Body(1, "p-1").at(noon) == Body(1, "p-1").at(noon)
    True
    """

    def __init__(self, seed: int, patient: str) -> None:
        self._random = random.Random(f"{seed}/{patient}")
        self._level = {
            vital: min(max(self._random.gauss(r.mean, r.spread), r.low), r.high)
            for vital, r in RHYTHMS.items()
        }
        self._noise = {vital: self._random.gauss(0, r.noise) for vital, r in RHYTHMS.items()}
        self.kilograms = round(self._random.gauss(76, 9), 1)
        self._battery = self._random.uniform(55, 100)
        self._last: datetime | None = None
        self._slow = {MINUTE_SECONDS: -math.inf, NURSE_SECONDS: -math.inf}
        self._elapsed = 0.0

    def at(
        self, time: datetime, course: Scenario | None = None, since_onset_seconds: float = 0.0
    ) -> dict[str, Value]:
        """Measure at this moment (UTC), in canonical units, as far as it is that vital's turn."""
        self._advance(time)
        true = self._true(time, course, since_onset_seconds)
        shown: list[Vital] = list(EACH)
        if self._turn(MINUTE_SECONDS):
            shown += MINUTE
        values: dict[str, Value] = {v.value: _rounded(v, true[v]) for v in shown}
        if self._turn(NURSE_SECONDS):
            values[Vital.CONSCIOUSNESS] = "A"
            values[Vital.SUPPLEMENTAL_OXYGEN] = False
            # Eight hours a charge; the nurse plugs it in before it warns.
            values[Vital.BATTERY] = round(100 - (100 - self._battery + self._elapsed / 600) % 60)
        return values

    def _advance(self, time: datetime) -> None:
        step = (time - self._last).total_seconds() if self._last is not None else 0.0
        self._last = time
        self._elapsed += step
        for vital, rhythm in RHYTHMS.items():
            keep = math.exp(-step / rhythm.memory_seconds)
            fresh = math.sqrt(1 - keep * keep) * rhythm.noise
            self._noise[vital] = keep * self._noise[vital] + fresh * self._random.gauss(0, 1)

    def _true(
        self, time: datetime, course: Scenario | None, since_onset_seconds: float
    ) -> dict[Vital, float]:
        hour = (time.timestamp() % DAY_SECONDS) / 3600
        true: dict[Vital, float] = {}
        for vital, rhythm in RHYTHMS.items():
            daily = rhythm.amplitude * math.cos(2 * math.pi * (hour - rhythm.peak_hour) / 24)
            true[vital] = self._level[vital] + daily
        warmer = true[Vital.TEMPERATURE] - self._level[Vital.TEMPERATURE]
        true[Vital.HEART_RATE] += BEATS_PER_DEGREE * warmer
        weight = course.weight(since_onset_seconds) if course is not None else 0.0
        for vital, target in course.targets.items() if course is not None else ():
            true[vital] += weight * (target - true[vital])
        for vital in RHYTHMS:
            true[vital] += self._noise[vital]
        true[Vital.PULSE_RATE] = true[Vital.HEART_RATE] + self._random.gauss(0, 0.5)
        true[Vital.SPO2] = min(true[Vital.SPO2], 100.0)
        return true

    def _turn(self, every_seconds: float) -> bool:
        due = self._elapsed >= self._slow[every_seconds] + every_seconds
        if due:
            self._slow[every_seconds] = self._elapsed
        return due


def _rounded(vital: Vital, value: float) -> float:
    decimals = DECIMALS.get(vital)
    return round(value) if decimals is None else round(value, decimals)
