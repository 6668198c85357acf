"""Which devices are there: their birth messages, their own goodbyes, and their Last Wills.

A device publishes, retained, on `vigie/v1/{device}/presence`: `{"state": "online"}` when it comes
and `{"state": "offline"}` when it goes of its own will. It leaves `{"state": "lost"}` as its Will,
which the broker publishes when the connection breaks and does not come back. A clean goodbye is no
alarm. Every gateway hears every message, so each has the whole count.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

TOPIC, SUFFIX = "vigie/v1/+/presence", "/presence"
# Of a broker without rules anybody can invent devices: more than these are not remembered.
DEVICES = 1_000_000


class State(StrEnum):
    """What a device last said of itself, or its Will said for it."""

    ONLINE = "online"
    OFFLINE = "offline"
    LOST = "lost"


class _Said(msgspec.Struct):
    state: State


_decoder = msgspec.json.Decoder(_Said)


class Presence:
    """The last word of each device. An empty message (a retained one was deleted) forgets it."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}

    def take(self, device: str, payload: bytes) -> None:
        """Take in a presence message; what is none of these changes nothing."""
        if not payload:
            self._states.pop(device, None)
            return
        try:
            said = _decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if device in self._states or len(self._states) < DEVICES:
            self._states[device] = said.state

    def count(self, state: State) -> int:
        """How many devices said so last."""
        return sum(one is state for one in self._states.values())
