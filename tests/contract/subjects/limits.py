"""What the checks must know of `limits`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.limits import Limits, Options
from ingest.readings import Vital
from ingest.registry.entities import Limit, Patient
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {
        Vital.SPO2: float(random.randint(94, 99)),
        Vital.HEART_RATE: float(random.randint(60, 90)),
        Vital.RESPIRATORY_RATE: float(random.randint(12, 18)),
    }


SUBJECT = Subject(
    kind=Limits,
    rule="limits.spo2",
    usual=_usual,
    ill=[
        {Vital.SPO2: value, Vital.HEART_RATE: 100.0, Vital.RESPIRATORY_RATE: 24.0}
        for value in (92.0, 88.0, 86.0, 85.0, 84.0)
    ],
    options=Options(bounds={Vital.HEART_RATE: Limit(low=50, high=120)}),
    settings=Patient(
        "p-1",
        limits={Vital.SPO2: Limit(low=90), Vital.RESPIRATORY_RATE: Limit(high=30, urgent=True)},
    ),
    state_bytes=150,
)
