"""Builders around NEWS2; they hide what a test does not speak of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from detectors.base import Moment, Sample
from detectors.news2 import News2Detector, Options
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Score
    from detectors.findings import Finding
    from ingest.readings import Vital


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADULT = Patient("p-1")
EARLIER = NOON - timedelta(minutes=3)


def made(**options: object) -> News2Detector:
    return News2Detector(msgspec.convert(options, Options))


def shown(
    detector: News2Detector,
    values: Mapping[Vital, float],
    time: datetime = NOON,
    settings: Patient = ADULT,
    device: str = "dev-1",
    opened: frozenset[str] = frozenset(),
) -> Score | None:
    """Score a moment and learn it, as the panel does; returns the score."""
    samples = tuple(Sample(vital, values[vital]) for vital in sorted(values))
    moment = Moment(time, time.timestamp(), device, samples, open=opened)
    scores = detector.score(settings, moment, {})
    detector.learn(settings, moment, scores)
    return scores[0] if scores else None


def found(one: Score | None) -> Finding:
    assert one is not None
    assert one.finding is not None
    return one.finding


def total(one: Score | None) -> float:
    assert one is not None
    return one.value
