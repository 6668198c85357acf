"""Whether something names a patient, and until when Kafka keeps what does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingest import kafka
from ingest.erasure.traces import gone, names

WRITTEN = datetime(2026, 11, 24, 3, tzinfo=UTC)
DAY = 24 * 60 * 60 * 1000
WEEK = {"segment.ms": str(7 * DAY)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("p-1", True, id="itself"),
        pytest.param("patient:p-1", True, id="as a key"),
        pytest.param('{"patient":"p-1"}', True, id="in JSON"),
        pytest.param("asked for by p-1.", True, id="at a sentence's end"),
        pytest.param("p-10", False, id="a longer name"),
        pytest.param("p-1.2", False, id="a name that goes on after a point"),
        pytest.param("d-p-1", False, id="another's end"),
        pytest.param(b'{"patient":"p-1"}', True, id="JSON as bytes"),
        pytest.param(msgspec.msgpack.encode([1.5, {"of": "p-1"}, 49]), True, id="msgpack"),
        pytest.param(msgspec.msgpack.encode([1.5, "p-10"]), False, id="a longer one in msgpack"),
        pytest.param(b"\xffp-1\xff", False, id="three bytes in noise may be chance"),
    ],
)
def test_a_name_is_found_where_it_is_whole(value: str | bytes, *, expected: bool) -> None:
    assert names(value, "p-1") is expected


def test_in_noise_a_name_that_is_no_chance_counts() -> None:
    assert names(b"\xffp-0042\xff", "p-0042")


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        pytest.param({"retention.ms": str(7 * DAY)}, 7, id="deleted by age"),
        pytest.param({"retention.ms": str(7 * DAY)} | WEEK, 14, id="its segment may end later"),
        pytest.param(
            {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(8 * DAY),
                "delete.retention.ms": str(DAY),
            },
            9,
            id="compacted, then the tombstone goes",
        ),
        pytest.param({"retention.ms": "-1"}, None, id="kept for ever"),
        pytest.param(
            {"cleanup.policy": "compact", "max.compaction.lag.ms": str(2**63 - 1)},
            None,
            id="compacted at some time or never",
        ),
    ],
)
def test_until_when_a_topic_keeps_a_record(settings: dict[str, str], days: int | None) -> None:
    end = gone(settings, int(WRITTEN.timestamp() * 1000))
    assert end == (None if days is None else WRITTEN + timedelta(days=days))


@pytest.mark.parametrize("topic", sorted(kafka.TOPICS))
def test_every_topic_of_ours_has_an_end(topic: str) -> None:
    assert gone({"delete.retention.ms": str(DAY), **kafka.TOPICS[topic][1]}, 0) is not None
