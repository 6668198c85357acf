"""What the checks must know of `baseline`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.baseline import Baseline, Options
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.HEART_RATE: random.gauss(72, 3),
        Vital.PULSE_RATE: random.gauss(72, 3),
        Vital.RESPIRATORY_RATE: random.gauss(15, 1),
        Vital.SPO2: random.gauss(97, 0.5),
        Vital.SYSTOLIC: random.gauss(120, 4),
        Vital.TEMPERATURE: random.gauss(36.8, 0.1),
    }


SUBJECT = Subject(
    kind=Baseline,
    rule="baseline.heart_rate",
    usual=_usual,
    ill=[{Vital.HEART_RATE: value} for value in (85.0, 98.0, 115.0, 130.0)],
    options=Options(scales=("hours", "days")),
    # Three readings a minute, five minutes.
    warm=15,
    every=timedelta(seconds=20),
    state_bytes=650,
)
