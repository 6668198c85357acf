"""What stands in `vigie.rejected`: refused messages, and marks that say which are dealt with.

Kafka forgets nothing on request, so an entry that was replayed or dropped gets a *mark*: a later
record of the same partition that names its offset. An entry without one is open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ingest.codec import Message, Rejected
from ingest.ports import MalformedRecord, VigieError

if TYPE_CHECKING:
    from collections.abc import Collection

    from ingest.readings import Refusal


class Outcome(StrEnum):
    """How an entry of the quarantine was dealt with."""

    REPLAYED = "replayed"  # all of it has passed the door and is in the log
    DROPPED = "dropped"  # somebody decided that it is not needed


class Settled(
    msgspec.Struct, frozen=True, tag_field="schema", tag="settled/1", omit_defaults=True, gc=False
):
    """The mark: the entry at `offset` of this very partition is dealt with.

    `time` (UTC) and `by` say when and by whom; `why` is that person's own reason, if one was given.
    """

    offset: int
    outcome: Outcome
    time: datetime
    by: str
    why: str = ""


class NoSuchEntry(VigieError):
    """The quarantine has no entry of this name: it was never there, or its 30 days are over."""


class Name(NamedTuple):
    """An entry's stable name, `PARTITION-OFFSET`: its place in `vigie.rejected`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read a name as people type it. Raises NoSuchEntry.

        >>> Name.parse("3-41")
        Name(partition=3, offset=41)
        """
        found = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,18})", text, re.ASCII)
        if found is None:
            raise NoSuchEntry(f"`{text}` names no entry: write PARTITION-OFFSET, such as 3-41")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name, what was refused, and the mark that it carries (None: it is open).

    `kept` is how many bytes of the original the quarantine has. `rejected.payload` is empty where
    it was not asked for.
    """

    name: Name
    rejected: Rejected
    kept: int
    settled: Settled | None = None

    @property
    def whole(self) -> bool:
        """Whether all bytes of the original were kept; a part of a message cannot be replayed."""
        return self.kept == self.rejected.size

    @property
    def state(self) -> str:
        """Say in a word what became of it: open, replayed, dropped; or it is only a count."""
        if is_count(self.rejected):
            return "counted"
        return "open" if self.settled is None else self.settled.outcome.value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; what is None does not matter.

    `since` (included) and `until` (not included) bound the time of the refusal, UTC. With `names`,
    only those. Entries that carry a mark, or are only counts, are left out unless `settled`. Of all
    that are found, a replay or drop takes the `oldest` so many.
    """

    reason: Refusal | None = None
    device: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    names: Collection[Name] | None = None
    settled: bool = False
    oldest: int | None = None

    def takes(self, name: Name, rejected: Rejected) -> bool:
        """Whether the entry is asked for, its mark aside."""
        return (
            (self.settled or not is_count(rejected))
            and (self.names is None or name in self.names)
            and (self.device is None or rejected.device == self.device)
            and (self.since is None or rejected.time >= self.since)
            and (self.until is None or rejected.time < self.until)
            and (self.reason is None or any(o.reason is self.reason for o in rejected.refused))
        )


def is_count(rejected: Rejected) -> bool:
    """Whether the record only counts what was refused for want of a consent: nothing was kept."""
    return not rejected.topic


_decoder = msgspec.json.Decoder(Rejected | Settled)
_message = msgspec.json.Decoder(Message)


def decode(value: bytes | None) -> Rejected | Settled:
    """Read a record of `vigie.rejected`. Raises MalformedRecord, which names no value."""
    if value is None:
        raise MalformedRecord("the record has no value")
    try:
        record: Rejected | Settled = _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedRecord("not a record of the quarantine") from None
    return record


def decode_message(payload: bytes) -> Message:
    """Read the one message that a worker put into quarantine. Raises MalformedRecord."""
    try:
        return _message.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedRecord("not a message of the log") from None
