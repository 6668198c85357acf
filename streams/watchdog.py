"""Notices a worker that no longer moves, from a thread of its own, and ends it.

Faust's agents have been seen to stop without a word, and an event loop that hangs answers nobody.
A worker that waits for a database which refuses it is not stuck: it says so in /healthz.
"""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from streams.agents import Applier

# After so long without a commit, while records wait, a human should look (/healthz turns red) ...
SLOW_SECONDS = 30.0
# ... and after so long the process ends itself, for its supervisor to start it anew. Twelve times
# the session timeout, and far above the longest batch that was measured (seconds).
STUCK_SECONDS = 120.0
STUCK_EXIT_STATUS = 70


class Watchdog:
    """Watches one worker, whose lag is told to it every few seconds as a sign of life."""

    def __init__(self, applier: Applier) -> None:
        self._applier = applier
        self._lag = 0
        self._waiting_since = self._told = monotonic()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()

    def tell(self, lag: int | None) -> None:
        """Take in how many records wait; None when Kafka did not say. Call it every few seconds."""
        self._told = monotonic()
        if lag is not None:
            if self._lag == 0:
                self._waiting_since = self._told
            self._lag = lag

    def seconds_still(self) -> float:
        """How long nothing has moved: while records wait, or because the event loop hangs."""
        now = monotonic()
        silent = now - self._told
        if self._lag == 0:
            return silent
        return max(silent, now - max(self._applier.moved, self._waiting_since))

    def slow(self) -> str | None:
        """Say that nothing has moved for long; None while all is well."""
        still = self.seconds_still()
        if still < SLOW_SECONDS:
            return None
        return f"no commit for {still:.0f} s while {self._lag} records wait"

    def database(self) -> str | None:
        """Say why the database does not take batches; None while it does."""
        return self._applier.trouble

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            still = self.seconds_still()
            if still > STUCK_SECONDS:
                structlog.get_logger().error("stuck, ending", seconds=round(still), lag=self._lag)
                os._exit(STUCK_EXIT_STATUS)
