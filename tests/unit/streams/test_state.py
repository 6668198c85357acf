"""Watches in memory: what they stand for, and how they get back."""

from __future__ import annotations

import pytest

from alerts.watch import Watch
from ingest.registry.entities import Patient
from streams.errors import DetectorFailed
from streams.state import Watches
from tests.unit.streams.log import Counting, message, stored

SETTINGS = Patient("p-1")


def test_only_patients_that_were_heard_of_are_written() -> None:
    watches = Watches(0, stored({"p-1": b"4", "p-2": b"7"}), Counting)
    watches.observe(SETTINGS, message())
    assert dict(watches.changed()) == stored({"p-1": b"5"})
    assert len(watches) == 2


def test_after_the_commit_nothing_is_left_to_write() -> None:
    watches = Watches(0, {}, Counting)
    watches.observe(SETTINGS, message())
    watches.commit(1, dict(watches.changed()))
    assert not dict(watches.changed())
    assert watches.next_offset == 1


def test_a_state_that_cannot_be_read_means_a_fresh_watch_and_no_guess() -> None:
    watches = Watches(0, stored({"p-1": b"from another version"}), Counting)
    watches.observe(SETTINGS, message())
    assert dict(watches.changed()) == stored({"p-1": b"1"})


@pytest.mark.parametrize("committed_between", [False, True])
def test_a_failed_message_leaves_the_same_state_wherever_the_batch_began(
    *, committed_between: bool
) -> None:
    watches = Watches(0, stored({"p-1": b"1"}), Counting)
    watches.observe(SETTINGS, message(1))
    if committed_between:
        watches.commit(1, dict(watches.changed()))
    with pytest.raises(DetectorFailed):
        watches.observe(SETTINGS, message(2, heart_rate=13))
    watches.observe(SETTINGS, message(3))
    assert dict(watches.changed()) == stored({"p-1": b"3"})


def test_the_real_watch_comes_back_from_its_snapshot() -> None:
    watches = Watches(0, {})
    for seq in range(1, 40):
        watches.observe(SETTINGS, message(seq, spo2=97, heart_rate=70))
    states = dict(watches.changed())
    again = Watches(1, states)
    again.observe(SETTINGS, message(40, spo2=80, heart_rate=70))
    watches.observe(SETTINGS, message(40, spo2=80, heart_rate=70))
    assert dict(again.changed()) == dict(watches.changed())
    assert isinstance(Watch.restore("p-1", states["p-1"].state), Watch)
