"""The circuit breaker: a fault of ours stops the gateway, devices going wrong do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.breaker import LONGEST_PAUSE_SECONDS, Breaker, State, bad
from ingest.codec import Refused
from ingest.door import Passed
from ingest.readings import Instant, Refusal, Vital
from tests.unit.ingest.rim import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable


def ward(size: int) -> list[str]:
    return [f"dev-{number}" for number in range(size)]


def play(
    breaker: Breaker, devices: Iterable[str], wrong: Iterable[str], *, begin: float, end: float
) -> float | None:
    """Let each device send four times a second; returns when the breaker opened."""
    refused = set(wrong)
    for step in range(round(4 * (end - begin))):
        now = begin + step / 4
        for device in devices:
            breaker.seen(now, device, bad=device in refused)
            if not breaker.taking:
                return now
    return None


def opened(size: int = 20) -> Breaker:
    """Give a breaker that opened at 0 s."""
    breaker = Breaker()
    for number in range(400):
        breaker.seen(0.0, f"dev-{number % size}", bad=True)
    assert not breaker.taking
    return breaker


def test_a_deploy_that_refuses_everything_opens_it_within_a_window() -> None:
    breaker = Breaker()
    assert play(breaker, ward(30), [], begin=0, end=60) is None
    moment = play(breaker, ward(30), ward(30), begin=60, end=120)
    assert moment is not None
    assert moment < 71


def test_a_gateway_that_starts_with_the_fault_in_it_opens_too() -> None:
    moment = play(Breaker(), ward(30), ward(30), begin=1000, end=1010)
    assert moment is not None
    assert moment < 1003


@pytest.mark.parametrize(
    ("size", "wrong"),
    [
        pytest.param(100, 1, id="one of a hundred"),
        pytest.param(100, 90, id="nine tenths: the others must go on"),
        pytest.param(4, 4, id="all of four: too few to tell"),
        pytest.param(1, 1, id="the only one"),
    ],
)
def test_it_stays_closed_when(size: int, wrong: int) -> None:
    devices = ward(size)
    assert play(Breaker(), devices, devices[:wrong], begin=0, end=60) is None


def test_devices_that_flood_with_nonsense_do_not_stop_a_ward() -> None:
    breaker = Breaker()
    for step in range(60):
        for device in ward(20):
            breaker.seen(step, device, bad=False)
        for number in range(3000):
            breaker.seen(step, f"flood-{number % 6}", bad=True)
        assert breaker.taking


@settings(deadline=None, max_examples=50)
@given(
    size=st.integers(5, 40),
    spacing=st.floats(3.0, 15.0),
    well=st.integers(0, 2),
)
def test_devices_that_go_wrong_one_by_one_never_open_it(
    size: int, spacing: float, well: int
) -> None:
    breaker, devices = Breaker(), ward(size + well)
    # All are well at first; in the end only `well` of them are.
    assert play(breaker, devices, [], begin=0, end=2) is None
    for count in range(1, size + 1):
        begin = 2 + (count - 1) * spacing
        at = play(breaker, devices, devices[:count], begin=begin, end=begin + spacing)
        assert at is None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.sampled_from(ward(12)), st.booleans()),
        max_size=600,
    ),
    st.sets(st.integers(0, 600)),
)
def test_whatever_comes_it_is_open_only_with_enough_to_judge_by(
    messages: list[tuple[float, str, bool]], commands: set[int]
) -> None:
    breaker, now = Breaker(), 0.0
    refused = 0
    for place, (after, device, wrong) in enumerate(messages):
        now += after
        before = breaker.state
        moved = breaker.seen(now, device, bad=wrong)
        assert moved == (breaker.state is not before)
        refused += wrong
        if before is State.CLOSED and moved:
            assert wrong
            assert place + 1 >= 200
            assert refused >= 0.95 * 200
        before = breaker.state
        assert breaker.probe_due(now) == (breaker.state is not before)
        if place in commands:
            breaker.resume()
            assert breaker.state is State.CLOSED
        assert breaker.taking == (breaker.state is not State.OPEN)
        assert (breaker.trouble is None) == (breaker.state is State.CLOSED)


def test_probes_come_after_10_20_40_seconds_and_at_most_every_5_minutes() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(8):
        began = now
        while not breaker.probe_due(now):
            now += 1
        pauses.append(now - began)
        for number in range(50):
            breaker.seen(now, f"dev-{number % 20}", bad=True)
        assert not breaker.taking
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]
    assert max(pauses) == LONGEST_PAUSE_SECONDS


def test_it_closes_when_most_devices_of_a_probe_pass_and_begins_anew_with_ten_seconds() -> None:
    breaker = opened()
    assert breaker.probe_due(10)
    for number in range(50):
        breaker.seen(10, f"dev-{number % 20}", bad=number % 20 < 8)
    assert breaker.state is State.CLOSED
    for number in range(400):
        breaker.seen(30, f"new-{number % 20}", bad=True)
    assert not breaker.taking
    assert breaker.probe_due(40)


def test_one_device_cannot_spoil_a_probe_nor_make_one() -> None:
    breaker = opened()
    assert breaker.probe_due(10)
    for _ in range(10_000):
        breaker.seen(10, "dev-0", bad=True)
    assert breaker.trouble is not None
    for number in range(50):
        breaker.seen(10, f"dev-{1 + number % 10}", bad=False)
    assert breaker.trouble is None


def test_what_was_on_its_way_when_it_opened_changes_nothing() -> None:
    breaker = opened()
    assert not any(breaker.seen(1, "dev-1", bad=False) for _ in range(1000))
    assert breaker.state is State.OPEN


def test_a_command_closes_it_and_the_same_devices_do_not_open_it_again() -> None:
    breaker = opened()
    assert breaker.resume()
    assert not breaker.resume()
    assert play(breaker, ward(20), ward(20), begin=1, end=100) is None
    # But what was well until now, and then is refused, does.
    assert play(breaker, ward(40), [], begin=100, end=120) is None
    assert play(breaker, ward(40), ward(40), begin=120, end=140) is not None


def passed(*reasons: Refusal, live: bool = False) -> Passed:
    heaps = {"p-1": [Instant(NOW, {Vital.SPO2: 97.0})]} if live else {}
    return Passed("dev-1", live=heaps, refused=[Refused(reason) for reason in reasons])


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(passed(live=True), False, id="all of it passed"),
        pytest.param(passed(Refusal.OUT_OF_RANGE, live=True), False, id="part of it passed"),
        pytest.param(passed(), False, id="an empty message of a format that allows it"),
        pytest.param(passed(Refusal.ABSENT), False, id="the device has no value"),
        pytest.param(passed(Refusal.NO_CONSENT), False, id="the patient does not agree"),
        pytest.param(passed(Refusal.DEVICE_REVOKED), False, id="the site revoked the device"),
        pytest.param(passed(Refusal.NOT_JSON), True, id="unreadable"),
        pytest.param(passed(Refusal.UNKNOWN_DEVICE), True, id="perhaps the registry is empty"),
        pytest.param(passed(Refusal.TIME_TOO_OLD), True, id="perhaps our clock is wrong"),
        pytest.param(passed(Refusal.ABSENT, Refusal.UNDECODABLE), True, id="one reason is enough"),
    ],
)
def test_what_counts_as_a_sign_of_a_fault_of_ours(outcome: Passed, *, expected: bool) -> None:
    assert bad(outcome) is expected
