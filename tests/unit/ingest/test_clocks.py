"""A wrong clock is told from a slow journey, an outage, and one that is right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.clocks import MESSAGES, SECONDS, Clocks, WrongClock

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
STEP = 20.0


def send(clocks: Clocks, *delays: timedelta, began: float = 0.0) -> None:
    """Let a device send for long enough, with these delays in turn."""
    for number in range(int(SECONDS / STEP) + MESSAGES):
        moment = NOW + timedelta(seconds=STEP * number)
        clocks.saw("dev", moment - delays[number % len(delays)], moment, began + STEP * number)


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        pytest.param([timedelta(seconds=2)], [], id="an ordinary journey"),
        pytest.param([timedelta(hours=5)], [timedelta(hours=-5)], id="five hours behind"),
        pytest.param([timedelta(minutes=-8)], [timedelta(minutes=8)], id="eight minutes ahead"),
        pytest.param(
            [*[timedelta(hours=5)] * 9, timedelta(seconds=3)], [], id="old readings, and a new one"
        ),
        pytest.param(
            [timedelta(hours=5), timedelta(hours=5, seconds=9)],
            [timedelta(hours=-5)],
            id="the nearest one tells",
        ),
    ],
)
def test_a_clock_is_wrong_when_no_message_comes_near(
    delays: list[timedelta], expected: list[timedelta]
) -> None:
    clocks = Clocks()
    send(clocks, *delays)
    assert clocks.news() == [WrongClock("dev", ahead) for ahead in expected]
    assert clocks.wrong == len(expected)


def test_a_wrong_clock_is_told_once_and_forgotten_when_it_is_right() -> None:
    clocks = Clocks()
    send(clocks, timedelta(hours=5))
    assert len(clocks.news()) == 1
    send(clocks, timedelta(hours=5), began=10_000)
    assert clocks.news() == []
    send(clocks, timedelta(0), began=20_000)
    assert clocks.wrong == 0


def test_a_clock_so_wrong_that_nothing_passes_is_noticed_too() -> None:
    clocks = Clocks()
    for number in range(int(SECONDS / STEP) + MESSAGES):
        clocks.refused("dev", STEP * number)
    assert clocks.news() == [WrongClock("dev", None)]


def test_a_few_messages_are_no_judgement() -> None:
    clocks = Clocks()
    for number in range(1000):
        clocks.saw("dev", NOW - timedelta(hours=5), NOW, number / 1000)
    assert clocks.news() == []


def test_one_message_a_second_is_looked_at() -> None:
    clocks = Clocks()
    assert clocks.due("dev", 5.0)
    clocks.saw("dev", NOW, NOW, 5.0)
    assert not clocks.due("dev", 5.9)
    assert clocks.due("dev", 6.0)
