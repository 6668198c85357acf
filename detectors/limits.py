"""Bounds that a physician prescribed for this patient (`Patient.limits`)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from detectors.findings import Evidence, Finding, Kind, Priority, Score
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Sample
    from ingest.registry.entities import Patient

DETECTOR = "limits/1"
RULES: Mapping[Vital, str] = MappingProxyType({vital: f"limits.{vital}" for vital in Vital})


class Limits:
    """How far a value lies beyond its prescribed bounds, in the vital's own unit.

    0 on and within the bounds; None where nothing is prescribed. There is nothing to learn and no
    state. A value beyond is medium priority whatever the distance: what is urgent is for the
    prescriber's bounds of another rule or for NEWS2 to say. Values marked as suspect count.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from detectors.base import Sample
    >>> from ingest.registry.entities import Limit, Patient
    >>> settings = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
    >>> moment = datetime(2026, 11, 24, tzinfo=UTC)
    >>> Limits().score(settings, Sample(Vital.SPO2, 85.0, moment, "dev-1"))
    Score(value=3.0, low=88.0, high=None)
    """

    def score(self, settings: Patient, sample: Sample) -> Score | None:
        """Say how far beyond its bounds the value lies; None without a prescription."""
        limit = settings.limits.get(sample.vital)
        if limit is None:
            return None
        low, high = limit.low, limit.high
        beyond = max(
            0.0,
            0.0 if low is None else low - sample.value,
            0.0 if high is None else sample.value - high,
        )
        return Score(
            beyond, None if low is None else float(low), None if high is None else float(high)
        )

    def learn(self, sample: Sample) -> None:
        """Do nothing: bounds are prescribed, not learned."""

    def finding(self, sample: Sample, score: Score) -> Finding | None:
        """Return what a human must know: the value lies beyond its bounds."""
        if score.value <= 0:
            return None
        evidence = Evidence(
            sample.vital, sample.value, sample.time, sample.device, score.low, score.high
        )
        return Finding(
            rule=RULES[sample.vital],
            kind=Kind.PHYSIOLOGICAL,
            priority=Priority.MEDIUM,
            detector=DETECTOR,
            evidence=(evidence,),
            score=score.value,
        )

    def snapshot(self) -> None:
        """Return nothing: there is no state."""

    @classmethod
    def restore(cls, state: None) -> Limits:
        """Make a detector; there is no state to go on from."""
        del state
        return cls()
