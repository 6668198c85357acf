"""The feed's clock, and who is asked when by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from streams.feed import ASK_EVERY_SECONDS, DEAD_AFTER_SECONDS, Asking, alive

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "counted"),
    [
        pytest.param(2.0, 2.0, id="a tick every two seconds"),
        pytest.param(DEAD_AFTER_SECONDS, DEAD_AFTER_SECONDS, id="a slow one"),
        pytest.param(DEAD_AFTER_SECONDS + 0.001, 0.0, id="the feed was dead"),
        pytest.param(86_400.0, 0.0, id="for a day"),
        pytest.param(0.0, 0.0, id="two gateways at one time"),
        pytest.param(-3.0, 0.0, id="a gateway whose clock lags behind"),
    ],
)
def test_time_counts_while_ticks_come(passed: float, counted: float) -> None:
    assert alive(100.0, NOON, NOON + timedelta(seconds=passed)) == 100.0 + counted


def test_the_first_tick_counts_for_nothing() -> None:
    assert alive(0.0, None, NOON) == 0.0


def taken(asking: Asking, until: float, fed: float = 0.0) -> list[tuple[float, str]]:
    """Take at every tick, and expect nothing more of who was asked."""
    found = []
    while fed < until:
        fed += 2
        for patient in list(asking.take(fed)):
            found.append((fed, patient))
            asking.expect(patient, None, fed)
    return found


def test_each_is_asked_at_the_first_tick_after_it_is_due_and_no_more() -> None:
    asking = Asking({"p-1": 31.0, "p-2": 10.0, "p-3": None}, 0.0)
    asking.expect("p-4", 20.0, 0.0)
    assert taken(asking, 4000) == [(10, "p-2"), (20, "p-4"), (32, "p-1")]


def test_who_was_heard_of_meanwhile_is_asked_later() -> None:
    asking = Asking({"p-1": 30.0}, 0.0)
    asking.expect("p-1", 50.0, 20.0)
    assert taken(asking, 100) == [(50, "p-1")]


def test_who_is_due_earlier_now_is_asked_earlier_and_once() -> None:
    asking = Asking({"p-1": 300.0}, 0.0)
    asking.expect("p-1", 50.0, 20.0)
    assert taken(asking, 400) == [(50, "p-1")]


def test_who_is_forgotten_is_not_asked() -> None:
    asking = Asking({"p-1": 30.0}, 0.0)
    asking.forget("p-1")
    assert not taken(asking, 10_000)


def test_what_is_due_far_away_or_was_asked_already_is_asked_once_an_hour() -> None:
    for due in (1e6, 0.0):
        asking, asked, fed = Asking({"p-1": due}, 0.0), [], 0.0
        while fed < 3 * ASK_EVERY_SECONDS:
            fed += 2
            for patient in list(asking.take(fed)):
                asked.append(fed)
                asking.expect(patient, due, fed)
        assert len(asked) == 3
        assert {b - a for a, b in pairwise(asked)} == {ASK_EVERY_SECONDS}


def test_patients_are_not_all_asked_at_once() -> None:
    asking = Asking({f"p-{n}": 1e6 for n in range(500)}, 0.0)
    times = [fed for fed, _ in taken(asking, ASK_EVERY_SECONDS)]
    assert len(times) == 500
    assert len(set(times)) > 400


@pytest.mark.parametrize("seed", range(5))
def test_a_new_start_anywhere_asks_at_the_same_ticks(seed: int) -> None:
    random = Random(seed)
    dues: dict[str, float | None] = {f"p-{n}": random.uniform(0, 9000) for n in range(20)}
    straight, again = Asking(dues, 0.0), Asking(dues, 0.0)
    fed, asked = 0.0, 0
    while fed < 20_000:
        fed += 2
        one, other = sorted(straight.take(fed)), sorted(again.take(fed))
        assert one == other
        heard = random.sample(sorted(dues), 1) if random.random() < 0.05 else []
        for patient in {*one, *heard}:
            dues[patient] = random.choice([None, fed + random.uniform(-500, 9000)])
            straight.expect(patient, dues[patient], fed)
            again.expect(patient, dues[patient], fed)
        asked += len(one)
        if random.random() < 0.01:
            again = Asking(dues, fed)
    assert asked > 20
