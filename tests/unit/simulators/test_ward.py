"""The simulated ward: the same for the same seed, well when it is well, ill as the truth says."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from statistics import mean, stdev

import pytest

from ingest.ports import SettingError
from ingest.readings import Range, Vital
from simulators.scenarios import SCENARIOS, scenario
from simulators.series import bed
from simulators.ward import EVERYDAY, Stay, beds, truths

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
# NEWS2 points of a value that lies above each lower bound (Royal College of Physicians, 2017).
NEWS2 = {
    Vital.RESPIRATORY_RATE: ((0, 3), (8.5, 1), (11.5, 0), (20.5, 2), (24.5, 3)),
    Vital.SPO2: ((0, 3), (91.5, 2), (93.5, 1), (95.5, 0)),
    Vital.SYSTOLIC: ((0, 3), (90.5, 2), (100.5, 1), (110.5, 0), (219.5, 3)),
    Vital.HEART_RATE: ((0, 3), (40.5, 1), (50.5, 0), (90.5, 1), (110.5, 2), (130.5, 3)),
    Vital.TEMPERATURE: ((0, 3), (35.05, 1), (36.05, 0), (38.05, 1), (39.05, 2)),
}


def points(values: dict[Vital, float]) -> int:
    """NEWS2 of the vitals that are known."""
    return sum(
        [score for low, score in NEWS2[vital] if value > low][-1]
        for vital, value in values.items()
        if vital in NEWS2
    )


def stay(name: str = "healthy", **given: object) -> Stay:
    course = scenario(name)
    settings: dict[str, object] = {"seed": 1, "seconds": 600.0, "course": course, **given}
    patient = bed("sim-1-000", 0, profile=course.profile)
    return Stay(patient, start=START, **settings)  # type: ignore[arg-type]  # a test's own short form


def scores(of: Stay) -> list[tuple[datetime, int]]:
    """NEWS2 at each instant, with the last known value of each vital."""
    known: dict[Vital, float] = {}
    found = []
    for sample in of.samples():
        known |= {Vital(n): v for n, v in sample.values.items() if isinstance(v, int | float)}
        found.append((sample.time, points(known)))
    return found


def as_bytes(of: Stay) -> bytes:
    return "\n".join(json.dumps(sample.instant()) for sample in of.samples()).encode()


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (as_bytes(stay("sepsis", faults=EVERYDAY)) for _ in range(2))
    assert first == second


def test_another_seed_gives_other_patients() -> None:
    assert as_bytes(stay(seed=1)) != as_bytes(stay(seed=2))


def test_patients_of_one_ward_differ() -> None:
    means = []
    for patient, course in beds(seed=1, patients=8, course=SCENARIOS["healthy"], ill=0):
        values = [
            s.values["heart_rate"] for s in Stay(patient, 1, START, course, seconds=60).samples()
        ]
        means.append(mean(v for v in values if isinstance(v, int | float)))
    assert stdev(means) > 2


@pytest.mark.parametrize("hour", [3, 9, 15, 21])
@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_patient_stays_within_two_points_of_news2_at_any_hour(
    seed: int, hour: int
) -> None:
    healthy = Stay(
        bed("sim-1-000", 0, profile="ward"),
        seed,
        START.replace(hour=hour),
        seconds=1800,
        faults=EVERYDAY[:4],  # other units are not for this test's ruler
    )
    found = [score for _, score in scores(healthy)]
    assert max(found) <= 2
    assert mean(found) < 0.2


def test_vitals_follow_each_other_and_remember_where_they_were() -> None:
    values = [s.values for s in stay(seconds=3600.0).samples()]
    rates = [v["heart_rate"] for v in values]
    pulses = [v["pulse_rate"] for v in values]
    numbers = [r for r in rates if isinstance(r, int | float)]
    steps = [abs(b - a) for a, b in pairwise(numbers)]
    assert stdev(numbers) > 1.5
    assert mean(steps) < stdev(numbers)
    assert all(abs(float(str(r)) - float(str(p))) <= 4 for r, p in zip(rates, pulses, strict=True))


def test_hypoxaemia_is_a_step_of_spo2_alone() -> None:
    ill, onset = stay("hypoxaemia", onset_seconds=300.0), START + timedelta(seconds=300)
    before, after = Range(95, 100), Range(87, 91)
    others: defaultdict[str, list[float]] = defaultdict(list)
    for sample in ill.samples():
        for name, value in sample.values.items():
            if name == "spo2":
                assert value in (before if sample.time < onset else after)
            elif isinstance(value, int | float) and name in NEWS2:
                others[name].append(value)
    assert {n: points({Vital(n): mean(v)}) for n, v in others.items()} == dict.fromkeys(others, 0)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        pytest.param("healthy", 0, 2, id="healthy: nothing"),
        pytest.param("hypoxaemia", 3, 4, id="hypoxaemia: one red vital"),
        pytest.param("bradycardia", 3, 4, id="bradycardia: one red vital"),
        pytest.param("sepsis", 7, 12, id="sepsis: emergency"),
        pytest.param("haemorrhage", 7, 12, id="haemorrhage: emergency"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_each_course_reaches_the_points_of_its_truth(
    name: str, least: int, most: int, seed: int
) -> None:
    ill = stay(name, seed=seed, onset_seconds=60.0, seconds=700.0)
    found = scores(ill)
    well = [score for time, score in found if time < ill.truth.onset]
    noticed = [score for time, score in found if time >= ill.truth.noticed_by][-60:]
    assert max(well) <= 2
    assert least <= mean(noticed) <= most


def test_heart_failure_tells_a_gain_of_weight_in_daily_weighings() -> None:
    ill = stay("heart-failure", seconds=60.0)
    weights = [
        (sample.time, float(str(sample.values["weight"])))
        for sample in ill.samples()
        if "weight" in sample.values
    ]
    assert len(weights) == 11
    assert {later - earlier for (earlier, _), (later, _) in pairwise(weights)} == {
        timedelta(days=1)
    }
    steady = [kg for time, kg in weights if time <= ill.truth.onset]
    assert len(set(steady)) == 1
    assert weights[-1][1] - steady[0] == pytest.approx(3.2)
    assert ill.truth.onset == START - timedelta(days=4)


def test_the_truth_names_those_who_get_worse() -> None:
    people = beds(seed=7, patients=5, course=scenario("sepsis"), ill=2)
    stays = [Stay(b, 7, START, course, onset_seconds=60) for b, course in people]
    told = truths(stays)
    assert [truth.bed.patient for truth in told] == ["sim-7-000", "sim-7-001"]
    assert told[0].row() == {
        "patient": "sim-7-000",
        "device": "sim-7-000-monitor",
        "physician": "service-1@hopital.mssante.example",
        "ens": "idpe-sim-7-000",
        "scenario": "sepsis",
        "onset": "2026-11-24T03:01:00.000Z",
        "noticed_by": "2026-11-24T03:09:00.000Z",
        "priority": "high",
        "vitals": ["heart_rate", "respiratory_rate", "temperature", "systolic", "diastolic"],
    }


def test_half_of_the_ward_has_an_e_health_space() -> None:
    people = beds(seed=1, patients=20, course=scenario("healthy"), ill=0)
    assert sum(b.ens is not None for b, _ in people) == 10


def test_more_ill_than_there_are_is_said() -> None:
    with pytest.raises(SettingError, match="3 of 2"):
        beds(seed=1, patients=2, course=scenario("sepsis"), ill=3)


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"no scenario `plague`; there are: healthy, hypox"):
        scenario("plague")


def test_an_endless_stay_is_read_as_far_as_it_is_asked_for() -> None:
    samples = list(islice(stay(seconds=None).samples(), 90))
    assert len(samples) == 90
    assert samples[-1].time - samples[0].time == timedelta(seconds=89)


def test_slow_vitals_come_at_once_and_then_once_a_minute() -> None:
    samples = list(stay(seconds=181.0).samples())
    assert [n for n, s in enumerate(samples) if "systolic" in s.values] == [0, 60, 120, 180]
    assert [n for n, s in enumerate(samples) if "consciousness" in s.values] == [0]
