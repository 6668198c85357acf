"""Builders of what a baseline has learned; they hide what a test does not speak of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import cos, pi
from random import Random
from typing import TYPE_CHECKING, Any

from detectors.base import Moment, Sample
from detectors.baseline import Baseline, Options
from ingest.readings import Vital
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.base import Score

START = datetime(2026, 11, 24, tzinfo=UTC)
SETTINGS = Patient("p-1")
MINUTE, HOUR, DAY = 60, 3600, 86400
RULE = "baseline.heart_rate"


def at(second: float, value: float, vital: str = Vital.HEART_RATE, **rest: Any) -> Moment:
    time = START + timedelta(seconds=second)
    return Moment(time, time.timestamp(), "dev-1", (Sample(vital, value),), **rest)


def look(baseline: Baseline, moment: Moment) -> Score | None:
    """Score and learn, as the panel does."""
    scores = baseline.score(SETTINGS, moment, {})
    baseline.learn(SETTINGS, moment, scores)
    return scores[0] if scores else None


def score(baseline: Baseline, second: float, value: float, **rest: Any) -> Score | None:
    """Only look: nothing is learned."""
    found = baseline.score(SETTINGS, at(second, value, **rest), {})
    return found[0] if found else None


def far(baseline: Baseline, second: float, value: float, **rest: Any) -> float:
    found = score(baseline, second, value, **rest)
    assert found is not None
    return found.value


def learned(
    usual: Callable[[float], float], every: int, until: int, options: Options | None = None
) -> Baseline:
    """Build the baseline of a patient from what is usual at each second."""
    baseline = Baseline(options or Options())
    for second in range(0, until, every):
        look(baseline, at(second, usual(second)))
    return baseline


def steady(seed: int = 3, mean: float = 70.0, spread: float = 5.0) -> Callable[[float], float]:
    random = Random(seed)
    return lambda _second: random.gauss(mean, spread)


def day_and_night(seed: int = 6) -> Callable[[float], float]:
    """Tell of a heart that beats 15 faster at noon than the mean, and 15 slower at midnight."""
    random = Random(seed)
    return lambda second: random.gauss(70 - 15 * cos(2 * pi * second / DAY), 2.0)
