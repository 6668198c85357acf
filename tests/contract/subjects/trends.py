"""What the checks must know of `trends`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.trends import Options, Trends
from ingest.readings import Vital
from ingest.registry.entities import Patient, Trend
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.WEIGHT: 80.0 + random.randint(-5, 5) / 10,
        Vital.TEMPERATURE: 36.6 + random.randint(-3, 3) / 10,
    }


SUBJECT = Subject(
    kind=Trends,
    rule="trends.weight",
    usual=_usual,
    ill=[{Vital.WEIGHT: value} for value in (80.6, 81.4, 82.3, 83.1)],
    options=Options({Vital.WEIGHT: Trend(days=3, rise=2.0)}),
    settings=Patient("p-1", trends={Vital.TEMPERATURE: Trend(days=3, rise=1.5)}),
    warm=2,
    every=timedelta(days=1),
    state_bytes=300,
    silent=timedelta(days=9),
    # Longer than what a slope is laid through.
    remembers=timedelta(days=9),
)
