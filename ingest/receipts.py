"""Receipts: what is safe in Kafka, said back to the device a few times a second.

A receipt is selective and not cumulative, so nothing is remembered of a device once it is sent. A
lost one (QoS 0) only makes the device send again, and that message gets its receipt in turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ingest.codec import Refused

# Gathered for so long; the promise is a quarter of a second.
EVERY_SECONDS = 0.1
# Refusals in one receipt: it must stay well below a broker's packet limit.
REFUSALS = 500


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Write numbers as closed ranges, rising.

    >>> ranges([1042, 1038, 1039, 1044, 1038])
    [[1038, 1039], [1042, 1042], [1044, 1044]]
    """
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


class Receipts:
    """Gathers what is safe per device and sends it by `publish(topic, payload)`."""

    def __init__(self, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._safe: dict[str, list[int]] = {}
        self._refused: dict[str, list[dict[str, Any]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, device: str, seq: int, refused: Sequence[Refused]) -> None:
        """Note that a message is safe, or refused as listed; the receipt follows soon."""
        self._safe.setdefault(device, []).append(seq)
        if refused:
            self._refused.setdefault(device, []).extend(
                {"seq": seq, "at": one.at, "reason": one.reason} for one in refused
            )
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self.send)

    def send(self) -> None:
        """Send all that was gathered, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        safe, self._safe = self._safe, {}
        refused, self._refused = self._refused, {}
        for device, numbers in safe.items():
            for receipt in _receipts(ranges(numbers), refused.get(device, [])):
                self._publish(f"vigie/v1/{device}/receipts", msgspec.json.encode(receipt))


def _receipts(safe: list[list[int]], refused: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Cut a receipt with many refusals; the last part says what is safe, when all was told."""
    while len(refused) > REFUSALS:
        yield {"safe": [], "refused": refused[:REFUSALS]}
        refused = refused[REFUSALS:]
    yield {"safe": safe, "refused": refused} if refused else {"safe": safe}
