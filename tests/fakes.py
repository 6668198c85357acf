"""Second implementations of ports, in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ingest.ports import LogUnavailable

if TYPE_CHECKING:
    from asyncio import Future


class Kept(NamedTuple):
    """A record that the log in memory has taken."""

    topic: str
    value: bytes | None
    partition: int | None
    key: bytes | None


class MemoryLog:
    """A log that keeps records in memory: `ports.Sink`, with the weather to choose.

    While `away` it takes nothing; the next `failing` records are taken and then fail, as when a
    broker dies in between; while `held` the acknowledgements wait for `release`.
    """

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.away = False
        self.failing = 0
        self.held = False
        self._waiting: list[Future[object]] = []

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        key: bytes | None = None,
    ) -> Future[object]:
        """Take one record; see `ports.Sink`."""
        if self.away:
            raise LogUnavailable("away")
        future: Future[object] = asyncio.get_running_loop().create_future()
        if self.failing:
            self.failing -= 1
            future.set_exception(LogUnavailable("lost on the way"))
            return future
        self.kept.append(Kept(topic, value, partition, key))
        if self.held:
            self._waiting.append(future)
        else:
            future.set_result(None)
        return future

    def release(self) -> None:
        """Acknowledge everything that was held back."""
        self.held = False
        for future in self._waiting:
            future.set_result(None)
        self._waiting.clear()
