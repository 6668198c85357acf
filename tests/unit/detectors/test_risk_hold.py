"""When a raised risk is told: on a monitor once it has lasted, of hourly charts at once."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from detectors.risk import Risk
from detectors.risk.detector import State
from detectors.risk.options import Options
from tests.unit.detectors.at_risk import ILL, WELL, look, moment, told
from tests.unit.detectors.plain import START

RULE = "risk.deterioration"


def called(detector: Risk, told_at: list[tuple[float, dict[str, float]]]) -> list[float]:
    """Say at which minutes a human is called."""
    found = []
    for minute, values in told_at:
        one = look(detector, moment(START + timedelta(minutes=minute), values))[RULE]
        assert 0 <= one.value <= 1
        if one.finding is not None:
            found.append(minute)
    return found


def minutes(
    first: int, last: int, values: dict[str, float]
) -> list[tuple[float, dict[str, float]]]:
    return [(float(minute), values) for minute in range(first, last)]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param(minutes(0, 30, ILL), list(range(15, 30)), id="a monitor: after 15 minutes"),
        pytest.param(
            [*minutes(0, 60, WELL), *minutes(60, 62, ILL), *minutes(62, 100, WELL)],
            [],
            id="a monitor: not if it passes",
        ),
        pytest.param([(0.0, WELL), (60.0, ILL), (120.0, ILL)], [60, 120], id="hourly: at once"),
        pytest.param(
            [(0.0, ILL), (60.0, ILL)], [60], id="the first of all may be a monitor's: it waits"
        ),
    ],
)
def test_a_raised_risk_is_told(
    shown: list[tuple[float, dict[str, float]]], expected: list[float]
) -> None:
    assert called(Risk(Options(hold_minutes=15)), shown) == expected


def test_without_a_hold_it_is_told_at_once() -> None:
    assert called(Risk(Options()), [(0.0, ILL)]) == [0]


def test_being_held_survives_a_restart() -> None:
    detector = Risk(Options(hold_minutes=15))
    assert not called(detector, minutes(0, 10, ILL))
    again = Risk(Options(hold_minutes=15), msgspec.msgpack.decode(told(detector), type=State))
    assert called(again, minutes(10, 20, ILL)) == called(detector, minutes(10, 20, ILL))
    assert called(again, [(20.0, ILL)]) == [20]
