"""What a patient's detectors cost: per reading, beside the same River models called bare.

Bare: for each value the means of the baseline's scales and Page's test, for each moment the two
risk models as River's own pipelines, over features that were made ready before. No warm-up, no
event time, no explanations, no findings: what a first sketch with River would do.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from random import Random
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import msgspec
from river.drift import PageHinkley
from river.stats import Mean

from alerts.watch import Watch
from detectors.baseline import Options
from detectors.panel import Panel, PanelState
from detectors.profiles.loading import SHIPPED
from detectors.risk.features import WATCHED, Known, taken, vector
from detectors.risk.model import shipped
from detectors.risk.online import named, pipeline
from ingest.readings import Instant, Vital
from ingest.registry.entities import Patient, Profile
from tests.benchmarks.figures import Figure, middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

START = datetime(2026, 1, 1, tzinfo=UTC)
ICU = Patient("p-1", Profile.ICU)
WARM, MOMENTS, ROUNDS = 3600, 6000, 5
MICROSECONDS = 1e6
# What was asked for: microseconds a reading, microseconds a patient, milliseconds once, bytes.
READING_MICROSECONDS, STORED_MICROSECONDS, IMPORT_MS = 20.0, 50.0, 1000.0
STATES = (
    (Profile.ICU, timedelta(seconds=1), 4096),
    (Profile.WEARABLE, timedelta(hours=1), 8192),
)
# So long that every scale and the course of the day is known.
DAYS = 120


def run(console: Console, _seconds: float) -> Iterator[Figure]:
    """Measure the panel of an ICU bed at 1 Hz, its state, and how it is stored and restored.

    All are costs: the ratio is how many times the other's cost ours is.
    """
    moments = list(_moments(WARM + MOMENTS, timedelta(seconds=1)))
    readings = MOMENTS * len(moments[0].values)
    ours, bare = [], []
    for number in range(ROUNDS):
        ours.append(MICROSECONDS * _spent(_panel(moments)) / readings)
        bare.append(MICROSECONDS * _spent(_bare(moments[WARM:])) / readings)
        console.print(
            f"round {number + 1} of {ROUNDS}: panel {ours[-1]:.1f} us a reading, "
            f"bare River {bare[-1]:.1f} us"
        )
    what = "icu panel at 1 Hz, six vitals, cost of a reading"
    yield Figure(what, middle(ours), "the same River models called bare", middle(bare), "us")
    yield Figure(what, middle(ours), "what it may cost", READING_MICROSECONDS, "us")
    panel = _fed(moments)
    stored = MICROSECONDS * min(_stored(panel) for _ in range(ROUNDS))
    what = "icu panel, snapshot and restore"
    yield Figure(what, stored, "what they may cost", STORED_MICROSECONDS, "us")
    for profile, every, most in STATES:
        yield Figure(
            f"{profile} watch, state", _state(profile, every), "what it may take", most, "bytes"
        )
    imported = 1000 * min(_import() for _ in range(ROUNDS))
    yield Figure("import of detectors.panel", imported, "what it may take", IMPORT_MS, "ms")


def _moments(count: int, every: timedelta) -> Iterator[Instant]:
    random = Random(1)
    for number in range(count):
        values = {
            Vital.HEART_RATE: float(random.randint(60, 85)),
            Vital.SPO2: float(random.randint(95, 99)),
            Vital.RESPIRATORY_RATE: float(random.randint(12, 19)),
            Vital.TEMPERATURE: round(random.uniform(36.5, 37.4), 1),
            Vital.SYSTOLIC: float(random.randint(112, 135)),
            Vital.DIASTOLIC: float(random.randint(68, 84)),
        }
        yield Instant(START + number * every, values)


def _spent(work: Callable[[], object]) -> float:
    """Return the processor's seconds that a piece of work takes."""
    began = process_time()
    work()
    return process_time() - began


def _fed(moments: Sequence[Instant]) -> Panel:
    panel = Panel()
    for number, one in enumerate(moments):
        panel.feed(ICU, "dev-1", one, fed=float(number))
    return panel


def _panel(moments: Sequence[Instant]) -> Callable[[], object]:
    panel = _fed(moments[:WARM])

    def work() -> None:
        for number, one in enumerate(moments[WARM:], WARM):
            panel.feed(ICU, "dev-1", one, fed=float(number))

    return work


def _bare(moments: Sequence[Instant]) -> Callable[[], object]:
    options = SHIPPED[Profile.ICU].options("baseline")
    assert isinstance(options, Options)
    scales = len(options.scales)
    means = {vital: [(Mean(), Mean()) for _ in range(scales)] for vital in moments[0].values}
    tests = {vital: PageHinkley() for vital in moments[0].values}
    risks = [pipeline(model) for model in shipped()]
    features = _features(moments[0])

    def work() -> None:
        for one in moments:
            for vital, value in one.values.items():
                for mean, deviation in means[vital]:
                    deviation.update(abs(value - mean.get()))
                    mean.update(value)
                tests[vital].update(value)
            for risk in risks:
                risk.predict_proba_one(features)

    return work


def _features(one: Instant) -> dict[str, float]:
    """Make the risk models' features of one moment ready."""
    at = one.time.timestamp()
    known: list[Known] = [[] for _ in WATCHED]
    for place, watched in enumerate(WATCHED):
        if watched.vital in one.values:
            known[place] = taken(place, [], at, one.values[watched.vital], 0)
    return named(vector(known))


def _stored(panel: Panel) -> float:
    """Return the seconds of one snapshot and one restore, the detectors put together again."""
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(PanelState).decode
    began = perf_counter()
    for _ in range(500):
        Panel.restore(decode(encode(panel.snapshot())))._assemble(ICU)
    return (perf_counter() - began) / 500


def _state(profile: Profile, every: timedelta) -> int:
    """Return the bytes of a watch's state after so long that all of it is in use."""
    patient, watch = Patient("p-1", profile), Watch("p-1")
    count = WARM if every < timedelta(minutes=1) else int(timedelta(days=DAYS) / every)
    for one in _moments(count, every):
        watch.observe(patient, "dev-1", one, one.time.timestamp())
    return len(watch.snapshot())


def _import() -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", "import detectors.panel"], check=True)
    return perf_counter() - began
