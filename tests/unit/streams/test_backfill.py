"""The backfill lane's share of a batch: everything is stored, and nobody looks at it."""

from __future__ import annotations

import pytest

from ingest.readings import Refusal
from streams.agents import slices
from streams.batch import Record, apply
from streams.errors import OffsetGap
from streams.lanes import BACKFILL, LIVE
from tests.unit.streams.log import bundle, context, message, progress, tick


def test_late_readings_are_stored_and_lead_to_no_score_no_alert_and_no_state() -> None:
    work = apply(progress(), [bundle(0, message(1, spo2=60), message(2))], None, context())
    assert (len(work.messages), work.received) == (2, 2)
    assert not work.assessments
    assert not work.events
    assert not work.snapshots


def test_a_tick_that_strayed_into_the_lane_moves_nothing_and_waits_for_nothing() -> None:
    work = apply(progress(), [tick(0, 99, 10), bundle(1, message())], None, context())
    assert (work.after.next_offset, work.after.revision, work.after.tick) == (2, 0, None)


def test_poison_repeats_and_gaps_are_treated_as_in_the_live_lane() -> None:
    poisoned = [bundle(4, message(1)), Record(0, 5, b"\xff"), bundle(6, message(2))]
    work = apply(progress(5), poisoned, None, context())
    assert [one.refused[0].reason for one in work.rejected] == [Refusal.UNDECODABLE]
    assert [m.seq for m in work.messages] == [2]
    with pytest.raises(OffsetGap):
        apply(progress(5), [bundle(7, message())], None, context(start=6))
    assert apply(progress(5), [bundle(9, message())], None, context(start=9)).lost == 4


def test_a_slice_of_the_lane_is_a_small_part_of_a_live_one() -> None:
    records = [Record(0, n, bytes(16 << 10)) for n in range(64)]
    assert len(list(slices(records, LIVE.slice_bytes))) == 1
    assert len(list(slices(records, BACKFILL.slice_bytes))) == 16


def test_a_record_larger_than_a_slice_is_taken_whole() -> None:
    records = [Record(0, n, bytes(2 * BACKFILL.slice_bytes)) for n in range(3)]
    assert [len(part) for part in slices(records, BACKFILL.slice_bytes)] == [1, 1, 1]
