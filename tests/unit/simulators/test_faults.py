"""Each fault does what its name says, and nothing else."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from simulators.faults import AHEAD_SECONDS, FAULTS, FROM_LIGHT, LATE_SECONDS, Fault
from simulators.series import Sample

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
VALUES = {
    "heart_rate": 70,
    "pulse_rate": 70,
    "spo2": 97,
    "temperature": 36.8,
    "systolic": 120,
    "diastolic": 75,
}
GOOD = [
    Sample(START + timedelta(seconds=n), START + timedelta(seconds=n), VALUES) for n in range(7200)
]


def faulty(fault: Fault, seed: int = 1) -> list[Sample]:
    return list(FAULTS[fault](GOOD, random.Random(seed)))


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_the_same_for_the_same_seed(fault: Fault) -> None:
    assert faulty(fault) == faulty(fault)


def test_every_fault_is_there() -> None:
    assert set(FAULTS) == set(Fault)


def test_motion_moves_the_pulse_of_the_finger_alone() -> None:
    moved = [s for s in faulty(Fault.MOTION) if s.values != VALUES]
    assert 20 < len(moved) < 300
    for sample in moved:
        assert sample.values["heart_rate"] == 70
        assert not 56 < float(str(sample.values["pulse_rate"])) < 91
        assert sample.values["spo2"] in {95, 96, 97}


def test_a_lost_sensor_takes_its_vitals_away_for_a_while() -> None:
    found = faulty(Fault.SENSOR_OFF)
    bare = [s for s in found if "spo2" not in s.values]
    assert len(found) == len(GOOD)
    assert len(bare) >= 20
    assert all(not s.values.keys() & set(FROM_LIGHT) for s in bare)
    assert all("heart_rate" in s.values for s in bare)


def test_duplicates_are_the_same_instant_again() -> None:
    found = faulty(Fault.DUPLICATES)
    assert len(GOOD) < len(found) < 1.1 * len(GOOD)
    assert list(dict.fromkeys(s.time for s in found)) == [s.time for s in GOOD]


def test_disorder_sends_some_late_and_loses_none() -> None:
    found = faulty(Fault.DISORDER)
    assert sorted(s.time for s in found) == [s.time for s in GOOD]
    assert [s.time for s in found] != [s.time for s in GOOD]
    assert [s.due for s in found] == sorted(s.due for s in found)
    assert {(s.due - s.time).total_seconds() for s in found} == {0, LATE_SECONDS}


def test_other_units_say_the_same() -> None:
    seeds = [seed for seed in range(20) if faulty(Fault.UNITS, seed)[0].values != VALUES]
    assert 4 < len(seeds) < 16
    values = faulty(Fault.UNITS, seeds[0])[0].values
    assert values["temperature"] == {"value": 98.2, "unit": "[degF]"}
    assert values["systolic"] == {"value": 16.0, "unit": "kPa"}
    assert values["heart_rate"] == 70


def test_a_clock_ahead_changes_the_time_and_not_the_sending() -> None:
    found = faulty(Fault.CLOCK_AHEAD)
    assert [s.due for s in found] == [s.due for s in GOOD]
    assert {(s.time - s.due).total_seconds() for s in found} == {AHEAD_SECONDS}
