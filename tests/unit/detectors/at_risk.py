"""An adult who is well and one who is ill, as the risk detector is fed with them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from detectors.base import Moment, Sample
from ingest.registry.entities import Patient
from tests.unit.detectors.plain import START

if TYPE_CHECKING:
    from detectors.base import Score
    from detectors.risk import Risk


ADULT = Patient("p-1")
HOUR = timedelta(hours=1)
WELL = {"heart_rate": 72.0, "respiratory_rate": 14.0, "spo2": 98.0, "systolic": 125.0}
ILL = {"heart_rate": 128.0, "respiratory_rate": 30.0, "spo2": 90.0, "systolic": 92.0}
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def moment(time: datetime, values: dict[str, float], device: str = "dev-1") -> Moment:
    samples = tuple(Sample(vital, values[vital]) for vital in sorted(values))
    return Moment(time, time.timestamp(), device, samples)


def look(detector: Risk, one: Moment, settings: Patient = ADULT) -> dict[str, Score]:
    scores = detector.score(settings, one, {})
    detector.learn(settings, one, scores)
    return {score.rule: score for score in scores}


def told(risk: Risk) -> bytes:
    return _encoder.encode(risk.snapshot())


def falling_ill(detector: Risk, hours: int = 12) -> list[dict[str, Score]]:
    return [look(detector, moment(START + n * HOUR, WELL if n < 3 else ILL)) for n in range(hours)]
