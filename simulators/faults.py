"""What goes wrong between a patient and a message: artefacts, dropouts, repeats, wrong clocks.

Each fault takes a device's samples and gives them back with the fault in; the random source is
given, so that a run is the same for the same seed. None of them makes a healthy patient look ill:
an alert during one of them is a false alert.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from ingest.readings import Vital

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from simulators.series import Sample, Value


class Fault(StrEnum):
    """The faults by the names that the command line takes."""

    MOTION = "motion"
    SENSOR_OFF = "sensor-off"
    DUPLICATES = "duplicates"
    DISORDER = "disorder"
    UNITS = "units"
    CLOCK_AHEAD = "clock-ahead"


FROM_LIGHT = (Vital.PULSE_RATE.value, Vital.SPO2.value)
# Chances are per instant: at one a second, an artefact in ten minutes, a lost sensor in thirty.
MOTION_CHANCE = 1 / 600
SENSOR_OFF_CHANCE = 1 / 1800
REPEAT_CHANCE = 0.02
DISORDER_CHANCE = 0.02
LATE_SECONDS = 3.0
AHEAD_SECONDS = 90.0


def motion(samples: Iterable[Sample], rng: random.Random) -> Iterator[Sample]:
    """Let the patient move: for some seconds the finger's pulse is far from the heart's.

    SpO2 reads up to two percent lower: worth at most two points.
    """
    left, factor = 0, 1.0
    for sample in samples:
        if left == 0 and rng.random() < MOTION_CHANCE:
            left, factor = (
                rng.randint(3, 12),
                rng.choice((rng.uniform(0.6, 0.8), rng.uniform(1.3, 1.7))),
            )
        if left == 0:
            yield sample
            continue
        left -= 1
        values = dict(sample.values)
        pulse, spo2 = (values.get(name) for name in FROM_LIGHT)
        if isinstance(pulse, int | float):
            values[Vital.PULSE_RATE] = round(pulse * factor)
        if isinstance(spo2, int | float):
            values[Vital.SPO2] = spo2 - rng.randint(0, 2)
        yield sample._replace(values=values)


def sensor_off(samples: Iterable[Sample], rng: random.Random) -> Iterator[Sample]:
    """Let the finger clip fall off for 20 to 60 instants: its vitals are missing."""
    left = 0
    for sample in samples:
        if left == 0 and rng.random() < SENSOR_OFF_CHANCE:
            left = rng.randint(20, 60)
        if left == 0:
            yield sample
            continue
        left -= 1
        values = {name: value for name, value in sample.values.items() if name not in FROM_LIGHT}
        if values:
            yield sample._replace(values=values)


def duplicates(samples: Iterable[Sample], rng: random.Random) -> Iterator[Sample]:
    """Send some instants twice."""
    for sample in samples:
        yield sample
        if rng.random() < REPEAT_CHANCE:
            yield sample


def disorder(samples: Iterable[Sample], rng: random.Random) -> Iterator[Sample]:
    """Send some instants three seconds late, after their successors."""
    held: list[Sample] = []
    for sample in samples:
        while held and held[0].due <= sample.due:
            yield held.pop(0)
        if rng.random() < DISORDER_CHANCE:
            held.append(sample._replace(due=sample.due + timedelta(seconds=LATE_SECONDS)))
        else:
            yield sample
    yield from held


def units(samples: Iterable[Sample], rng: random.Random) -> Iterator[Sample]:
    """Let every other device speak Fahrenheit and kilopascal, to one and two decimals."""
    foreign = rng.random() < 0.5  # noqa: PLR2004 (an even chance)
    for sample in samples:
        yield sample._replace(values=_foreign(dict(sample.values))) if foreign else sample


def clock_ahead(samples: Iterable[Sample], _rng: random.Random) -> Iterator[Sample]:
    """Let the device's clock go 90 seconds ahead."""
    for sample in samples:
        yield sample._replace(time=sample.time + timedelta(seconds=AHEAD_SECONDS))


FAULTS: dict[Fault, Callable[[Iterable[Sample], random.Random], Iterator[Sample]]] = {
    Fault.MOTION: motion,
    Fault.SENSOR_OFF: sensor_off,
    Fault.DUPLICATES: duplicates,
    Fault.DISORDER: disorder,
    Fault.UNITS: units,
    Fault.CLOCK_AHEAD: clock_ahead,
}


def _foreign(values: dict[str, Value]) -> dict[str, Value]:
    temperature = values.get(Vital.TEMPERATURE)
    if isinstance(temperature, int | float):
        values[Vital.TEMPERATURE] = {"value": round(temperature * 9 / 5 + 32, 1), "unit": "[degF]"}
    for vital in (Vital.SYSTOLIC, Vital.DIASTOLIC):
        pressure = values.get(vital)
        if isinstance(pressure, int | float):
            # 1 mmHg = 0.133322 kPa
            values[vital] = {"value": round(pressure * 0.133322, 2), "unit": "kPa"}
    return values
