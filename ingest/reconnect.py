"""Staying connected to a broker, whichever client speaks to it."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from ingest.ports import BrokerUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
# A connection that ended sooner was none: coming back at once would be a storm.
STEADY_SECONDS = 10.0


async def for_ever(session: Callable[[], Awaitable[str]]) -> None:
    """Hold one session after the other until cancelled.

    `session` connects, stays, and returns why the connection ended; it raises OSError, TimeoutError
    or BrokerUnavailable when there was none. What else it raises ends this too.
    """
    pause, told = FIRST_PAUSE_SECONDS, False
    while True:
        began = monotonic()
        try:
            why = await session()
        except (OSError, TimeoutError, BrokerUnavailable) as error:
            if not told:
                log.warning("waiting for the broker", error=str(error) or type(error).__name__)
            told = True
        else:
            log.warning("connection to the broker lost", why=why)
            told = False
            if monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
        # Jitter: gateways that lost the broker together must not come back together.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
