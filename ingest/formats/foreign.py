"""Reads the JSON of others: whatever the bytes are, a tree or a named refusal."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.formats.port import MESSAGE_BYTES
from ingest.readings import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

# What took longer is no measurement but a summary: the average of a week does not say how the
# patient is at its end. A day, and the hour of a clock change; ours.
LONGEST = timedelta(hours=25)
# What a message may be called in a receipt; it goes into MQTT messages and logs as it is.
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_decode = msgspec.json.Decoder().decode


def load(payload: bytes, read: Callable[[bytes], Any] = _decode) -> Any | Refusal:
    """Read a message of JSON. Never raises.

    `read` is quick and strict: msgspec, for a format that wants it with its own shape. What it
    refuses is read again by the standard library, which lets NaN, 1e999 and half a surrogate pair
    through: they are refused where they stand, so that the rest of the message is kept. Of a name
    that is written twice in one object, the last counts.
    """
    if len(payload) > MESSAGE_BYTES:
        return Refusal.TOO_LARGE
    try:
        return read(payload)
    except RecursionError:
        return Refusal.TOO_DEEP
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    if not payload.strip():
        return Refusal.EMPTY
    try:
        return json.loads(payload)
    except RecursionError:
        return Refusal.TOO_DEEP
    except ValueError:  # not JSON, not UTF-8, or a number of thousands of digits
        return Refusal.NOT_JSON


def name_of(*candidates: object) -> str | None:
    """Return the first that can name a message in a receipt; None when none can.

    >>> name_of(None, "a name with blanks", "d36bfdb6-b1b1-4efd")
    'd36bfdb6-b1b1-4efd'
    """
    for candidate in candidates:
        if isinstance(candidate, str) and _NAME.fullmatch(candidate):
            return candidate
    return None
