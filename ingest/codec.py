"""Records of the log: typed values on this side, JSON bytes on the other.

Each value carries `schema`, a name with a version. A reader accepts every version listed in its
union: to change a record, add a struct with the next version and convert the previous one here.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TypeVar

import msgspec

from ingest.ports import MalformedRecord
from ingest.readings import Instant, Refusal  # noqa: TC001 (as above)
from ingest.registry.entities import Device, Entity, Model, Patient


class Message(msgspec.Struct, frozen=True, gc=False):
    """What one device message told of one patient. `seq` is the device's own number of it.

    `received` is the gateway's clock, UTC.
    """

    patient: str
    device: str
    seq: int
    received: datetime
    readings: tuple[Instant, ...]


class Bundle(msgspec.Struct, frozen=True, tag_field="schema", tag="bundle/1"):
    """Messages that one gateway took for one partition within a few milliseconds, in order."""

    gateway: str
    messages: tuple[Message, ...]


class Tick(msgspec.Struct, frozen=True, tag_field="schema", tag="tick/1", gc=False):
    """The gateway's time, UTC, and the registry revision that holds from this place of the log on.

    Revision n means: the records of `vigie.registry` with an offset below n.
    """

    gateway: str
    time: datetime
    revision: int


class Refused(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One refusal: why, and where in the message (`readings[0].spo2`; empty = the whole of it)."""

    reason: Refusal
    at: str = ""


class Rejected(
    msgspec.Struct, frozen=True, tag_field="schema", tag="rejected/1", omit_defaults=True
):
    """A message, or parts of it, in quarantine: the original bytes, and what was wrong with them.

    `time` is when it was refused (UTC), `by` the process that refused it. `size` is the length of
    the original, in bytes; `payload` is shorter than that where the original was too large to keep.
    `place` names topic, partition and offset where the worker refused a record of the log; `more`
    counts refusals beyond those that are listed.
    """

    device: str
    topic: str
    refused: tuple[Refused, ...]
    time: datetime
    by: str
    size: int
    payload: bytes
    seq: int | None = None
    place: str = ""
    more: int = 0


T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_record = msgspec.json.Decoder(Bundle | Tick)
_rejected = msgspec.json.Decoder(Rejected)
_registry = msgspec.json.Decoder(Patient | Device | Model)

encode = _encoder.encode


def decode_record(value: bytes | None) -> Bundle | Tick:
    """Read a record of `vigie.readings`. Raises MalformedRecord, which names no value."""
    record: Bundle | Tick = _decode(_record, value)
    return record


def decode_rejected(value: bytes | None) -> Rejected:
    """Read a record of `vigie.rejected`. Raises MalformedRecord."""
    return _decode(_rejected, value)


def decode_registry(value: bytes | None) -> Entity:
    """Read a record of `vigie.registry`. Raises MalformedRecord."""
    entity: Entity = _decode(_registry, value)
    return entity


def _decode(decoder: msgspec.json.Decoder[T], value: bytes | None) -> T:
    if value is None:
        msg = "the record has no value"
        raise MalformedRecord(msg)
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # msgspec's message names the place and the expected type, and never quotes the value
        # except for an unknown enum member or tag: those are left out.
        place = str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the record"
        msg = f"not one of our records, at {place}"
        raise MalformedRecord(msg) from None
