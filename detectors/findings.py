"""What a detector says about a patient, in words that end in the alert. The domain: no I/O."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum

import msgspec

from ingest.readings import Original  # noqa: TC001 (as above)


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


class Pattern(StrEnum):
    """In what way it is unusual: the word that an explanation turns on."""

    ABOVE = "above"  # above what was expected
    BELOW = "below"
    RISING = "rising"  # a trend, or a lasting shift of level
    FALLING = "falling"
    FLAT = "flat"  # the same number again and again, as no living body gives
    JUMP = "jump"  # a change that no body makes
    DISAGREES = "disagrees"  # two ways of measuring one thing do not agree
    OFF = "off"  # a sensor that is off, or has poor contact
    SILENT = "silent"  # a device or a vital that has stopped coming
    MISSED = "missed"  # a prescribed measurement that was not made
    TOGETHER = "together"  # each vital is passable, all of them together are not


class Against(StrEnum):
    """What a value was compared with."""

    CHART = "chart"  # a published score
    LIMITS = "limits"  # prescribed, or the profile's
    HOURS = "hours"  # this patient's own last hours
    DAYS = "days"
    WEEKS = "weeks"
    TIME_OF_DAY = "time-of-day"  # the same patient's usual at this time of the day
    OTHERS = "others"  # other patients: nothing is known of this one yet
    MODEL = "model"  # a fitted risk model
    EXPECTED = "expected"  # what should have come by now


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What one input gave to a model's score: `weight` above 0 speaks for concern."""

    name: str
    weight: float


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reading that speaks for a finding.

    `vital` is a `Vital`, or any other name in generic scoring. `value` is in the vital's own unit;
    `time` the device's, UTC. `low` and `high` bound what was expected (None: no bound on that
    side); `points` is the part of a clinical score it gave.
    """

    vital: str
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
    figure (unit by detector), `missing` the inputs it did not have. `since` (UTC) is when the
    unusual began; `pattern`, `against` and `parts` are what an explanation says of it.
    """

    rule: str
    kind: Kind
    priority: Priority
    detector: str
    evidence: tuple[Evidence, ...]
    score: float | None = None
    missing: tuple[str, ...] = ()
    since: datetime | None = None
    pattern: Pattern | None = None
    against: Against | None = None
    parts: tuple[Part, ...] = ()


class Assessment(msgspec.Struct, frozen=True, omit_defaults=True):
    """The scores of a patient at one moment (UTC, the device's). None means unknown, never 0.

    `news2` is the sum over the inputs that are known and still valid, `news2_missing` the rest.
    `anomaly` is how far the patient is from what is usual for him or her, unbounded above; None
    while warming up. `risks` are probabilities, 0..1, by the question that was asked.
    """

    time: datetime
    news2: int | None = None
    news2_missing: tuple[str, ...] = ()
    anomaly: float | None = None
    risks: dict[str, float] = {}


class Judgement(msgspec.Struct, frozen=True):
    """What the panel says after one instant.

    `judged` are the rules that could be asked with what came: a rule that is judged and has no
    finding is answered "normal"; a rule that is not judged stays as it was.
    """

    time: datetime
    assessment: Assessment | None
    judged: frozenset[str]
    findings: tuple[Finding, ...]
