"""What the gateway promises a device, between a broker and a log in memory."""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile

import pytest
from structlog.testing import capture_logs

from ingest import bundles, kafka, refusals
from ingest import gateway as gateway_module
from ingest.codec import Bundle, Refused, Tick
from ingest.conduct import Conduct
from ingest.formats import vigie_json
from ingest.readings import Refusal
from tests.unit.ingest.rim import NOW, answered, good, reasons, running, sent, worn

DEVICE = worn("dev-1")


async def test_a_message_is_in_the_log_with_its_patient_before_the_device_hears_of_it() -> None:
    async with running(DEVICE) as rim:
        rim.log.held = True
        rim.broker.deliver("dev-1", sent(7), packet=3)
        await rim.until(lambda: rim.messages, "the message in the log")
        assert (rim.broker.acknowledged, rim.broker.receipts) == ([], [])
        rim.log.release()
        await answered(rim)
        (message,) = rim.messages
    assert (message.patient, message.device, message.seq, message.received) == (
        "p-1",
        "dev-1",
        7,
        NOW,
    )
    assert rim.broker.acknowledged == [3]
    assert rim.broker.receipts == [("vigie/v1/dev-1/receipts", {"safe": [[7, 7]]})]


async def test_acknowledgements_keep_the_order_of_arrival() -> None:
    devices = [worn(f"dev-{n}", f"p-{n}") for n in range(20)]
    async with running(*devices) as rim:
        for packet in range(1, 201):
            rim.broker.deliver(f"dev-{packet % 20}", sent(packet), packet)
        await rim.until(lambda: len(rim.broker.acknowledged) == 200, "all acknowledgements")
    assert rim.broker.acknowledged == list(range(1, 201))


async def test_one_patient_stays_in_one_partition_and_in_order() -> None:
    async with running(DEVICE) as rim:
        for packet in range(1, 51):
            rim.broker.deliver("dev-1", sent(packet), packet)
        await rim.until(lambda: len(rim.messages) == 50, "all messages")
    assert [message.seq for message in rim.messages] == list(range(1, 51))
    partitions = {
        kept.partition
        for kept in rim.log.kept
        if kept.topic == kafka.READINGS and b"bundle/" in (kept.value or b"")
    }
    assert partitions == {kafka.partition_of("p-1")}


async def test_while_the_log_is_away_nothing_is_acknowledged_and_then_everything_is() -> None:
    async with running(DEVICE) as rim:
        rim.log.away = True
        rim.broker.deliver("dev-1", sent(1), 1)
        await rim.until(lambda: rim.gateway.trouble, "trouble is told")
        rim.broker.deliver("dev-1", sent(2), 2)
        assert rim.broker.acknowledged == []
        rim.log.away = False
        await rim.until(lambda: len(rim.broker.acknowledged) == 2, "acknowledgements")
        await answered(rim)
    assert rim.broker.acknowledged == [1, 2]
    assert rim.gateway.trouble is None


async def test_packets_of_an_earlier_connection_are_not_acknowledged_but_get_receipts() -> None:
    async with running(DEVICE) as rim:
        rim.log.held = True
        rim.broker.deliver("dev-1", sent(1), 1)
        await rim.until(lambda: rim.messages, "the message in the log")
        rim.broker.reconnect()
        rim.broker.deliver("dev-1", sent(2), 1)  # the new connection counts from one again
        await rim.until(lambda: len(rim.messages) == 2, "the next message in the log")
        rim.log.release()
        await answered(rim)
        await rim.until(lambda: rim.broker.acknowledged, "an acknowledgement")
    assert rim.broker.acknowledged == [1]
    told = [span for _, receipt in rim.broker.receipts for span in receipt["safe"]]
    assert told in ([[1, 2]], [[1, 1], [2, 2]])


@pytest.mark.parametrize(
    ("device", "payload", "expected"),
    [
        pytest.param("dev-1", b"", ("", "empty"), id="nothing"),
        pytest.param("dev-1", b"[]", ("", "not-an-object"), id="a list"),
        pytest.param("dev-9", sent(1), ("", "unknown-device"), id="a stranger's"),
        pytest.param(
            "dev-1", sent(1)[:-1] + b', "device": "dev-2"}', ("", "device-mismatch"), id="another's"
        ),
        pytest.param(
            "dev-1",
            b'{"seq": 1, "readings": [{"time": "2026-11-24T03:00:00Z", "\\ud800": 1}]}',
            ("readings[0].?", "unknown-vital"),
            id="half a surrogate pair",
        ),
        pytest.param(
            "dev-1",
            sent(1, good(spo2={"value": 97, "unit": "%", "\ud800": 1})),
            ("readings[0].spo2.?", "unknown-field"),
            id="half a pair in a quantity",
        ),
    ],
)
async def test_what_is_refused_is_in_quarantine_and_holds_up_nobody(
    device: str, payload: bytes, expected: tuple[str, str]
) -> None:
    async with running(DEVICE) as rim:
        rim.broker.deliver(device, payload, 1)
        rim.broker.deliver("dev-1", sent(2), 2)
        await rim.until(lambda: len(rim.broker.acknowledged) == 2, "both acknowledged")
        (message,) = rim.messages
        (rejected,) = rim.rejected
    assert message.seq == 2
    assert (rejected.device, rejected.payload, rejected.size) == (device, payload, len(payload))
    assert reasons([rejected]) == [expected]


async def test_of_a_message_that_is_too_large_the_beginning_is_kept() -> None:
    async with running(DEVICE) as rim:
        rim.broker.deliver("dev-1", b"x" * 1024 * 1024, 1)
        await rim.until(lambda: rim.broker.acknowledged, "it is acknowledged")
        (rejected,) = rim.rejected
    assert reasons([rejected]) == [("", "too-large")]
    assert (rejected.size, len(rejected.payload)) == (1024 * 1024, refusals.KEPT_BYTES)


async def test_the_worst_message_still_fits_into_a_record_of_the_quarantine() -> None:
    names = (f'"{n:04x}":1' for n in range(1 << 16))
    size = 0

    def fits(name: str) -> bool:
        nonlocal size
        size += len(name) + 1
        return size < 256 * 1024 - 100

    fields = ",".join(takewhile(fits, names))
    payload = f'{{"seq":1,"readings":[{{"time":"{NOW.isoformat()}",{fields}}}]}}'.encode()
    async with running(DEVICE) as rim:
        rim.broker.deliver("dev-1", payload, 1)
        await rim.until(lambda: rim.rejected, "it is in quarantine")
    sizes = [len(kept.value or b"") for kept in rim.log.kept if kept.topic == kafka.REJECTED]
    assert max(sizes) < kafka.RECORD_BYTES


async def test_a_record_of_the_quarantine_names_each_reason_however_many_places_there_are() -> None:
    wrong = {f"x{number}": 1 for number in range(refusals.LISTED + 100)}
    async with running(DEVICE) as rim:
        rim.broker.deliver("dev-1", sent(1, good(**wrong), {"time": "x"}, good(spo2=970)), 1)
        await rim.until(lambda: rim.rejected, "it is in quarantine")
        (rejected,) = rim.rejected
        await answered(rim, 2)
    assert (len(rejected.refused), rejected.more) == (refusals.LISTED, 102)
    assert reasons([rejected])[-2:] == [
        ("readings[1].time", "bad-time"),
        ("readings[2].spo2", "out-of-range"),
    ]
    told = [one for _, receipt in rim.broker.receipts for one in receipt["refused"]]
    assert len(told) == refusals.LISTED + 102, "the receipt names all"


async def test_no_bundle_is_larger_than_kafka_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short messages with much to say of each value: doubtful, and by the backfill lane."""
    monkeypatch.setattr(bundles, "BUNDLE_BYTES", 20_000)
    old = NOW - timedelta(days=1)

    def payload(seq: int) -> bytes:
        times = [(old + timedelta(seconds=seq * 900 + n)).isoformat() for n in range(300)]
        return sent(seq, *[{"time": time, "spo2": 9, "steps": 1e5} for time in times])

    async with running(DEVICE) as rim:
        for seq in range(1, 5):
            rim.broker.deliver("dev-1", payload(seq), seq)
        await rim.until(lambda: len(rim.broker.acknowledged) == 4, "all acknowledgements")
        late = rim.late
    sizes = [len(kept.value or b"") for kept in rim.log.kept if kept.topic == kafka.BACKFILL]
    assert max(sizes) <= bundles.BUNDLE_BYTES
    times = [instant.time for message in late for instant in message.readings]
    assert times == sorted(set(times))
    assert len(times) == 4 * 300
    assert {message.seq for message in late} == {1, 2, 3, 4}


async def test_a_reading_from_before_the_device_was_worn_is_named_by_its_own_place() -> None:
    device = worn("dev-1", since=NOW - timedelta(hours=1))
    before = {"time": (NOW - timedelta(days=1)).isoformat(), "spo2": 97}
    async with running(device) as rim:
        rim.broker.deliver("dev-1", sent(1, {"time": "x", "spo2": 97}, good(), before), 1)
        await answered(rim)
    assert sorted(reasons(rim.rejected)) == [
        ("readings[0].time", "bad-time"),
        ("readings[2]", "not-assigned"),
    ]


async def test_a_change_of_the_registry_stands_in_the_log_before_what_it_admits() -> None:
    async with running(DEVICE) as rim:
        rim.broker.deliver("dev-1", sent(1), 1)
        rim.registry.step(worn("dev-2", "p-2"))
        rim.broker.deliver("dev-2", sent(2), 2)
        await rim.until(lambda: len(rim.messages) == 2, "both messages")
        live = rim.live
    news = [n for n, r in enumerate(live) if isinstance(r, Tick) and r.revision == 3]
    places = {m.device: n for n, r in enumerate(live) if isinstance(r, Bundle) for m in r.messages}
    assert len(news) >= kafka.PARTITIONS
    assert places["dev-1"] < news[0] < news[kafka.PARTITIONS - 1] < places["dev-2"]


async def test_a_session_begins_with_a_tick_in_each_partition() -> None:
    async with running(DEVICE) as rim:
        await rim.until(lambda: len(rim.live) >= kafka.PARTITIONS, "ticks")
        first = rim.log.kept[: kafka.PARTITIONS]
    assert [kept.partition for kept in first] == list(range(kafka.PARTITIONS))
    assert set(rim.live) == {Tick("gw", NOW, 2)}


async def test_too_much_under_way_stops_the_reading_until_half_of_it_is_safe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gateway_module, "UNDER_WAY_MESSAGES", 10)
    async with running(DEVICE) as rim:
        rim.log.held = True
        for packet in range(1, 12):
            rim.broker.deliver("dev-1", sent(packet), packet)
        await rim.until(lambda: not rim.broker.reading, "back-pressure")
        rim.log.release()
        await rim.until(lambda: rim.broker.reading, "reading again")
    assert rim.broker.acknowledged == list(range(1, 12))


async def test_at_the_end_what_was_taken_is_settled_and_nothing_more_is_taken() -> None:
    async with running(DEVICE) as rim:
        rim.log.held = True
        rim.broker.deliver("dev-1", sent(1), 1)
        rim.stop.set()
        await rim.until(lambda: not rim.broker.reading, "no more reading")
        rim.broker.deliver("dev-1", sent(2), 2)
        await rim.until(lambda: rim.messages, "the message in the log")
        rim.log.release()
        await rim.until(lambda: rim.broker.closed, "the end")
        assert not rim.broker.reading
    assert rim.broker.acknowledged == [1]
    assert [receipt["safe"] for _, receipt in rim.broker.receipts] == [[[1, 1]]]
    assert [message.seq for message in rim.messages] == [1]


async def test_a_fault_of_the_decoder_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(payload: bytes, *_: object) -> None:
        raise ZeroDivisionError(payload)

    monkeypatch.setattr(vigie_json, "decode", broken)
    with capture_logs() as logs:
        async with running(DEVICE) as rim:
            rim.broker.deliver("dev-1", sent(1), 1)
            await rim.until(lambda: rim.broker.acknowledged, "it is acknowledged")
            (rejected,) = rim.rejected
    assert rejected.refused == (Refused(Refusal.UNDECODABLE),)
    # What it was reading stays out of the log.
    assert [entry for entry in logs if entry["log_level"] == "error"] == [
        {
            "event": "a decoder has a fault",
            "log_level": "error",
            "format": "readings",
            "error": "ZeroDivisionError",
        }
    ]


async def test_a_fault_of_the_gateway_itself_stops_nothing_and_calls_nothing_safe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faults = [ZeroDivisionError("p-1")]

    def broken(*_: object) -> bool:
        if faults:
            raise faults.pop()
        return False

    monkeypatch.setattr(Conduct, "over", broken)
    with capture_logs() as logs:
        async with running(DEVICE) as rim:
            rim.broker.deliver("dev-1", sent(1), 1)
            rim.broker.deliver("dev-1", sent(2), 2)
            await answered(rim)
            await rim.until(lambda: len(rim.broker.acknowledged) == 2, "acknowledgements")
            (rejected,) = rim.rejected
    assert [receipt["safe"] for _, receipt in rim.broker.receipts] == [[[2, 2]]]
    assert (rejected.device, rejected.payload) == ("", b"")
    assert rejected.refused == (Refused(Refusal.UNDECODABLE),)
    (said,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert said["error"] == "ZeroDivisionError"
    assert "p-1" not in str(said)
