"""What a device hears: each safe message once, each refusal with its place."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.codec import Refused
from ingest.readings import Refusal
from ingest.receipts import NAMES, REFUSALS, Receipts, ranges


@given(st.lists(st.integers(1, 60)))
def test_ranges_name_exactly_the_numbers_and_never_touch(numbers: list[int]) -> None:
    found = ranges(numbers)
    assert {n for first, last in found for n in range(first, last + 1)} == set(numbers)
    assert all(after[0] > before[1] + 1 for before, after in itertools.pairwise(found))


class Told:
    """Keeps what would have been published."""

    def __init__(self) -> None:
        self.receipts: list[tuple[str, dict[str, Any]]] = []
        self.to = Receipts(self.publish)

    def publish(self, topic: str, payload: bytes) -> None:
        self.receipts.append((topic, json.loads(payload)))


async def test_messages_of_a_device_share_a_receipt() -> None:
    told = Told()
    for seq in (1038, 1040, 1039):
        told.to.add("dev-1", seq, [])
    told.to.add("dev-2", 5, [Refused(Refusal.OUT_OF_RANGE, "readings[0].spo2")])
    told.to.send()
    told.to.send()
    assert told.receipts == [
        ("vigie/v1/dev-1/receipts", {"safe": [[1038, 1040]]}),
        (
            "vigie/v1/dev-2/receipts",
            {
                "safe": [[5, 5]],
                "refused": [{"seq": 5, "at": "readings[0].spo2", "reason": "out-of-range"}],
            },
        ),
    ]


async def test_no_receipt_waits_longer_than_a_quarter_of_a_second_whatever_comes_meanwhile() -> (
    None
):
    told, loop = Told(), asyncio.get_running_loop()
    before = loop.time()
    told.to.add("dev-1", 1, [])
    timer = told.to._timer
    assert timer is not None
    assert timer.when() <= before + 0.25
    told.to.add("dev-1", 2, [])
    assert told.to._timer is timer, "what comes later puts nothing off"
    told.to.send()


async def test_many_refusals_are_told_before_their_message_is_called_safe() -> None:
    told = Told()
    told.to.add("dev-1", 1, [Refused(Refusal.NULL, f"readings[{n}].spo2") for n in range(1200)])
    told.to.send()
    assert [receipt["safe"] for _, receipt in told.receipts] == [[], [], [[1, 1]]]
    assert sum(len(receipt["refused"]) for _, receipt in told.receipts) == 1200
    assert all(len(receipt["refused"]) <= REFUSALS for _, receipt in told.receipts)


async def test_a_device_that_leaves_gaps_between_its_numbers_gets_several_receipts() -> None:
    told = Told()
    for seq in range(1, 5001, 2):
        told.to.add("dev-1", seq, [Refused(Refusal.NULL)] if seq == 1 else [])
    for number in range(NAMES + 1):
        told.to.add("dev-1", f"id-{number}", [])
    told.to.send()
    spans = [span for _, receipt in told.receipts for span in receipt["safe"]]
    assert spans == [[seq, seq] for seq in range(1, 5001, 2)]
    assert all(len(receipt["safe"]) <= NAMES for _, receipt in told.receipts)
    ids = [name for _, receipt in told.receipts for name in receipt.get("ids", [])]
    assert ids == [f"id-{number}" for number in range(NAMES + 1)]
    assert [len(receipt.get("refused", [])) for _, receipt in told.receipts] == [1, 0, 0]
