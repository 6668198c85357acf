"""One patient's watch, from readings to alerts."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.events import AlertEvent, Phase
from alerts.watch import StateUnreadable, Watch
from detectors.findings import Kind, Priority
from ingest.readings import Instant, Vital
from ingest.registry.entities import Limit, Patient, Profile
from tests.unit.alerts.patients import ILL, START, WARD, at, at_rest, healthy, watched

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_very_ill_patient_gives_one_high_alert_at_the_first_instant() -> None:
    events = watched(Watch("p-1"), (at(second, ILL) for second in range(30)))
    (event,) = events
    assert (event.phase, event.finding.rule, event.priority) == (
        Phase.START,
        "news2",
        Priority.HIGH,
    )
    assert event.time == START
    assert event.finding.score == 19.0
    assert event.finding.missing == ()
    assert {e.vital for e in event.finding.evidence} == set(ILL)


@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_patient_raises_nothing_not_even_advice(seed: int) -> None:
    random, watch = Random(seed), Watch("p-1")
    assert not watched(watch, (at(2 * n, healthy(random)) for n in range(2000)))
    assessment = watch.observe(WARD, "dev-1", at(4000, healthy(random))).assessment
    assert assessment is not None
    assert assessment.news2 == 0
    assert assessment.news2_missing == (Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS)
    assert assessment.anomaly is not None


def test_a_sudden_lack_of_oxygen_gives_one_medium_alert_that_rests_on_it() -> None:
    watch = Watch("p-1")
    assert not watched(watch, at_rest(600))
    fallen = (at(s, {Vital.SPO2: 89.0, Vital.HEART_RATE: 72.0}) for s in range(600, 1200))
    (event,) = watched(watch, fallen)
    assert (event.phase, event.kind, event.finding.rule, event.priority) == (
        Phase.START,
        Kind.PHYSIOLOGICAL,
        "news2",
        Priority.MEDIUM,
    )
    assert [evidence.vital for evidence in event.finding.evidence] == [Vital.SPO2]
    assert event.time == START + timedelta(seconds=610)


def test_a_short_artefact_raises_nothing() -> None:
    watch = Watch("p-1")
    instants = list(at_rest(1200))
    for second in range(600, 608):
        instants[second] = at(second, {Vital.SPO2: 82.0, Vital.HEART_RATE: 72.0})
    assert not watched(watch, instants)


def test_what_is_unusual_for_this_patient_only_is_advice() -> None:
    watch = Watch("p-1")
    watched(watch, at_rest(600))
    faster = (at(s, {Vital.HEART_RATE: 89.0}) for s in range(600, 900))
    (event,) = watched(watch, faster)
    assert (event.kind, event.priority, event.finding.rule) == (
        Kind.ADVISORY,
        Priority.LOW,
        "baseline.heart_rate",
    )
    assert event.time == START + timedelta(seconds=660)


def test_a_slow_drift_is_an_alert_of_news2_when_the_score_says_so_and_not_before() -> None:
    random, watch = Random(4), Watch("p-1")

    def drifting() -> Iterator[Instant]:
        for second in range(0, 8 * 3600, 2):
            rise = 35 * second / (8 * 3600)
            rate, breaths = random.gauss(78 + rise, 2), random.gauss(14 + rise / 3, 0.7)
            values = {
                Vital.HEART_RATE: float(round(rate)),
                Vital.RESPIRATORY_RATE: float(round(breaths)),
                Vital.SPO2: 94.0,
                Vital.TEMPERATURE: 37.0 + rise / 25,
            }
            yield at(second, values)

    events = watched(watch, drifting())
    scored = [e for e in events if e.phase is Phase.START and e.finding.rule == "news2"]
    assert scored
    assert scored[0].time > START + timedelta(hours=4)
    # What sees it earlier speaks of this patient's own usual, and is no urgent matter.
    assert all(e.priority is not Priority.HIGH for e in events if e.time < scored[0].time)


def test_a_limit_that_is_taken_back_ends_its_alert() -> None:
    watch, bound = Watch("p-1"), Patient("p-1", limits={Vital.GLUCOSE: Limit(high=180)})
    (start,) = watched(watch, [at(0, {Vital.GLUCOSE: 240.0})], bound)
    assert start.finding.rule == "limits.glucose"
    (end,) = watched(watch, [at(3600, {Vital.GLUCOSE: 240.0})])
    assert (end.phase, end.alert) == (Phase.END, start.alert)


def test_a_log_that_is_shown_twice_raises_nothing_new() -> None:
    watch = Watch("p-1")
    log = [*at_rest(400), *(at(s, ILL) for s in range(400, 500))]
    assert len(watched(watch, log)) >= 1
    state = watch.snapshot()
    assert not watched(watch, log)
    assert watch.snapshot() == state


def story(seed: int) -> list[tuple[str, Instant]]:
    """Tell of a patient with two devices who is well, falls ill, and gets better; some repeats."""
    random, told = Random(seed), []
    for n in range(900):
        values = healthy(random)
        if 400 <= n < 700:
            values |= {v: x for v, x in ILL.items() if random.random() < 0.8}
        told.append(("dev-1", at(n, values)))
        if n % 50 == 0:
            told += [("dev-2", at(n - 0.5, {Vital.GLUCOSE: random.uniform(80, 120)})), told[-1]]
        if n % 70 == 0:
            told.append(random.choice(told))
    return told


@pytest.mark.parametrize("seed", range(10))
def test_wherever_it_was_stored_the_same_log_gives_the_same_bytes(seed: int) -> None:
    random, settings = Random(seed), Patient("p-1", limits={Vital.HEART_RATE: Limit(high=120)})
    straight, stopped = Watch("p-1"), Watch("p-1")
    count = 0
    for device, instant in story(seed):
        if random.random() < 0.05:
            stopped = Watch.restore("p-1", stopped.snapshot())
        one = straight.observe(settings, device, instant)
        other = stopped.observe(settings, device, instant)
        assert msgspec.json.encode(one) == msgspec.json.encode(other)
        count += len(one.events)
    assert count >= 4
    assert straight.snapshot() == stopped.snapshot()


def test_a_state_does_not_grow_with_the_readings() -> None:
    watch, random, sizes = Watch("p-1"), Random(2), []
    for n in range(16_001):
        watch.observe(WARD, "dev-1", at(n, healthy(random)))
        if n in (8000, 16_000):
            sizes.append(len(watch.snapshot()))
    assert sizes[1] - sizes[0] <= 128


def test_a_state_is_small_even_with_every_alert_open() -> None:
    random, device = Random(2), "d" * 64  # the longest id there is
    watch, icu = Watch("p-1"), Patient("p-1", Profile.ICU)
    for n in range(1000):
        watch.observe(icu, device, at(n, healthy(random)))
    assert len(watch.snapshot()) <= 4096
    low = Patient("p-1", Profile.ICU, limits=dict.fromkeys(healthy(random), Limit(low=1e6)))
    events: list[AlertEvent] = []
    for n in range(1000, 1060):
        events += watch.observe(low, device, at(n, ILL)).events
    assert {e.finding.rule for e in events if e.phase is Phase.START} >= {
        "news2",
        *(f"limits.{vital}" for vital in healthy(random)),
    }
    assert len(watch.snapshot()) <= 8192


def test_a_state_of_another_version_is_unreadable() -> None:
    state = msgspec.msgpack.decode(Watch("p-1").snapshot())
    assert state[0] == 2
    with pytest.raises(StateUnreadable) as raised:
        Watch.restore("p-1", msgspec.msgpack.encode([3, *state[1:]]))
    assert not raised.value.retryable


# The layout of version 1: seen, NEWS2's inputs, what is usual, the last moment and its anomaly;
# then the rules' tracks and the open alerts.
_SECOND = START + timedelta(seconds=2)
_FIRST_VERSION = [
    1,
    [
        {"dev-1": {"heart_rate": _SECOND, "spo2": _SECOND}},
        {"heart_rate": [72.0, _SECOND, "dev-1"], "spo2": [85.0, _SECOND, "dev-1"]},
        {"heart_rate": [1.0, 72.0, 0.0, START, None, 0], "spo2": [1.0, 85.0, 0.0, START, None, 0]},
        _SECOND,
        None,
    ],
    [
        {"news2": [_SECOND, START]},
        {
            "news2": [
                START,
                1,
                "medium",
                [
                    "news2",
                    "physiological",
                    "medium",
                    "news2/1",
                    [["spo2", 85.0, _SECOND, "dev-1", 96.0, None, 3, None]],
                    3.0,
                    ["respiratory_rate", "temperature"],
                ],
                _SECOND,
                ["spo2"],
                START,
                None,
            ]
        },
    ],
]


def test_a_state_of_the_first_version_keeps_its_open_alert_and_what_was_seen() -> None:
    watch = Watch.restore("p-1", msgspec.msgpack.encode(_FIRST_VERSION))
    known = {Vital.SPO2: 85.0, Vital.HEART_RATE: 72.0}
    late = watch.observe(WARD, "dev-1", at(2, known))
    assert (late.assessment, late.events) == (None, ()), "it was seen before the upgrade"
    goes_on = watch.observe(WARD, "dev-1", at(10, known))
    assert not goes_on.events
    assert goes_on.assessment is not None
    assert goes_on.assessment.news2 == 3
    again = Watch.restore("p-1", watch.snapshot())
    well = {Vital.SPO2: 97.0, Vital.HEART_RATE: 72.0}
    (end,) = again.observe(WARD, "dev-1", at(60, well)).events
    assert (end.phase, end.started) == (Phase.END, START)


@given(st.binary(max_size=200))
def test_garbage_is_unreadable_and_no_other_error(state: bytes) -> None:
    with pytest.raises(StateUnreadable):
        Watch.restore("p-1", state)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_state_is_unreadable_or_a_state(place: int, byte: int) -> None:
    watch = Watch("p-1")
    watch.observe(WARD, "dev-1", at(0, ILL))
    state = bytearray(watch.snapshot())
    state[place % len(state)] = byte
    with suppress(StateUnreadable):
        Watch.restore("p-1", bytes(state))
