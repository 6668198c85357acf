"""What the checks must know of `risk`: an adult who goes into shock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.risk import Risk
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.HEART_RATE: random.gauss(72, 3),
        Vital.RESPIRATORY_RATE: random.gauss(15, 1),
        Vital.SPO2: random.gauss(98, 0.5),
        Vital.SYSTOLIC: random.gauss(125, 4),
        Vital.DIASTOLIC: random.gauss(72, 3),
        Vital.MEAN_PRESSURE: random.gauss(88, 3),
        Vital.TEMPERATURE: random.gauss(36.8, 0.1),
    }


SUBJECT = Subject(
    kind=Risk,
    rule="risk.deterioration",
    usual=_usual,
    # At 20 s each, every third is taken in: the last one is.
    ill=[
        {
            Vital.HEART_RATE: 130.0 + n % 3,
            Vital.RESPIRATORY_RATE: 32.0,
            Vital.SPO2: 88.0,
            Vital.SYSTOLIC: 85.0,
            Vital.TEMPERATURE: 38.7,
        }
        for n in range(36)
    ],
    state_bytes=800,
    # Many times the longest half-life of its statistics.
    remembers=timedelta(days=60),
)
