"""The last door: nothing goes to a patient's e-health space that the patient does not agree to now.

A delivery is queued when its alert starts, and may wait for hours: consent is asked for again right
before it is sent, from the registry as it stands then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ingest.registry.entities import Purpose

if TYPE_CHECKING:
    from alerts.delivery import Due
    from ingest.registry.follower import Follower

# The reason that the journal of deliveries shows.
NO_CONSENT = "no consent"


class Gate(Protocol):
    """Asked by a channel's lane, before each send. Neither call blocks."""

    @property
    def ready(self) -> bool:
        """Whether it can tell; until then the lane claims nothing."""
        ...

    def withholds(self, due: Due) -> bool:
        """Whether the delivery must not be sent, now or later."""
        ...


class Open:
    """The gate of a channel that needs no consent of its own: it lets everything pass."""

    ready = True

    def withholds(self, due: Due) -> bool:
        """Let it pass."""
        del due
        return False


class Sharing:
    """Asks for the consent to share; it knows nothing before the registry was read once.

    While Kafka is away afterwards, what was read last holds.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.ready = False

    async def run(self) -> None:
        """Follow the registry until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            await self._follower.caught_up()
            self.ready = True

    def withholds(self, due: Due) -> bool:
        """Whether the patient does not agree to share, as far as the registry was read.

        Who does not agree that readings are kept shares none either.
        """
        consents = self._follower.registry.newest(due.event.patient).consents
        return Purpose.SHARE not in consents or Purpose.COLLECT not in consents
