"""Lets the libraries speak through our log: warnings only, and not the same one many times."""

from __future__ import annotations

import logging
from time import monotonic

import structlog

log = structlog.get_logger()

# aiokafka tells of a broker that is away some twenty times a second.
SAME_EVERY_SECONDS = 30.0


def quiet() -> None:
    """Route the standard library's logging to structlog. Call once, when the process starts."""
    root = logging.getLogger()
    root.handlers[:] = [Through()]
    root.setLevel(logging.WARNING)


class Through(logging.Handler):
    """Hands a library's warnings on, each kind (place in its code) once in a while."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: dict[tuple[str, int], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, or count it until it may be said again."""
        place, now = (record.pathname, record.lineno), monotonic()
        said, held = self._said.get(place, (float("-inf"), 0))
        if now - said < SAME_EVERY_SECONDS:
            self._said[place] = (said, held + 1)
            return
        self._said[place] = (now, 0)
        # The text only: a traceback of a library may hold a record's bytes.
        more = {"held_back": held} if held else {}
        log.log(record.levelno, record.getMessage(), logger=record.name, **more)
