"""What a patient has withdrawn is not sent, by any channel."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest

from alerts.consent import NEEDED, withheld
from alerts.events import Channel
from ingest.registry.entities import USUAL, Purpose
from tests.unit.alerts.stories import due


def test_every_channel_says_which_consents_it_needs() -> None:
    assert NEEDED.keys() == set(Channel)
    assert all(Purpose.COLLECT in needed for needed in NEEDED.values())


@pytest.mark.parametrize("channel", Channel)
def test_a_delivery_goes_out_with_all_that_its_channel_needs_and_with_nothing_less(
    channel: Channel,
) -> None:
    told = due(channel)
    assert not withheld(told), "the tables do not know the patient: the worker's word stands"
    assert not withheld(msgspec.structs.replace(told, consents=frozenset(USUAL)))
    for size in range(len(Purpose) + 1):
        for some in map(frozenset, combinations(Purpose, size)):
            agreed = msgspec.structs.replace(told, consents=some)
            assert withheld(agreed) == (not NEEDED[channel] <= some)
