"""Records of the log: there and back, and nothing of a patient in an error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka.partitioner import murmur2

from ingest.codec import (
    Bundle,
    Message,
    Refused,
    Rejected,
    Tick,
    decode_record,
    decode_rejected,
    encode,
)
from ingest.kafka import PARTITIONS, partition_of
from ingest.ports import MalformedRecord
from ingest.readings import Instant, Original, Refusal, Vital

MOMENT = datetime(2026, 11, 24, 3, 0, 0, 123_456, tzinfo=UTC)


def test_a_bundle_comes_back_as_it_went() -> None:
    instant = Instant(
        MOMENT,
        {Vital.TEMPERATURE: 37.0},
        {Vital.TEMPERATURE: 1},
        {Vital.TEMPERATURE: Original(98.6, "[degF]")},
    )
    bundle = Bundle("gateway-1", (Message("p-1", "dev-1", 7, MOMENT, (instant,)),))
    assert decode_record(encode(bundle)) == bundle
    assert b'"schema":"bundle/1"' in encode(bundle)


def test_a_tick_and_a_quarantine_record_come_back() -> None:
    tick = Tick("gateway-1", MOMENT, 41)
    assert decode_record(encode(tick)) == tick
    refused = (Refused(Refusal.NOT_JSON), Refused(Refusal.NULL, "readings[0].spo2"))
    rejected = Rejected("dev-1", "t", refused, MOMENT, "gateway-1", 3, b"\xff\x00{", 7)
    assert decode_rejected(encode(rejected)) == rejected


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"schema":"marker-of-a-patient"}',
        b'{"schema":"tick/1","gateway":"marker-of-a-patient","time":"marker-of-a-patient"}',
        b'{"schema":"bundle/1","gateway":"g","messages":[{"patient":"marker-of-a-patient"}]}',
        (
            b'{"schema":"bundle/1","gateway":"g","messages":[{"patient":"p","device":"d","seq":1,'
            b'"received":"2026-11-24T03:00:00Z","readings":[{"time":"2026-11-24T03:00:00Z",'
            b'"values":{"marker-of-a-patient":97}}]}]}'
        ),
    ],
)
def test_what_is_not_ours_is_malformed_and_its_text_is_not_repeated(value: bytes | None) -> None:
    with pytest.raises(MalformedRecord) as caught:
        decode_record(value)
    assert "marker-of-a-patient" not in str(caught.value)


# From Kafka's own test of its default partitioner (UtilsTest.testMurmur2).
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    ],
)
def test_patients_are_placed_as_kafka_s_own_clients_place_keys(key: str, expected: int) -> None:
    assert murmur2(key.encode()) == expected & 0xFFFFFFFF
    assert partition_of(key) == (expected & 0x7FFFFFFF) % PARTITIONS
