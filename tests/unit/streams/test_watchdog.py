"""The watchdog: silent while a worker has nothing to do or a reason to wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from streams.watchdog import SLOW_SECONDS, Watchdog

if TYPE_CHECKING:
    from streams.agents import Applier


def watching(moved: float) -> Watchdog:
    return Watchdog(cast("Applier", SimpleNamespace(moved=moved, trouble=None)))


def test_a_worker_that_has_waited_for_work_is_not_called_slow_when_work_comes() -> None:
    watchdog = watching(moved=float("-inf"))
    watchdog.tell(0)
    watchdog.tell(10)
    assert watchdog.slow() is None
    watchdog.close()


def test_a_worker_with_work_that_commits_nothing_is_called_slow() -> None:
    watchdog = watching(moved=float("-inf"))
    watchdog.tell(10)
    watchdog._waiting_since -= 2 * SLOW_SECONDS
    watchdog.tell(12)
    said = watchdog.slow()
    assert said is not None
    assert "12 records wait" in said
    watchdog.close()


def test_a_loop_that_no_longer_tells_its_lag_is_called_slow() -> None:
    watchdog = watching(moved=float("inf"))
    watchdog.tell(0)
    watchdog._told -= 2 * SLOW_SECONDS
    assert watchdog.slow() is not None
    watchdog.close()
