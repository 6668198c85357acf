"""What the checks must know of `population`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.population import Population
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.HEART_RATE: random.gauss(80, 8),
        Vital.RESPIRATORY_RATE: random.gauss(17, 2),
        Vital.SPO2: random.gauss(97, 1),
        Vital.TEMPERATURE: random.gauss(36.9, 0.3),
        Vital.SYSTOLIC: random.gauss(120, 9),
    }


SUBJECT = Subject(
    kind=Population,
    rule="population",
    usual=_usual,
    ill=[
        {Vital.HEART_RATE: 110.0, Vital.RESPIRATORY_RATE: 26.0, Vital.SPO2: 94.0},
        {Vital.HEART_RATE: 150.0, Vital.RESPIRATORY_RATE: 40.0, Vital.SPO2: 80.0},
    ],
    # A newcomer is judged at once, by others.
    warm=0,
    every=timedelta(minutes=1),
    state_bytes=150,
)
