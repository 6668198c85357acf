"""What the checks must know of `artefact`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.artefact import Artefact
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    heart = random.randint(70, 76)
    return {
        Vital.HEART_RATE: float(heart),
        Vital.PULSE_RATE: float(heart + random.randint(-3, 3)),
        Vital.SPO2: float(random.randint(95, 98)),
        Vital.RESPIRATORY_RATE: float(random.randint(12, 18)),
        Vital.TEMPERATURE: 36.5 + random.randint(0, 3) / 10,
        Vital.MEAN_PRESSURE: float(random.randint(70, 90)),
    }


SUBJECT = Subject(
    kind=Artefact,
    rule="artefact.disagreement",
    usual=_usual,
    ill=[
        {Vital.HEART_RATE: heart, Vital.PULSE_RATE: 74.0, Vital.SPO2: 97.0}
        for heart in (75.0, 110.0, 160.0, 190.0, 200.0)
    ],
    every=timedelta(seconds=1),
    state_bytes=250,
)
