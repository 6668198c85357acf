"""Says a lasting trouble once: a line a second would hide what else the log has to tell."""

from __future__ import annotations

import structlog

log = structlog.get_logger()


class Trouble:
    """One thing that can be in trouble, and what was last said about it."""

    def __init__(self, what: str, **where: object) -> None:
        self._log = log.bind(**where)
        self._what, self._why = what, ""

    def because(self, why: object) -> None:
        """Log it, unless the same was said last."""
        if str(why) != self._why:
            self._why = str(why)
            self._log.warning(self._what, why=self._why)

    def over(self) -> None:
        """Log that it is over, if there was any."""
        if self._why:
            self._log.info("over", was=self._what)
            self._why = ""
