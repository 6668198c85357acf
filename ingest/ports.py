"""The promises between the gateway and the outside world, and the errors that belong to them.

An adapter of one of these ports is the only module that imports its client library.

    VigieError
    ├── BrokerUnavailable     retryable   the MQTT broker cannot be reached or has closed the link
    ├── LogUnavailable        retryable   Kafka does not take or give records now
    ├── MalformedRecord       final       bytes that are not one of our Kafka records
    └── SettingError          final       a setting is missing or wrong: the operator must mend it
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Sequence


class VigieError(Exception):
    """Base of all errors that Vigie raises on purpose; the text never holds patient data."""

    retryable: ClassVar[bool] = False


class BrokerUnavailable(VigieError):
    """The MQTT broker cannot be reached, or has ended the connection. Try again with back-off."""

    retryable = True


class LogUnavailable(VigieError):
    """Kafka does not take or give records now. Nothing was lost: try again with back-off."""

    retryable = True


class MalformedRecord(VigieError):
    """The bytes are not one of our records. Trying again cannot help: put them into quarantine."""


class SettingError(VigieError):
    """A setting is missing or wrong. The text names it and says what would be right."""


class Clock(Protocol):
    """Where a process at the rim takes the time from; the pure parts get moments as arguments."""

    def now(self) -> datetime:
        """Return the present moment, in UTC with its zone."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC with its zone."""
        return datetime.now(UTC)


class Source(Protocol):
    """An MQTT broker as the gateway sees it: messages in, acknowledgements and receipts out.

    The source calls `on_message(topic, payload, packet)` in the event loop for each PUBLISH, in
    order of arrival, and acknowledges nothing by itself; a QoS 0 message has packet 0. It
    reconnects with back-off for ever, and calls `on_connected` after each new session: packets of
    an earlier connection are void then, and the broker sends again what was not acknowledged.
    """

    connected: bool

    async def run(
        self,
        on_message: Callable[[str, bytes, int], None],
        on_connected: Callable[[], None],
    ) -> None:
        """Stay connected until cancelled. Raises SettingError when the broker refuses us."""
        ...

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Send PUBACKs, in this order, in one write. Never blocks; silent when not connected."""
        ...

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one message with QoS 0. Never blocks; silent when not connected."""
        ...

    def pause(self) -> None:
        """Stop reading from the broker: back-pressure. The connection stays open."""
        ...

    def resume(self) -> None:
        """Read again."""
        ...

    async def close(self) -> None:
        """Say DISCONNECT and close; the session stays with the broker."""
        ...


class Sink(Protocol):
    """The log as the gateway sees it."""

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        key: bytes | None = None,
    ) -> Future[object]:
        """Queue one record; the future ends when all in-sync replicas have it.

        Waits only for room in the producer's buffer. Raises LogUnavailable; so does the future.
        """
        ...
