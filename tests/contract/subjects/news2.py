"""NEWS2 as the conformance suite sees it: a ward's patient who falls ill."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.news2 import RULE, News2Detector
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def usual(random: Random, _number: int) -> dict[str, float]:
    """Draw what a healthy adult at rest shows: no points in any parameter."""
    return {
        Vital.HEART_RATE: float(random.randint(60, 85)),
        Vital.RESPIRATORY_RATE: float(random.randint(13, 18)),
        Vital.SPO2: float(random.randint(96, 99)),
        Vital.SYSTOLIC: float(random.randint(115, 135)),
        Vital.DIASTOLIC: float(random.randint(70, 82)),
        Vital.TEMPERATURE: round(random.uniform(36.5, 37.4), 1),
    }


SUBJECT = Subject(
    kind=News2Detector,
    rule=RULE,
    usual=usual,
    ill=(
        {Vital.SPO2: 93.0, Vital.HEART_RATE: 100.0},
        {Vital.SPO2: 91.0, Vital.RESPIRATORY_RATE: 22.0, Vital.HEART_RATE: 120.0},
        {Vital.SYSTOLIC: 88.0, Vital.DIASTOLIC: 50.0, Vital.CONSCIOUSNESS: 1.0},
    ),
    state_bytes=250,
    # Longer than any input is valid for.
    remembers=timedelta(days=1),
)
