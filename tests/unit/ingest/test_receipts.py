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
from tests.waiting import wait_until


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

    def safe(self, device: str) -> list[Any]:
        """List what each receipt of a device said, in order."""
        mine = f"vigie/v1/{device}/receipts"
        return [receipt["safe"] for topic, receipt in self.receipts if topic == mine]


async def test_messages_of_a_device_share_a_receipt() -> None:
    told = Told()
    for seq in (1038, 1040, 1039):
        told.to.add("dev-1", [seq])
    told.to.add("dev-2", [5], [(5, [Refused(Refusal.OUT_OF_RANGE, "readings[0].spo2")])])
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
    for seq in (1, 2):  # the first is sent at once
        told.to.add("dev-1", [seq])
        told.to.prompt()
    timer = told.to._timer
    assert timer is not None
    assert timer.when() <= before + 0.25
    told.to.add("dev-1", [3])
    told.to.prompt()
    assert told.to._timer is timer, "what comes later puts nothing off"
    told.to.send()


async def test_many_refusals_are_told_before_their_message_is_called_safe() -> None:
    told = Told()
    refused = [Refused(Refusal.NULL, f"readings[{n}].spo2") for n in range(1200)]
    told.to.add("dev-1", [1], [(1, refused)])
    told.to.send()
    assert [receipt["safe"] for _, receipt in told.receipts] == [[], [], [[1, 1]]]
    assert sum(len(receipt["refused"]) for _, receipt in told.receipts) == 1200
    assert all(len(receipt["refused"]) <= REFUSALS for _, receipt in told.receipts)


async def test_a_device_that_leaves_gaps_between_its_numbers_gets_several_receipts() -> None:
    told = Told()
    odd = range(1, 5001, 2)
    told.to.add("dev-1", list(odd), [(1, [Refused(Refusal.NULL)])])
    told.to.add("dev-1", [f"id-{number}" for number in range(NAMES + 1)])
    told.to.send()
    spans = [span for _, receipt in told.receipts for span in receipt["safe"]]
    assert spans == [[seq, seq] for seq in odd]
    assert all(len(receipt["safe"]) <= NAMES for _, receipt in told.receipts)
    ids = [name for _, receipt in told.receipts for name in receipt.get("ids", [])]
    assert ids == [f"id-{number}" for number in range(NAMES + 1)]
    assert [len(receipt.get("refused", [])) for _, receipt in told.receipts] == [1, 0, 0]


async def test_messages_without_numbers_are_named_by_their_own_ids() -> None:
    told = Told()
    told.to.add("dev-1", ["obs-1", 7, "obs-2", "obs-1"], [("obs-2", [Refused(Refusal.ABSENT)])])
    told.to.send()
    assert told.receipts == [
        (
            "vigie/v1/dev-1/receipts",
            {
                "safe": [[7, 7]],
                "ids": ["obs-1", "obs-2"],
                "refused": [{"id": "obs-2", "at": "", "reason": "absent"}],
            },
        )
    ]


async def test_the_first_receipt_is_sent_at_once_and_the_next_ones_are_gathered() -> None:
    told = Told()
    told.to.add("dev-1", [1])
    told.to.prompt()
    assert told.safe("dev-1") == [[[1, 1]]]
    for seq in (2, 3):
        told.to.add("dev-1", [seq])
        told.to.prompt()
    told.to.add("dev-2", [7])
    told.to.prompt()
    assert (told.safe("dev-1"), told.safe("dev-2")) == ([[[1, 1]]], [[[7, 7]]])
    await asyncio.to_thread(wait_until, lambda: len(told.safe("dev-1")) == 2, "the gathered one")
    assert told.safe("dev-1")[1] == [[2, 3]]
    # After a while without anything the next one is sent at once again.
    await asyncio.to_thread(wait_until, lambda: not told.to._told, "a quiet moment")
    told.to.add("dev-1", [4])
    told.to.prompt()
    assert told.safe("dev-1")[2] == [[4, 4]]
