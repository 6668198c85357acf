"""When a human is called on a monitor: once it has lasted."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from detectors.news2 import News2Detector, Options
from ingest.readings import Vital
from tests.unit.detectors.news2s import NOON, found, made, shown

FINE, ILL = 96.0, 91.0
HELD = 30


def called(
    told: list[tuple[float, float]], hold: float = HELD, opened: frozenset[str] = frozenset()
) -> list[float]:
    """Say at which seconds a human is called, of (second, saturation)."""
    detector = made(hold_seconds=hold)
    seconds = []
    for second, value in told:
        time = NOON + timedelta(seconds=second)
        one = shown(detector, {Vital.SPO2: value}, time, opened=opened)
        assert one is not None
        assert (one.since is not None) is (value == ILL), "it is scored, held or not"
        if one.finding is not None:
            seconds.append(second)
    return seconds


def every_second(first: int, last: int, value: float) -> list[tuple[float, float]]:
    return [(float(second), value) for second in range(first, last)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            [*every_second(0, 10, FINE), *every_second(10, 43, ILL)],
            [40.0, 41.0, 42.0],
            id="a monitor: once it has lasted",
        ),
        pytest.param(
            [*every_second(0, 10, FINE), *every_second(10, 39, ILL), *every_second(39, 50, FINE)],
            [],
            id="a cough: not at all",
        ),
        pytest.param(
            [
                *every_second(0, 10, FINE),
                *every_second(10, 39, ILL),
                (39.0, FINE),
                *every_second(40, 72, ILL),
            ],
            [70.0, 71.0],
            id="a dip below begins it anew",
        ),
        pytest.param(
            [(0.0, FINE), (HELD + 60.0, ILL), (2 * HELD + 120.0, ILL)],
            [90.0, 180.0],
            id="a nurse's rounds: at once",
        ),
        pytest.param(
            [(0.0, ILL), (1.0, ILL), (2.0, ILL), (30.0, ILL)],
            [0.0, 30.0],
            id="the very first: at once, for more may not come",
        ),
        pytest.param(
            [(0.0, FINE), (60.0, ILL), (120.0, ILL)],
            [120.0],
            id="once a minute is still a monitor",
        ),
    ],
)
def test_where_values_come_often_a_human_is_called_once_it_has_lasted(
    told: list[tuple[float, float]], expected: list[float]
) -> None:
    assert called(told) == expected
    assert called(told, 0) == [second for second, value in told if value == ILL]


def test_an_open_alert_goes_on_and_escalates_without_being_held() -> None:
    told = [*every_second(0, 10, FINE), *every_second(10, 13, ILL)]
    assert called(told, opened=frozenset({"news2"})) == [10.0, 11.0, 12.0]


def test_a_device_whose_clock_is_behind_is_held_no_longer_for_that() -> None:
    detector = made(hold_seconds=HELD)
    shown(detector, {Vital.HEART_RATE: 70.0}, NOON)
    finding = []
    for second in range(1, 40):
        time = NOON + timedelta(seconds=second)
        shown(detector, {Vital.HEART_RATE: 70.0}, time)
        one = shown(detector, {Vital.SPO2: ILL}, time - timedelta(seconds=50), device="behind")
        finding.append(one is not None and one.finding is not None)
    assert finding[-1]
    assert True in finding[:HELD]


def test_being_held_survives_a_restart() -> None:
    detector = made(hold_seconds=HELD)
    for second in range(40):
        value = FINE if second < 10 else ILL
        time = NOON + timedelta(seconds=second)
        one = shown(detector, {Vital.SPO2: value}, time)
        assert one is not None
        assert one.finding is None
        state = msgspec.msgpack.encode(detector.snapshot())
        again = msgspec.msgpack.decode(state, type=News2Detector.state_type)
        detector = News2Detector(Options(hold_seconds=HELD), again)
    finding = found(shown(detector, {Vital.SPO2: ILL}, NOON + timedelta(seconds=40)))
    assert finding.since == NOON + timedelta(seconds=10)
