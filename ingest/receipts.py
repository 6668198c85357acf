"""Receipts: what is safe in Kafka, said back to the device at once, then a few times a second.

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

# A device that heard nothing for so long hears at once; otherwise its receipts are gathered for so
# long. The promise is a quarter of a second; docs/performance.md has what it comes to.
EVERY_SECONDS = 0.05
# Refusals in one receipt: it must stay well below a broker's packet limit.
REFUSALS = 500
# So do ranges of numbers, and ids, of a device that leaves gaps between its numbers.
NAMES = 1000


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


class _Due:
    """What one device is to hear."""

    __slots__ = ("names", "refused")

    def __init__(self) -> None:
        self.names: list[int | str] = []
        self.refused: list[dict[str, Any]] = []


class Receipts:
    """Gathers what is safe per device and sends it by `publish(topic, payload)`."""

    def __init__(self, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._due: dict[str, _Due] = {}
        # Who was told something since the timer last rang.
        self._told: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(
        self,
        device: str,
        names: Iterable[int | str],
        refused: Iterable[tuple[int | str, Sequence[Refused]]] = (),
    ) -> None:
        """Note that messages are safe, or refused as listed; the receipt follows soon.

        A name is the device's number of the message, or its own id of it where it has no number.
        """
        due = self._due.get(device)
        if due is None:
            due = self._due[device] = _Due()
        due.names += names
        for name, refusals in refused:
            key = "seq" if isinstance(name, int) else "id"
            due.refused += [{key: name, "at": one.at, "reason": one.reason} for one in refusals]

    def prompt(self) -> None:
        """Send at once to those who were told nothing lately; the others hear soon."""
        for device in self._due.keys() - self._told:
            self._tell(device, self._due.pop(device))
            self._told.add(device)
        if self._timer is None and self._told:
            self._timer = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._ring)

    def send(self) -> None:
        """Send all that was gathered, now."""
        gathered, self._due = self._due, {}
        for device, due in gathered.items():
            self._tell(device, due)

    def _ring(self) -> None:
        self._timer = None
        self._told = set(self._due)
        self.send()
        self.prompt()

    def _tell(self, device: str, due: _Due) -> None:
        for receipt in _receipts(due):
            self._publish(f"vigie/v1/{device}/receipts", msgspec.json.encode(receipt))


def _receipts(due: _Due) -> Iterator[dict[str, Any]]:
    """Cut a receipt with much to tell; what is safe is said last, when all refusals were told."""
    cuts = range(REFUSALS, len(due.refused), REFUSALS)
    for cut in cuts:
        yield {"safe": [], "refused": due.refused[cut - REFUSALS : cut]}
    refused = due.refused[len(cuts) * REFUSALS :]
    spans = ranges(name for name in due.names if isinstance(name, int))
    ids = list(dict.fromkeys(name for name in due.names if isinstance(name, str)))
    for begin in range(0, max(len(spans), len(ids)), NAMES):
        end = begin + NAMES
        receipt: dict[str, Any] = {"safe": spans[begin:end]}
        if ids:
            receipt["ids"] = ids[begin:end]
        if refused:
            receipt["refused"], refused = refused, []
        yield receipt
