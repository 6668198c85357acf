"""The other half of the account: refusals by reason."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import msgspec
from rich.console import Console

from ingest.codec import Refused, Rejected, encode
from ingest.quarantine.records import Outcome, Settled
from ingest.readings import Refusal
from streams.refusals import UNLISTED, Refusals, as_table
from tests.unit.streams.log import START, moment

WHOLE = Rejected("d-1", "vigie/v1/d-1/readings", (Refused(Refusal.NOT_JSON),), START, "g", 1, b"{")


def counted(*records: Rejected | Settled) -> Refusals:
    """Count these records of the quarantine."""
    found = Refusals()
    for record in records:
        found.take(encode(record))
    return found


def test_each_refusal_counts_for_its_reason_and_each_message_once() -> None:
    parts = (
        Refused(Refusal.NULL, "readings[0].spo2"),
        Refused(Refusal.OUT_OF_RANGE, "readings[1]"),
    )
    found = counted(WHOLE, msgspec.structs.replace(WHOLE, refused=parts))
    assert found.reasons == {"not-json": 1, "null": 1, "out-of-range": 1}
    assert found.messages == 2


def test_what_was_refused_for_want_of_consent_is_one_record_and_many_messages() -> None:
    count = Rejected("", "", (Refused(Refusal.NO_CONSENT),), START, "g", 0, b"", more=41)
    found = counted(count)
    assert found.reasons == {"no-consent": 42}
    assert found.messages == 42


def test_refusals_beyond_those_listed_count_as_their_like_or_as_unlisted() -> None:
    two = (Refused(Refusal.NULL, "a"), Refused(Refusal.OUT_OF_RANGE, "b"))
    found = counted(
        msgspec.structs.replace(WHOLE, more=10), msgspec.structs.replace(WHOLE, refused=two, more=5)
    )
    assert found.reasons == {"not-json": 11, "null": 1, "out-of-range": 1, UNLISTED: 5}
    assert found.messages == 2


def test_marks_are_no_refusals() -> None:
    replayed = Settled(0, Outcome.REPLAYED, START, "me")
    found = counted(WHOLE, WHOLE, replayed, msgspec.structs.replace(replayed, outcome="dropped"))
    assert (found.messages, found.replayed, found.dropped) == (2, 1, 1)


def test_the_count_says_since_when_and_survives_what_it_cannot_read() -> None:
    found = counted(WHOLE, msgspec.structs.replace(WHOLE, time=START - timedelta(days=3)))
    found.take(b"\xff")
    found.take(None)
    assert found.since == moment(-3 * 86_400)
    assert (found.messages, found.unreadable) == (2, 2)


def test_the_table_ends_with_the_sum() -> None:
    printed = StringIO()
    found = counted(WHOLE, msgspec.structs.replace(WHOLE, more=16))
    Console(width=80, file=printed).print(as_table(found))
    assert "18" in printed.getvalue()
