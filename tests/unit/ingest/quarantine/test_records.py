"""Entries, their names, and their marks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.codec import Refused, Rejected, encode
from ingest.ports import MalformedRecord
from ingest.quarantine.records import (
    Entry,
    Name,
    NoSuchEntry,
    Outcome,
    Settled,
    Wanted,
    decode,
    decode_message,
)
from ingest.readings import Refusal

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
NAME = Name(3, 41)
REJECTED = Rejected(
    "dev-1",
    "vigie/v1/dev-1/readings",
    (Refused(Refusal.NULL, "readings[0].spo2"), Refused(Refusal.UNKNOWN_UNIT)),
    NOW,
    "gateway-1",
    2,
    b"{}",
    7,
)
COUNT = Rejected("", "", (Refused(Refusal.NO_CONSENT),), NOW, "gateway-1", 0, b"", more=4)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(0, 10**18 - 1))
def test_a_name_comes_back(partition: int, offset: int) -> None:
    assert Name.parse(str(Name(partition, offset))) == (partition, offset)


@pytest.mark.parametrize("text", ["", "3", "3-", "-41", "3-41-1", "a-b", "3 - 41", "٣-٤", "3-4\n"])
def test_what_is_no_name_is_said(text: str) -> None:
    with pytest.raises(NoSuchEntry, match="PARTITION-OFFSET"):
        Name.parse(text)


def test_both_kinds_of_record_come_back() -> None:
    mark = Settled(41, Outcome.DROPPED, NOW, "somebody", "a test")
    assert decode(encode(mark)) == mark
    assert decode(encode(REJECTED)) == REJECTED


@settings(deadline=None)
@given(st.binary())
def test_any_other_bytes_are_no_record(value: bytes) -> None:
    with pytest.raises(MalformedRecord):
        decode(value)
    with pytest.raises(MalformedRecord):
        decode_message(value)


def test_a_record_without_a_value_is_none_of_ours() -> None:
    with pytest.raises(MalformedRecord):
        decode(None)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(Wanted(), True, id="everything"),
        pytest.param(Wanted(Refusal.UNKNOWN_UNIT), True, id="any of its reasons"),
        pytest.param(Wanted(Refusal.NOT_JSON), False, id="another reason"),
        pytest.param(Wanted(device="dev-1"), True, id="its device"),
        pytest.param(Wanted(device="dev-10"), False, id="another device"),
        pytest.param(Wanted(since=NOW), True, id="since is included"),
        pytest.param(Wanted(since=NOW + timedelta(microseconds=1)), False, id="before since"),
        pytest.param(Wanted(until=NOW), False, id="until is not included"),
        pytest.param(Wanted(until=NOW + timedelta(microseconds=1)), True, id="before until"),
        pytest.param(Wanted(names=[NAME]), True, id="by name"),
        pytest.param(Wanted(names=[Name(4, 41)]), False, id="by another name"),
        pytest.param(Wanted(Refusal.NULL, "dev-2"), False, id="all of them must hold"),
    ],
)
def test_what_is_asked_for(wanted: Wanted, *, expected: bool) -> None:
    assert wanted.takes(NAME, REJECTED) is expected


def test_a_count_without_a_message_is_nothing_that_could_be_open() -> None:
    assert not Wanted().takes(NAME, COUNT)
    assert Wanted(settled=True).takes(NAME, COUNT)
    assert Entry(NAME, COUNT, 0).state == "counted"


def test_an_entry_says_its_state_and_whether_it_is_whole() -> None:
    assert (Entry(NAME, REJECTED, 2).state, Entry(NAME, REJECTED, 2).whole) == ("open", True)
    assert not Entry(NAME, REJECTED, 1).whole
    mark = Settled(41, Outcome.DROPPED, NOW, "somebody")
    assert Entry(NAME, REJECTED, 2, mark).state == "dropped"
