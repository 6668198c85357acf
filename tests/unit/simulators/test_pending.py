"""What a device must not forget."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from simulators.pending import Pending

if TYPE_CHECKING:
    from simulators.series import Value

INSTANT: dict[str, Value] = {"time": "2026-11-24T03:00:00Z", "spo2": 97}


def receipt(*safe: tuple[int, int], refused: list[dict[str, object]] | None = None) -> bytes:
    return json.dumps({"safe": safe, "refused": refused or []}).encode()


def sent(first_seq: int = 1, messages: int = 3) -> Pending:
    """Make a device that has sent its messages at 0 s."""
    pending = Pending(first_seq)
    for _ in range(messages):
        pending.add([INSTANT], now=0)
    pending.due(now=0)
    return pending


def test_numbers_are_new_for_each_message_and_rise() -> None:
    pending = Pending(first_seq=1042)
    assert [pending.add([INSTANT], now=0) for _ in range(3)] == [1042, 1043, 1044]


def test_a_message_is_what_the_contract_says() -> None:
    pending = Pending(first_seq=1042)
    pending.add([INSTANT, INSTANT], now=0)
    (payload,) = pending.due(now=0)
    assert json.loads(payload) == {"seq": 1042, "readings": [INSTANT, INSTANT]}


def test_without_a_receipt_the_same_bytes_are_sent_again_after_5_10_20_40_60_60_seconds() -> None:
    pending = Pending(first_seq=1)
    pending.add([INSTANT], now=0)
    (first,) = pending.due(now=0)
    times = []
    for second in range(1, 200):
        for payload in pending.due(now=second):
            assert payload == first
            times.append(second)
    assert times == [5, 15, 35, 75, 135, 195]
    assert (pending.tally.sent, pending.tally.repeated) == (1, 6)


@pytest.mark.parametrize(
    ("ranges", "left"),
    [
        pytest.param([(1, 3)], 0, id="a range names all in it"),
        pytest.param([(1, 1), (3, 3)], 1, id="receipts are selective, not cumulative"),
        pytest.param([(2, 2)], 2, id="a later message does not settle an earlier one"),
        pytest.param([(7, 9)], 3, id="a number that was never used settles nothing"),
        pytest.param([(1, 10**18)], 0, id="a huge range is cheap"),
        pytest.param([], 3, id="an empty receipt settles nothing"),
    ],
)
def test_a_receipt_settles_what_it_names(ranges: list[tuple[int, int]], left: int) -> None:
    pending = sent(messages=3)
    assert pending.receipt(receipt(*ranges)) == 3 - left
    assert len(pending) == left
    assert pending.tally.safe == pending.tally.instants == 3 - left


def test_what_is_settled_is_not_sent_again() -> None:
    pending = sent(messages=2)
    pending.receipt(receipt((1, 1)))
    assert len(pending.due(now=1000)) == 1


def test_a_refused_reading_is_counted_once_however_often_it_is_told() -> None:
    pending = sent(messages=1)
    refused: list[dict[str, object]] = [
        {"seq": 1, "at": "readings[0].spo2", "reason": "out-of-range"}
    ]
    pending.receipt(receipt(refused=refused))
    pending.receipt(receipt((1, 1), refused=refused))
    pending.receipt(receipt((1, 1), refused=refused))
    assert pending.tally.refused == {"out-of-range": 1}
    assert pending.settled


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{", b"[]", b'{"safe": [[1]]}', b'{"safe": 1}'])
def test_bytes_that_are_no_receipt_settle_nothing(payload: bytes) -> None:
    pending = sent(messages=1)
    assert pending.receipt(payload) == 0
    assert not pending.settled


def test_after_a_reconnection_everything_unsettled_is_due_at_once() -> None:
    pending = sent(messages=3)
    pending.receipt(receipt((2, 2)))
    assert pending.due(now=1) == []
    pending.hurry(now=1)
    assert len(pending.due(now=1)) == 2


def test_the_window_bounds_what_waits_for_receipts() -> None:
    pending = Pending(first_seq=1, window=2)
    room = []
    for _ in range(2):
        pending.add([INSTANT], now=0)
        room.append(pending.room)
    pending.receipt(receipt((1, 1)))
    room.append(pending.room)
    assert room == [True, False, True]
