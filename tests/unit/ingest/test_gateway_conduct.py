"""What the gateway does about devices that flood, go wrong, or may not be kept."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from ingest import kafka
from ingest.codec import Tick, decode_record
from ingest.readings import Quality, Refusal
from ingest.registry.entities import Patient
from tests.unit.ingest.rim import NOW, answered, good, reasons, running, sent, worn

if TYPE_CHECKING:
    from tests.unit.ingest.rim import Rim

DEVICE = worn("dev-1")


async def nearly_all_refused(rim: Rim) -> None:
    for packet in range(1, 301):
        rim.broker.deliver(f"stranger-{packet % 20}", sent(packet), packet)
    await rim.until(lambda: not rim.broker.reading, "the gateway to stop reading")


async def test_when_nearly_all_is_refused_no_more_is_taken_and_nothing_is_lost() -> None:
    async with running(DEVICE) as rim:
        await nearly_all_refused(rim)
        assert rim.gateway.refusing
        await rim.until(lambda: len(rim.broker.acknowledged) == 300, "what was read is settled")
        assert len(rim.rejected) == 300
        assert not rim.broker.reading


async def test_it_tries_again_and_goes_on_when_the_cause_is_mended() -> None:
    async with running(*[worn(f"dev-{n}", f"p-{n}") for n in range(10)]) as rim:
        await nearly_all_refused(rim)
        rim.gateway._breaker._opened -= 60  # a minute later
        await rim.until(lambda: rim.broker.reading, "a probe")
        for packet in range(301, 361):
            rim.broker.deliver(f"dev-{packet % 10}", sent(packet), packet)
        await rim.until(lambda: rim.gateway.refusing is None, "all is as usual")


async def test_an_operator_can_have_it_go_on_at_once() -> None:
    async with running(DEVICE) as rim:
        await nearly_all_refused(rim)
        rim.gateway.resume()
        assert rim.broker.reading
        assert rim.gateway.refusing is None


async def test_presence_is_heard_and_needs_no_record() -> None:
    async with running(DEVICE) as rim:
        before = len(rim.log.kept)
        rim.broker.say("vigie/v1/dev-1/presence", b'{"state": "online"}')
        rim.broker.deliver("dev-1", sent(1), 1)
        await answered(rim)
        kept = [k for k in rim.log.kept[before:] if k.topic != kafka.READINGS]
    assert kept == []


async def test_a_flood_goes_by_the_backfill_lane_marked_and_with_receipts() -> None:
    flood = [good(heart_rate=70 + n % 9) for n in range(100)]
    for n, one in enumerate(flood):
        one["time"] = (NOW - timedelta(seconds=n)).isoformat()
    async with running(DEVICE, worn("dev-2", "p-2"), quota=0.5) as rim:
        rim.broker.deliver("dev-1", sent(1, *flood), 1)
        await rim.until(lambda: rim.messages, "the first, which it may send")
        for packet in range(2, 5):
            rim.broker.deliver("dev-1", sent(packet, *flood), packet)
        rim.broker.deliver("dev-2", sent(1), 5)
        await answered(rim, 2)
        await rim.until(lambda: len(rim.broker.acknowledged) == 5, "all acknowledgements")
        assert [(m.device, m.seq) for m in rim.messages] == [("dev-1", 1), ("dev-2", 1)]
        assert [m.seq for m in rim.late] == [2, 3, 4]
        marks = {q for m in rim.late for i in m.readings for q in i.quality.values()}
    assert marks == {int(Quality.BACKFILLED)}


async def test_what_a_device_catches_up_on_leaves_its_live_readings_their_quota() -> None:
    old = [{**good(), "time": (NOW - timedelta(days=1, seconds=n)).isoformat()} for n in range(99)]
    async with running(DEVICE, quota=0.05) as rim:  # a reserve of 5 values
        for packet in range(1, 5):
            rim.broker.deliver("dev-1", sent(packet, good(), *old), packet)
            await rim.until(lambda n=packet: len(rim.late) == n, "its late part")  # type: ignore[misc]  # bound now
        assert [message.seq for message in rim.messages] == [1, 2, 3, 4]


async def test_a_message_half_live_and_half_late_has_one_receipt_when_both_are_safe() -> None:
    old = good()
    old["time"] = (NOW - timedelta(days=1)).isoformat()
    async with running(DEVICE) as rim:
        rim.log.held = True
        rim.broker.deliver("dev-1", sent(7, good(), old), 3)
        await rim.until(lambda: rim.messages and rim.late, "both halves in the log")
        assert (rim.broker.acknowledged, rim.broker.receipts) == ([], [])
        rim.log.release()
        await answered(rim)
        (live,), (late,) = rim.messages, rim.late
    assert rim.broker.acknowledged == [3]
    assert [receipt["safe"] for _, receipt in rim.broker.receipts] == [[[7, 7]]]
    assert (live.seq, late.seq) == (7, 7)
    assert [i.quality for i in late.readings] == [{"spo2": int(Quality.BACKFILLED)}]


async def test_nothing_is_kept_of_who_has_not_agreed_on_a_template_that_there_is_not() -> None:
    async with running(DEVICE) as rim:
        rim.registry.step(Patient("p-1", consents=()))
        rim.broker.publish_to("vigie/v1/dev-1/raw/nobody", sent(1), 1)
        await rim.until(lambda: rim.broker.acknowledged, "it is acknowledged")
        (one,) = rim.rejected
    assert (one.device, one.topic, one.payload, one.size, one.seq) == ("", "", b"", 0, None)
    assert reasons([one]) == [("", "unknown-template")]


async def test_a_refused_part_is_in_quarantine_before_the_device_hears_of_it() -> None:
    async with running(DEVICE) as rim:
        rim.log.held = True
        rim.broker.deliver("dev-1", sent(7, good(spo2=970)), 3)
        await rim.until(lambda: rim.rejected, "it is in quarantine")
        assert (rim.broker.acknowledged, rim.broker.receipts) == ([], [])
        rim.log.release()
        await answered(rim)
    assert rim.broker.acknowledged == [3]


async def test_what_consent_forbids_leaves_a_count_and_nothing_else() -> None:
    async with running(DEVICE) as rim:
        rim.registry.step(Patient("p-1", consents=()))
        rim.broker.deliver("dev-1", sent(1), 1)
        rim.broker.deliver("dev-1", sent(2, good(spo2=970)), 2)
        await answered(rim)
        await rim.until(lambda: len(rim.broker.acknowledged) == 2, "acknowledgements")
        told = {r["reason"] for _, receipt in rim.broker.receipts for r in receipt["refused"]}
        assert told == {"no-consent", "out-of-range"}
        assert rim.messages == []
        for one in rim.rejected:
            assert (one.device, one.topic, one.payload, one.size, one.seq) == ("", "", b"", 0, None)
        counts = Counter(r.reason for one in rim.rejected for r in one.refused)
    assert counts == {Refusal.NO_CONSENT: 1, Refusal.OUT_OF_RANGE: 1}


async def test_while_nothing_is_taken_time_stands_still() -> None:
    """Ticks would tell the worker that every patient has fallen silent."""
    async with running(DEVICE) as rim:
        await nearly_all_refused(rim)
        await rim.until(lambda: len(rim.broker.acknowledged) == 300, "all is settled")
        before = len(rim.log.kept)
        rim.gateway._beat()
        rim.registry.step(Patient("p-9"))  # a change is told all the same
        await rim.until(lambda: len(rim.log.kept) > before, "a tick")
        ticks = [decode_record(kept.value) for kept in rim.log.kept[before:]]
        assert {one.revision for one in ticks if isinstance(one, Tick)} == {3}
        rim.gateway.resume()
        rim.gateway._beat()
        await rim.until(lambda: len(rim.log.kept) >= before + 2 * kafka.PARTITIONS, "ticks again")
