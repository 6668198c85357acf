"""What is heard beside the readings: presence, the broker's own figures, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ingest import broker, metrics
from ingest.bundles import Flush, Heard
from ingest.conduct import Conduct
from ingest.door import Passed
from ingest.presence import Presence, State
from ingest.readings import Instant, Vital


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
    assert conduct.heard(broker.STORED, b"9" * 5000)
    assert not conduct.heard("vigie/v1/dev-1/readings", b"{}")
    # A template may be called so too.
    assert not conduct.heard("vigie/v1/dev-1/raw/presence", b'{"state": "online"}')
    conduct.tell(0.0)
    assert metrics.DEVICES_CONNECTED._value.get() == 1
    assert metrics.BROKER_STORED._value.get() == 41


def test_a_flood_and_a_wrong_clock_are_reported_once_by_device_and_never_by_patient() -> None:
    conduct, began = Conduct(quota=1.0), datetime(2026, 11, 24, 3, tzinfo=UTC)
    with capture_logs() as logs:
        for second in range(400):
            received = began + timedelta(seconds=second)
            late = Instant(received - timedelta(minutes=50), {Vital.SPO2: 97.0})
            flush, heard = Flush(0, float(second)), Heard()
            heard.last = Passed("dev-1", live={"p-1": [late] * 9}, values=9)
            if not conduct.over("dev-1", flush.began):
                heard.live = 9
            flush.heard["dev-1"] = heard
            conduct.shipped(flush, received)
            conduct.tell(flush.began)
    assert logs == [
        {
            "event": "a device goes on sending above its quota",
            "log_level": "warning",
            "device": "dev-1",
        },
        {
            "event": "a device's clock is wrong",
            "log_level": "warning",
            "device": "dev-1",
            "ahead_seconds": -3000,
        },
    ]
    assert (metrics.FLOODING._value.get(), metrics.WRONG_CLOCKS._value.get()) == (1, 1)
