"""What a device must not forget: messages without a receipt, and when each is sent again.

Pure bookkeeping: no broker, no clock; moments are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.series import Value

# A receipt comes within a second when all is well. Doubling keeps a thousand devices from flooding
# a gateway that has just come back.
FIRST_REPEAT_SECONDS = 5.0
LONGEST_REPEAT_SECONDS = 60.0


class Refusal(msgspec.Struct, frozen=True):
    """One reading that will never be stored: message, place in it, and the gateway's reason."""

    seq: int | None = None
    at: str = ""
    reason: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """What the gateway promises: messages in these ranges are safe, or refused as listed."""

    safe: list[tuple[int, int]]
    refused: list[Refusal] = []


@dataclass(slots=True)
class Tally:
    """What became of a device's data: messages, repeats, instants that are safe, readings refused.

    `refused` counts refused readings by the gateway's reason.
    """

    sent: int = 0
    safe: int = 0
    repeated: int = 0
    instants: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take in another device's figures."""
        self.sent += other.sent
        self.safe += other.safe
        self.repeated += other.repeated
        self.instants += other.instants
        self.refused.update(other.refused)


@dataclass(slots=True)
class _Entry:
    payload: bytes
    instants: int
    due: float
    after: float = FIRST_REPEAT_SECONDS
    tries: int = 0
    refused: set[str] = field(default_factory=set)


class Pending:
    """A device's messages from their making to their receipt.

    `first_seq` must lie above every number that the device has ever used: numbers name messages.
    `window` bounds how many messages wait for a receipt at once.

    >>> pending = Pending(first_seq=7)
    >>> pending.add([{"time": "2026-11-24T03:00:00Z", "spo2": 97}], now=0)
    7
    >>> len(pending.due(now=0)), len(pending.due(now=4)), len(pending.due(now=5))
    (1, 0, 1)
    >>> pending.receipt(b'{"safe": [[7, 7]]}')
    1
    >>> pending.settled
    True
    """

    def __init__(self, first_seq: int, window: int = 200) -> None:
        self.tally = Tally()
        self._next = first_seq
        self._window = window
        self._entries: dict[int, _Entry] = {}
        self._earliest = 0.0
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Receipt).decode

    @property
    def room(self) -> bool:
        """Whether another message may be made now."""
        return len(self._entries) < self._window

    @property
    def settled(self) -> bool:
        """Whether every message has its receipt."""
        return not self._entries

    def __len__(self) -> int:
        """Count the messages without a receipt."""
        return len(self._entries)

    def add(self, readings: Sequence[dict[str, Value]], now: float) -> int:
        """Make a message of these instants, due at once, and return its number."""
        seq, self._next = self._next, self._next + 1
        payload = self._encode({"seq": seq, "readings": readings})
        self._entries[seq] = _Entry(payload, len(readings), due=now)
        self._earliest = min(self._earliest, now)
        return seq

    def due(self, now: float) -> list[bytes]:
        """Take what must be sent now: new messages, and those whose receipt is overdue."""
        if now < self._earliest:
            return []
        payloads = []
        for entry in self._entries.values():
            if entry.due > now:
                continue
            payloads.append(entry.payload)
            self.tally.repeated += entry.tries > 0
            self.tally.sent += entry.tries == 0
            entry.tries += 1
            entry.due = now + entry.after
            entry.after = min(2 * entry.after, LONGEST_REPEAT_SECONDS)
        self._earliest = min((entry.due for entry in self._entries.values()), default=now)
        return payloads

    def hurry(self, now: float) -> None:
        """Make everything due at once, after a reconnection: the receipts may have been lost."""
        for entry in self._entries.values():
            entry.due, entry.after = now, FIRST_REPEAT_SECONDS
        self._earliest = now

    def receipt(self, payload: bytes) -> int:
        """Forget what the receipt names, and return how many messages it settled.

        Bytes that are no receipt settle nothing.
        """
        try:
            receipt = self._decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return 0
        for refusal in receipt.refused:
            entry = self._entries.get(refusal.seq) if refusal.seq is not None else None
            if entry is not None and refusal.at not in entry.refused:
                entry.refused.add(refusal.at)
                self.tally.refused[refusal.reason] += 1
        named = [
            seq
            for seq in self._entries
            if any(first <= seq <= last for first, last in receipt.safe)
        ]
        for seq in named:
            self.tally.instants += self._entries.pop(seq).instants
        self.tally.safe += len(named)
        return len(named)
