"""What a detector says about a patient, in words that end in the alert. The domain: no I/O."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum
from typing import NamedTuple

import msgspec

from ingest.readings import Original, Vital  # noqa: TC001 (as above)


class Priority(StrEnum):
    """How soon a human must look (IEC 60601-1-8). For people: urgent, closer follow-up, advice."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Order priorities: 0 for low, 2 for high.

        >>> Priority.HIGH.rank > Priority.MEDIUM.rank > Priority.LOW.rank
        True
        """
        return ("low", "medium", "high").index(self.value)


class Kind(StrEnum):
    """What an alert speaks of: the patient, our equipment, or advice (IHE ACM alert type)."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"
    ADVISORY = "advisory"


class Score(NamedTuple):
    """What a detector makes of one value: how unusual, and what was expected.

    `value` rises with concern; its unit is the detector's. `low` and `high` bound what was
    expected, in the vital's own unit (None: no bound on that side).
    """

    value: float
    low: float | None = None
    high: float | None = None


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reading that speaks for a finding.

    `value` is in the vital's own unit; `time` the device's, UTC. `low` and `high` bound what was
    expected (None: no bound on that side); `points` is the part of a clinical score it gave.
    """

    vital: Vital
    value: float
    time: datetime
    device: str
    low: float | None = None
    high: float | None = None
    points: int | None = None
    original: Original | None = None


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something a human may have to know now, with what it rests on.

    `rule` names the question that was asked (`news2`, `limits.spo2`, `baseline.heart_rate`): at
    most one episode per patient and rule is open. `detector` is name and version, `score` its
    figure (unit by detector), `missing` the inputs it did not have.
    """

    rule: str
    kind: Kind
    priority: Priority
    detector: str
    evidence: tuple[Evidence, ...]
    score: float | None = None
    missing: tuple[Vital, ...] = ()


class Assessment(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scores of a patient at one moment (UTC, the device's). None means unknown, never 0.

    `news2` is the sum over the inputs that are known and still valid, `news2_missing` the rest.
    `anomaly` is the largest distance from the patient's own baseline among the vitals of this
    moment, unbounded above; None while warming up.
    """

    time: datetime
    news2: int | None = None
    news2_missing: tuple[Vital, ...] = ()
    anomaly: float | None = None


class Judgement(msgspec.Struct, frozen=True):
    """What the panel says after one instant.

    `judged` are the rules that could be asked with what came: a rule that is judged and has no
    finding is answered "normal"; a rule that is not judged stays as it was.
    """

    time: datetime
    assessment: Assessment | None
    judged: frozenset[str]
    findings: tuple[Finding, ...]
