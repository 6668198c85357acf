"""A batch: what records of the log come to, whatever state they are in."""

from __future__ import annotations

import msgspec
import pytest

from ingest.codec import Message, decode_record
from ingest.readings import Instant, Refusal, Vital
from ingest.registry.entities import Limit, Patient, key
from ingest.registry.memory import Registry
from streams.batch import KEPT_BYTES, Record, apply
from streams.errors import OffsetGap, RegistryBehind
from streams.state import Watches
from tests.unit.streams.log import (
    Counting,
    bundle,
    context,
    message,
    moment,
    progress,
    stored,
    tick,
)


def watches(next_offset: int = 0, states: dict[str, bytes] | None = None) -> Watches:
    return Watches(next_offset, stored(states), Counting)


def test_messages_are_kept_in_order_and_the_place_moves_behind_the_last_record() -> None:
    first, second = message(1, spo2=97, heart_rate=70), message(2)
    work = apply(progress(5), [bundle(5, first, second), bundle(6)], watches(5), context())
    assert work.messages == [first, second]
    assert work.received == 3
    assert work.after.next_offset == 7
    assert [a.time for _, a in work.assessments] == [moment(1), moment(2)]
    assert work.snapshots == stored({"p-1": b"2"})


def test_records_that_were_applied_before_are_skipped() -> None:
    records = [bundle(3, message(1)), bundle(4, message(2)), bundle(5, message(3))]
    work = apply(progress(5), records, watches(5), context())
    assert [m.seq for m in work.messages] == [3]


def test_a_batch_of_nothing_new_moves_nothing() -> None:
    work = apply(progress(5), [bundle(3, message(1)), bundle(4, message(2))], watches(5), context())
    assert work.after == work.before
    assert not work.messages
    assert not work.snapshots


def test_a_gap_stops_the_worker_while_kafka_may_still_have_the_missing_records() -> None:
    with pytest.raises(OffsetGap) as caught:
        apply(progress(5), [bundle(7, message())], watches(5), context(start=6))
    assert (caught.value.expected, caught.value.found) == (5, 7)


def test_a_gap_inside_a_batch_is_noticed_too() -> None:
    with pytest.raises(OffsetGap):
        apply(progress(), [bundle(0, message()), bundle(2, message(2))], watches(), context())


def test_records_that_retention_deleted_are_counted_as_lost_and_the_rest_is_applied() -> None:
    work = apply(progress(5), [bundle(40, message())], watches(5), context(start=40))
    assert work.lost == 35
    assert work.after.next_offset == 41
    assert work.received == 1


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="no value"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe", id="not text"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b'{"schema":"bundle/9","gateway":"g","messages":[]}', id="unknown version"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(
            bundle(0, message(device="d-\x00")).value, id="NUL, which PostgreSQL's text cannot hold"
        ),
        pytest.param(
            (bundle(0, message()).value or b"").replace(b"03:00:01Z", b"03:00:01"),
            id="time without zone",
        ),
        pytest.param(
            (tick(0).value or b"").replace(b"03:00:00Z", b"03:00:00"), id="tick without zone"
        ),
    ],
)
def test_what_is_no_record_of_ours_goes_to_quarantine_and_the_others_go_on(
    value: bytes | None,
) -> None:
    work = apply(progress(), [Record(0, 0, value), bundle(1, message())], watches(), context())
    (rejected,) = work.rejected
    assert [r.reason for r in rejected.refused] == [Refusal.UNDECODABLE]
    assert rejected.place == "vigie.readings/0/0"
    assert rejected.payload == (value or b"")
    assert work.received == 1
    assert work.after.next_offset == 2


def test_a_quality_that_the_column_cannot_hold_is_refused() -> None:
    instant = Instant(moment(1), {Vital.SPO2: 97.0}, {Vital.SPO2: 2**15})
    bad = Message("p-1", "d-1", 1, moment(1), (instant,))
    work = apply(progress(), [bundle(0, bad)], watches(), context())
    assert len(work.rejected) == 1
    assert not work.messages


def test_a_huge_record_is_cut_so_that_the_quarantine_can_hold_it() -> None:
    work = apply(progress(), [Record(0, 0, b"x" * (KEPT_BYTES + 1))], watches(), context())
    assert len(work.rejected[0].payload) == KEPT_BYTES
    assert work.rejected[0].size == KEPT_BYTES + 1


def test_a_record_that_the_database_refused_goes_to_quarantine() -> None:
    judged = context()
    poisoned = type(judged)(
        judged.registry, 0, judged.topic, judged.by, judged.now, poison={(0, 0)}
    )
    work = apply(progress(), [bundle(0, message())], watches(), poisoned)
    assert work.rejected[0].refused[0].reason is Refusal.UNDECODABLE
    assert not work.received


def test_a_detector_that_raises_costs_its_message_an_assessment_and_nothing_else() -> None:
    bad = message(2, heart_rate=13)
    work = apply(
        progress(),
        [bundle(0, message(1), bad, message(3), message(4, patient="p-2"))],
        watches(0, {"p-1": b"10"}),
        context(),
    )
    assert work.received == 4, "its readings are stored all the same"
    (rejected,) = work.rejected
    assert rejected.refused[0].reason is Refusal.DETECTOR_FAILED
    assert (rejected.device, rejected.seq) == ("d-1", 2)
    assert msgspec.json.decode(rejected.payload, type=Message) == bad
    assert work.snapshots == stored({"p-1": b"12", "p-2": b"1"}), (
        "the watch never saw the bad message"
    )


def test_a_tick_moves_time_and_revision_forward_and_never_back() -> None:
    registry = Registry()
    for offset in range(3):
        registry.apply(offset, b"patient:p-1", Patient("p-1"))
    records = [tick(0, 2, 10), tick(1, 1, 5), tick(2, 3, 8)]
    work = apply(progress(), records, watches(), context(registry))
    assert work.after.revision == 3
    assert work.after.tick == moment(10)


def test_settings_hold_from_their_tick_on() -> None:
    registry = Registry()
    for offset, low in enumerate((88.0, 92.0)):
        patient = Patient("p-1", limits={Vital.SPO2: Limit(low=low)})
        registry.apply(offset, key(patient), patient)
    records = [
        bundle(0, message(1)),
        tick(1, 1),
        bundle(2, message(2)),
        tick(3, 2),
        bundle(4, message(3)),
    ]
    work = apply(progress(), records, watches(), context(registry))
    assert [a.news2 for _, a in work.assessments] == [None, 88, 92]


@pytest.mark.parametrize(
    ("revision", "records"),
    [
        pytest.param(0, [tick(0, 1)], id="a tick names it"),
        pytest.param(1, [bundle(0, message())], id="it held at the end of the last batch"),
    ],
)
def test_a_registry_that_is_behind_is_waited_for(revision: int, records: list[Record]) -> None:
    with pytest.raises(RegistryBehind) as caught:
        apply(progress(revision=revision), records, watches(), context())
    assert caught.value.revision == 1


def test_records_of_the_log_read_back_as_they_were_written() -> None:
    assert decode_record(bundle(0, message()).value) == decode_record(bundle(0, message()).value)
