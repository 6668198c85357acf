"""What a channel promises to the dispatcher, and the two ways in which it can fail.

VigieError
└── NotAccepted
    ├── NotNow    retryable   the other side is away, busy or wants another login: try again later
    └── Refused   final       the other side will never take this delivery
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ingest.ports import VigieError

if TYPE_CHECKING:
    from alerts import events
    from alerts.delivery import Due


class Channel(Protocol):
    """One way out, as the dispatcher sees it; it calls `send` for many deliveries at once.

    `name` is the channel's name in the journal, `settled` the state of a delivery it has handed
    over: as far as the channel can know, and no further.
    """

    name: events.Channel
    settled: events.DeliveryState

    async def send(self, due: Due) -> None:
        """Hand the delivery over; returning means that the other side has it.

        The same delivery may come again after a crash: what is sent carries an identifier derived
        from it, so that the other side can tell. Never blocks the loop, keeps nothing, and may be
        cancelled at any await. Raises NotNow or Refused, whose text holds neither patient data nor
        a secret nor anything that the other side said.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


class NotAccepted(VigieError):
    """The other side did not take a delivery.

    `status` says why in a few closed words ("http 422", "smtp 550", "timeout"): it becomes the
    journal's reason, so the other side's own words, which may quote the message, are left out.
    """

    def __init__(self, channel: events.Channel, status: str) -> None:
        super().__init__(f"{channel}: {status}")
        self.channel, self.status = channel, status


class NotNow(NotAccepted):
    """Nothing is wrong with the delivery itself: put it back and try again."""

    retryable = True


class Refused(NotAccepted):
    """The other side will never take this delivery: a human must look."""
