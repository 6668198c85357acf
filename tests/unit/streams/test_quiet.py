"""What libraries log: passed on, but not twenty times a second."""

from __future__ import annotations

import logging

from structlog.testing import capture_logs

from streams.quiet import Through


def test_the_same_warning_is_said_once_and_another_one_too() -> None:
    logger = logging.getLogger("library")
    logger.propagate = False
    logger.addHandler(Through())
    with capture_logs() as said:
        for attempt in range(50):
            logger.error("no connection, attempt %d", attempt)
        logger.warning("something else")
        logger.info("of no interest")
    assert [entry["event"] for entry in said] == ["no connection, attempt 0", "something else"]
    assert said[0]["logger"] == "library"
