"""The player: what is due when, the window, and when a run ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from simulators.pending import Pending, Tally
from simulators.play import Feed, Pace, Player
from simulators.series import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulators.series import Value

START = datetime(2026, 11, 24, 3, tzinfo=UTC)


def samples(number: int | None) -> Iterator[Sample]:
    """One sample a second from START on."""
    for n in count() if number is None else range(number):
        moment = START + timedelta(seconds=n)
        yield Sample(moment, moment, {"heart_rate": 60 + n % 10})


class Answering:
    """A device beside its gateway: each message has its receipt when it is next pumped."""

    def __init__(self, *, silent: bool = False, window: int = 200) -> None:
        self.pending = Pending(first_seq=1, window=window)
        self.sent: list[list[dict[str, Value]]] = []
        self.most_waiting = 0
        self.closed = False
        self.on_receipt: Callable[[], object] = lambda: None
        self._silent = silent

    def send(self, readings: Sequence[dict[str, Value]]) -> None:
        self.sent.append(list(readings))
        self.pending.add(readings, now=0)
        self.most_waiting = max(self.most_waiting, len(self.pending))

    def pump(self) -> None:
        self.pending.due(now=0)
        if not self._silent:
            self.pending.receipt(json.dumps({"safe": [[1, 10**9]]}).encode())
            self.on_receipt()

    def close(self) -> None:
        self.closed = True


def player(devices: dict[str, Answering], *, patience: float | None = 30) -> Player:
    def connect(name: str, on_receipt: Callable[[], object]) -> Answering:
        devices[name].on_receipt = on_receipt
        return devices[name]

    return Player(connect, connections=2, patience_seconds=patience)


def quiet(_tally: Tally) -> None:
    """Show nothing."""


def test_a_feed_gives_what_is_due_and_no_more() -> None:
    feed = Feed("d", samples(None))
    assert feed.take(START - timedelta(seconds=1)) == []
    assert [s.time.second for s in feed.take(START + timedelta(seconds=2))] == [0, 1, 2]
    assert feed.take(START + timedelta(seconds=2)) == []
    assert not feed.ended


def test_a_message_holds_a_bounded_number_of_instants() -> None:
    feed = Feed("d", samples(100), per_message=60)
    later = START + timedelta(hours=1)
    assert [len(feed.take(later)) for _ in range(3)] == [60, 40, 0]
    assert feed.ended


def test_at_sixty_times_a_minute_passes_in_a_second() -> None:
    wall = datetime(2026, 11, 24, 9, tzinfo=UTC)
    pace = Pace(wall, START, 60)
    assert pace.until(wall + timedelta(seconds=1)) == START + timedelta(minutes=1)


def test_at_full_speed_all_is_played_and_every_device_is_closed() -> None:
    devices = {name: Answering() for name in "abcde"}
    outcome = player(devices).run(
        [Feed(name, samples(150)) for name in devices], Pace(START, START, None), quiet
    )
    assert outcome.whole
    assert outcome.tally.sent == outcome.tally.safe == 5 * 3
    assert outcome.tally.instants == 5 * 150
    assert all(device.closed for device in devices.values())


def test_receipts_set_the_pace_within_the_window() -> None:
    device = Answering(window=4)
    outcome = player({"a": device}).run(
        [Feed("a", samples(100), per_message=1)], Pace(START, START, None), quiet
    )
    assert outcome.tally.safe == 100
    assert device.most_waiting == 4


def test_a_device_without_receipts_is_given_up_and_accounted_for() -> None:
    devices = {"a": Answering(silent=True, window=2), "b": Answering()}
    outcome = player(devices, patience=0.3).run(
        [Feed("a", samples(600)), Feed("b", samples(60))], Pace(START, START, None), quiet
    )
    assert not outcome.whole
    assert (outcome.unsettled, outcome.unplayed, outcome.tally.safe) == (2, 1, 1)


def test_an_endless_run_ends_with_its_account_when_it_is_stopped() -> None:
    now = datetime.now(UTC)
    device = Answering()
    playing = player({"a": device}, patience=None)

    def stop_after_some(tally: Tally) -> None:
        if tally.safe:
            playing.stop()

    outcome = playing.run([Feed("a", samples(None))], Pace(now, START, 3600), stop_after_some)
    assert outcome.whole
    assert outcome.tally.safe == outcome.tally.sent > 0
