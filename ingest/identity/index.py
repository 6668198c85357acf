"""What was issued to whom: the authority's memory, of which revocations and passwords are made."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from ingest.identity import files
from ingest.identity.errors import AuthorityUnusable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Reason(StrEnum):
    """Why a certificate or password no longer counts."""

    COMPROMISED = "compromised"  # lost, stolen, or its key was seen
    REPLACED = "replaced"  # by a newer one of the same device
    RETIRED = "retired"  # the device is no longer used
    WITHDRAWN = "withdrawn"  # it may no longer publish
    UNSPECIFIED = "unspecified"


class State(StrEnum):
    """How a certificate or password stands at a moment."""

    VALID = "valid"
    REPLACED = "replaced"  # a newer one is there; this one still counts, up to `revoked`
    EXPIRED = "expired"
    REVOKED = "revoked"


class Issued(msgspec.Struct, frozen=True, omit_defaults=True, rename={"start": "from"}):
    """One certificate (with a serial number) or one password (with its hash) of a device.

    It counts from `start` up to `until` (UTC; None, for passwords: no end), unless it is `revoked`
    from some moment on; a moment that lies ahead is the end of a rotation's overlap.
    """

    device: str
    start: datetime
    until: datetime | None = None
    serial: str | None = None
    password: str | None = None
    revoked: datetime | None = None
    reason: Reason | None = None

    def state(self, now: datetime) -> State:
        """Say how it stands at this moment."""
        if self.revoked is not None and self.revoked <= now:
            return State.REVOKED
        if self.until is not None and self.until <= now:
            return State.EXPIRED
        return State.VALID if self.revoked is None else State.REPLACED

    def counts(self, now: datetime) -> bool:
        """Whether the broker lets the device in with it."""
        return self.state(now) in {State.VALID, State.REPLACED}


def read(path: Path) -> list[Issued]:
    """Read the index, oldest first. Raises AuthorityUnusable, naming the line that is wrong."""
    if not path.exists():
        return []
    decoder = msgspec.json.Decoder(Issued)
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise AuthorityUnusable(f"{path}, line {number}: {error}") from None
    return found


def write(path: Path, issued: Iterable[Issued]) -> None:
    """Replace the index."""
    files.replace(path, msgspec.json.Encoder().encode_lines(issued))
