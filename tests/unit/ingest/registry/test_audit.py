"""The audit log's entries: one form for one content, and a hash that moves with each field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingest.registry.audit import GENESIS, Entry, canonical

SALT = bytes(range(16))
ENTRY = Entry(
    number=7,
    time=datetime(2026, 11, 24, 3, 0, tzinfo=UTC),
    by="Dr A",
    why="released",
    key="device:d-1",
    change='{"revoked":[false,true]}',
)


def digest(entry: Entry, previous: bytes = GENESIS, salt: bytes = SALT) -> str:
    return entry.chained(previous, entry.content(salt)).hex()


def test_an_entry_of_today_has_this_hash_for_ever() -> None:
    # A log that was written by an older Vigie must verify with a newer one: this never changes.
    assert digest(ENTRY) == ("ed333e7a87488e2df67c592d94d9cc10184f8fb186bca5636604f6066774d602")


def test_the_canonical_form_does_not_depend_on_order_or_zone() -> None:
    assert (
        canonical({"b": [1, {"d": 1, "c": 2}], "a": "é"})
        == b'{"a":"\xc3\xa9","b":[1,{"c":2,"d":1}]}'
    )
    paris = ENTRY.time.astimezone(timezone(timedelta(hours=1)))
    assert digest(replace(ENTRY, time=paris)) == digest(ENTRY)


@pytest.mark.parametrize(
    "other",
    [
        replace(ENTRY, number=8),
        replace(ENTRY, time=ENTRY.time + timedelta(microseconds=1)),
        replace(ENTRY, by="Dr B"),
        replace(ENTRY, why="Released"),
        replace(ENTRY, key="device:d-2"),
        replace(ENTRY, change='{"revoked":[true,false]}'),
        # The same letters, told in other fields.
        replace(ENTRY, key="device:d-1released", why=""),
    ],
)
def test_each_field_moves_the_hash(other: Entry) -> None:
    assert digest(other) != digest(ENTRY)


def test_the_entry_before_and_the_salt_move_the_hash() -> None:
    assert digest(ENTRY, previous=bytes([1]) * 32) != digest(ENTRY)
    assert digest(ENTRY, salt=bytes(16)) != digest(ENTRY)
