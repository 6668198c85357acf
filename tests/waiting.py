"""Waiting on a condition with a deadline: the only way a test lets time pass."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_never = threading.Event()


def wait_until(
    holds: Callable[[], object],
    what: str,
    seconds: float = 60,
    *,
    pause: float = 0.1,
    meanwhile: Callable[[], object] | None = None,
) -> None:
    """Return as soon as `holds()` is true; fail with `what` after the deadline.

    `meanwhile` is done after each look that found the condition not yet true.
    """
    end = monotonic() + seconds
    while not holds():
        if monotonic() > end:
            message = f"waited {seconds:.0f} s in vain for: {what}"
            raise AssertionError(message)
        if meanwhile is not None:
            meanwhile()
        _never.wait(pause)
