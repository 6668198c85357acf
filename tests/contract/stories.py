"""Patients' days as a watch sees them: a seeded mixture of all that a log can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from detectors.base import Feed
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Limit, Patient, Prescription, Profile, Trend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.events import AlertEvent
    from alerts.watch import Outcome, Watch

START = datetime(2026, 11, 24, tzinfo=UTC)
# How far apart a device's moments are, by profile.
EVERY = {
    Profile.ICU: timedelta(seconds=1),
    Profile.WARD: timedelta(minutes=10),
    Profile.HOME_HEART: timedelta(hours=6),
    Profile.HOME_RESPIRATORY: timedelta(hours=2),
    Profile.WEARABLE: timedelta(days=1),
}
USUAL = {
    Vital.HEART_RATE: (74.0, 4.0),
    Vital.PULSE_RATE: (74.0, 4.0),
    Vital.RESPIRATORY_RATE: (15.0, 1.5),
    Vital.SPO2: (97.0, 1.0),
    Vital.TEMPERATURE: (36.8, 0.2),
    Vital.SYSTOLIC: (124.0, 7.0),
    Vital.DIASTOLIC: (76.0, 5.0),
    Vital.MEAN_PRESSURE: (92.0, 5.0),
    Vital.WEIGHT: (81.0, 0.4),
    Vital.STEPS: (6000.0, 1500.0),
}


class Step(NamedTuple):
    """What is shown to a watch: what a device measured, or a tick."""

    device: str
    instant: Instant | None
    feed: Feed


def settings(profile: Profile) -> Patient:
    """Build a patient of whom everything is prescribed that can be."""
    return Patient(
        "p-1",
        profile,
        limits={Vital.SPO2: Limit(low=90, seconds=30, margin=1), Vital.HEART_RATE: Limit(high=130)},
        trends={Vital.WEIGHT: Trend(3, rise=2.0)},
        prescriptions={Vital.WEIGHT: Prescription(24)},
    )


def story(profile: Profile, seed: int, length: int = 600) -> Iterator[Step]:
    """Yield a patient's days: health, illness, artefacts, silence, late and repeated readings."""
    random, time, fed = Random(seed), START, 0.0
    every, ill, last = EVERY[profile], 0, None
    for _ in range(length):
        quiet = random.random() < 0.01
        gap = every * (random.choice([2, 30, 300]) if quiet else 1)
        time += gap
        fed += gap.total_seconds()
        feed = Feed(time, fed)
        if random.random() < 0.2:
            yield Step("", None, feed)
        ill = max(0, ill - 1) if ill else (40 if random.random() < 0.01 else 0)
        device = random.choice(["dev-1", "dev-1", "dev-1", "dev-2"])
        now = time - every * random.choice([0] * 30 + [1, 5])
        step = Step(device, Instant(now, *_values(random, ill)), feed)
        if last is not None and random.random() < 0.03:
            yield last
        yield step
        last = step


def _values(random: Random, ill: int) -> tuple[dict[Vital, float], dict[Vital, int]]:
    values = {
        vital: round(random.gauss(centre, spread), 1)
        for vital, (centre, spread) in USUAL.items()
        if random.random() < 0.8
    }
    if ill:
        values |= {
            Vital.HEART_RATE: round(random.gauss(128, 6), 1),
            Vital.SPO2: round(random.gauss(87, 2), 1),
            Vital.TEMPERATURE: round(random.gauss(39.3, 0.2), 1),
        }
    if random.random() < 0.03:
        values[Vital.SPO2] = 0.0
    if random.random() < 0.05:
        values[Vital.CONSCIOUSNESS] = float(random.randint(0, 4))
        values[Vital.SUPPLEMENTAL_OXYGEN] = float(random.randint(0, 1))
    return values, {Vital.SPO2: int(Quality.SUSPECT)} if values.get(Vital.SPO2, 97) < 50 else {}


def shown(watch: Watch, patient: Patient, step: Step) -> Outcome | tuple[AlertEvent, ...]:
    """Show a step to a watch as the worker does."""
    if step.instant is None:
        return watch.tick(patient, step.feed)
    return watch.observe(patient, step.device, step.instant, step.feed.fed)
