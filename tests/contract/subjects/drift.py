"""What the checks must know of `drift`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.drift import Drift
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.HEART_RATE: random.gauss(72, 2),
        Vital.RESPIRATORY_RATE: random.gauss(15, 1),
        Vital.SPO2: random.gauss(97, 0.5),
        Vital.SYSTOLIC: random.gauss(120, 4),
        Vital.DIASTOLIC: random.gauss(75, 3),
        Vital.TEMPERATURE: random.gauss(36.8, 0.1),
    }


SUBJECT = Subject(
    kind=Drift,
    rule="drift.heart_rate",
    usual=_usual,
    ill=[{Vital.HEART_RATE: value} for value in (92.0, 95.0, 93.0, 96.0, 94.0)],
    # The first moment opens a level, the next twelve complete the warm-up's.
    warm=13,
    every=timedelta(minutes=10),
    state_bytes=500,
)
