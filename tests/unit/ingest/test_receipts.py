"""What a device hears: each safe message once, each refusal with its place."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.codec import Refused
from ingest.readings import Refusal
from ingest.receipts import REFUSALS, Receipts, ranges


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


async def test_many_refusals_are_told_before_their_message_is_called_safe() -> None:
    told = Told()
    told.to.add("dev-1", 1, [Refused(Refusal.NULL, f"readings[{n}].spo2") for n in range(1200)])
    told.to.send()
    assert [receipt["safe"] for _, receipt in told.receipts] == [[], [], [[1, 1]]]
    assert sum(len(receipt["refused"]) for _, receipt in told.receipts) == 1200
    assert all(len(receipt["refused"]) <= REFUSALS for _, receipt in told.receipts)
