"""What is heard beside the readings: presence, the broker's own figures, and nothing else."""

from __future__ import annotations

import pytest

from ingest import broker, metrics
from ingest.conduct import Conduct
from ingest.presence import Presence, State


def test_the_last_word_of_each_device_counts() -> None:
    presence = Presence()
    for device, said in (("a", b'{"state": "online"}'), ("b", b'{"state":"online"}')):
        presence.take(device, said)
    assert presence.count(State.ONLINE) == 2
    presence.take("a", b'{"state": "lost"}')
    presence.take("b", b'{"state": "offline"}')
    assert [presence.count(state) for state in State] == [0, 1, 1]
    presence.take("a", b"")
    assert presence.count(State.LOST) == 0


@pytest.mark.parametrize("junk", [b"{", b"[]", b'{"state": "asleep"}', b"\xff", b"[" * 100_000])
def test_what_is_no_word_changes_nothing(junk: bytes) -> None:
    presence = Presence()
    presence.take("a", b'{"state": "online"}')
    presence.take("a", junk)
    assert presence.count(State.ONLINE) == 1


def test_presence_and_the_broker_are_heard_and_readings_are_not() -> None:
    conduct = Conduct(quota=10.0)
    assert conduct.heard("vigie/v1/dev-1/presence", b'{"state": "online"}')
    assert conduct.heard(broker.STORED, b"41")
    assert conduct.heard(broker.DROPPED, b"not a number")
    assert not conduct.heard("vigie/v1/dev-1/readings", b"{}")
    conduct.tell(0.0)
    assert metrics.DEVICES_CONNECTED._value.get() == 1
    assert metrics.BROKER_STORED._value.get() == 41
