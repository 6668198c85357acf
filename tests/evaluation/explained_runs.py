"""Patients who get worse, by the seeded generator and by recordings, watched as the worker does.

What comes of a run are the alerts that were opened: their findings are what a page of explanations
is made of.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from alerts.events import Phase
from alerts.watch import Watch
from detectors.base import Feed
from ingest.readings import Instant, Quality, Refusal, Vital, judge
from ingest.registry.entities import Limit, Patient, Profile
from simulators.readers import bidmc, physionet, welltory
from simulators.scenarios import SCENARIOS
from simulators.vitals import Body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from alerts.events import AlertEvent
    from detectors.findings import Finding
    from simulators.recordings import Recording

SEED = 5
START = datetime(2026, 11, 2, 6, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
BEFORE_SECONDS = 2400  # of the person's usual, before anything happens at the bedside
COURSE_SECONDS, FAULT_SECONDS = 1200, 2100
RECORDED = 12  # patients of each set of recordings


class Told(NamedTuple):
    """A finding that opened an alert: at which moment (UTC), and in which run."""

    finding: Finding
    moment: datetime
    run: str


class Step(NamedTuple):
    """What one device measured at one moment; no values: time has passed, and nothing else."""

    time: datetime
    values: Mapping[str, float]


def simulated() -> Iterator[Told]:
    """Play the generator's patients."""
    for name in SCENARIOS:
        if name != "heart-failure":
            yield from _watch(f"simulated bedside, {name}", _icu(), _bedside(name))
    for fault in FAULTS:
        yield from _watch(f"simulated bedside, {fault}", _icu(), _bedside("healthy", fault))
    newcomer = _bedside("haemorrhage", before=60)
    yield from _watch("simulated bedside, a newcomer who bleeds", _icu(), newcomer)
    heart = Patient("p-2", profile=Profile.HOME_HEART, limits={Vital.SYSTOLIC: Limit(low=100)})
    yield from _watch("simulated home, heart failure", heart, _home(), tick=HOUR)
    wearable = Patient("p-3", profile=Profile.WEARABLE)
    yield from _watch("simulated wearable, an illness", wearable, _wearable(), tick=HOUR)


def recorded(folder: Path) -> Iterator[Told]:
    """Play real patients, the first of each set. They are read in place."""
    sets = (
        (bidmc.recordings(folder / "bidmc"), "recording, BIDMC intensive care", Profile.ICU),
        (physionet.recordings(folder / "sepsis2019"), "recording, PhysioNet 2019", Profile.WARD),
        (welltory.recordings(folder / "welltory"), "recording, Welltory", Profile.WEARABLE),
    )
    for recordings, run, profile in sets:
        for one in islice(recordings, RECORDED):
            yield from _watch(run, Patient("p-4", profile=profile), _replayed(one))


def _icu() -> Patient:
    return Patient("p-1", profile=Profile.ICU, limits={Vital.HEART_RATE: Limit(45, 125)})


def _watch(
    run: str, settings: Patient, steps: Iterable[Step], tick: timedelta = 10 * SECOND
) -> Iterator[Told]:
    watch, first, ticked = Watch(settings.id), None, None
    for step in steps:
        first = first or step.time
        fed = (step.time - first).total_seconds()
        events: list[AlertEvent] = []
        if ticked is None or step.time - ticked >= tick:
            ticked = step.time
            events += watch.tick(settings, Feed(step.time, fed))
        if instant := _instant(step):
            events += watch.observe(settings, "dev-1", instant, fed).events
        for event in events:
            if event.phase in {Phase.START, Phase.ESCALATE}:
                yield Told(event.finding, event.time, run)


def _instant(step: Step) -> Instant | None:
    """Keep what the gateway would keep."""
    values, quality = {}, {}
    for name, value in step.values.items():
        vital = Vital(name)
        judged = judge(vital, value)
        if isinstance(judged, Refusal):
            continue
        values[vital] = value
        if judged is not Quality.GOOD:
            quality[vital] = int(judged)
    return Instant(step.time, values, quality) if values else None


# What goes wrong with the equipment, and which values stand in its place.
FAULTS: Mapping[str, Mapping[str, float | None]] = {
    "a probe that falls off": {Vital.SPO2: 0.0, Vital.PULSE_RATE: 0.0},
    "an electrode that counts double": {Vital.HEART_RATE: 170.0},
    "a cable that is pulled": dict.fromkeys((*Vital,), None),
    "breathing that stops being measured": {Vital.RESPIRATORY_RATE: None},
    "a frozen screen": {Vital.HEART_RATE: 72.0, Vital.PULSE_RATE: 72.0, Vital.SPO2: 96.0},
    "a thermometer that slips": {Vital.TEMPERATURE: 33.0},
}


def _bedside(course: str, fault: str | None = None, before: int = BEFORE_SECONDS) -> Iterator[Step]:
    """Play a monitor at 1 Hz: the usual first, then the course and the fault."""
    body, scenario = Body(SEED, course), SCENARIOS[course]
    wrong = FAULTS.get(fault or "", {})
    for second in range(before + (FAULT_SECONDS if wrong else COURSE_SECONDS)):
        time, onset = START + second * SECOND, second - before
        shown = body.at(time, scenario, onset)
        values = {name: v for name, v in shown.items() if isinstance(v, int | float)}
        if onset >= 0:
            for name, stuck in wrong.items():
                if stuck is None:
                    values.pop(name, None)
                elif name in values:
                    values[name] = stuck
        yield Step(time, values)


def _home() -> Iterator[Step]:
    """Weigh in every morning for three weeks, then gain 0.8 kg a day, then stop."""
    random = np.random.default_rng(SEED)
    for hour in range(24 * 32):
        day, time = hour // 24, START + hour * HOUR
        values = {}
        if hour % 24 == 1 and day < 28:
            gained = 0.8 * max(0, day - 22)
            values = {
                Vital.WEIGHT: round(78.0 + gained + random.normal(0, 0.2), 1),
                Vital.SYSTOLIC: round(118.0 - 5 * max(0, day - 24) + random.normal(0, 4)),
                Vital.DIASTOLIC: round(72.0 + random.normal(0, 3)),
                Vital.PULSE_RATE: round(68.0 + 3 * max(0, day - 22) + random.normal(0, 2)),
            }
        yield Step(time, {str(name): float(value) for name, value in values.items()})


def _wearable() -> Iterator[Step]:
    """Wear a watch for six weeks; be ill in the last."""
    random = np.random.default_rng(SEED)
    for hour in range(24 * 42):
        ill, night = hour >= 24 * 38, np.cos(2 * np.pi * (hour - 9) / 24)
        yield Step(
            START + hour * HOUR,
            {
                Vital.PULSE_RATE: round(66.0 + 6 * night + 14 * ill + random.normal(0, 2)),
                Vital.TEMPERATURE: round(36.5 + 0.2 * night + 1.4 * ill + random.normal(0, 0.1), 1),
                Vital.SPO2: round(97.0 - 2 * ill + random.normal(0, 0.5)),
            },
        )


def _replayed(recording: Recording) -> Iterator[Step]:
    for sample in recording.samples(START + DAY):
        values = {name: v for name, v in sample.values.items() if isinstance(v, int | float)}
        yield Step(sample.time, values)
