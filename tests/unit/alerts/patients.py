"""Patients as a watch sees them: at rest, ill; they hide what a test does not speak of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from ingest.readings import Instant, Vital
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alerts.events import AlertEvent
    from alerts.watch import Watch

START = datetime(2026, 11, 24, tzinfo=UTC)
WARD = Patient("p-1")
ILL = {
    Vital.HEART_RATE: 135.0,
    Vital.SPO2: 88.0,
    Vital.RESPIRATORY_RATE: 28.0,
    Vital.TEMPERATURE: 39.4,
    Vital.SYSTOLIC: 88.0,
    Vital.DIASTOLIC: 50.0,
    Vital.CONSCIOUSNESS: 2.0,
    Vital.SUPPLEMENTAL_OXYGEN: 1.0,
}


def at(second: float, values: dict[Vital, float]) -> Instant:
    return Instant(START + timedelta(seconds=second), values)


def healthy(random: Random) -> dict[Vital, float]:
    return {
        Vital.HEART_RATE: float(random.randint(60, 85)),
        Vital.SPO2: float(random.randint(96, 99)),
        Vital.RESPIRATORY_RATE: float(random.randint(13, 18)),
        Vital.TEMPERATURE: (round(random.uniform(97.7, 99.3), 1) - 32) * 5 / 9,
        Vital.SYSTOLIC: float(random.randint(115, 135)),
        Vital.DIASTOLIC: float(random.randint(70, 82)),
    }


def watched(
    watch: Watch, instants: Iterable[Instant], settings: Patient = WARD
) -> list[AlertEvent]:
    return [e for one in instants for e in watch.observe(settings, "dev-1", one).events]


def at_rest(seconds: int, seed: int = 1) -> Iterator[Instant]:
    """Yield a quiet patient at 1 Hz."""
    random = Random(seed)
    for second in range(seconds):
        values = {
            Vital.SPO2: float(random.choice((96, 97, 97, 98))),
            Vital.HEART_RATE: round(random.gauss(72, 2)),
            Vital.RESPIRATORY_RATE: float(random.randint(14, 16)),
        }
        yield at(second, {vital: float(value) for vital, value in values.items()})
