"""From scores to findings: the few rules by which detectors speak together. Pure.

Each rule has a name and a switch in the profile's section `[combine]`; `Rules` says what each does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from detectors.base import Moment

NAME = "combine"
DETECTOR = "combine/1"
AGREEMENT = "combine.agreement"
NEWS2 = "news2"
RISK = "risk."

# What is one thing to a body, and so counts once: a pulse and a heart rate that are both high are
# one unusual thing, a heart rate and a temperature are two (engineering choice, after the systems
# of NEWS2's chart).
SYSTEMS: Mapping[str, str] = MappingProxyType(
    {
        Vital.HEART_RATE: "pulse",
        Vital.PULSE_RATE: "pulse",
        Vital.SYSTOLIC: "pressure",
        Vital.DIASTOLIC: "pressure",
        Vital.MEAN_PRESSURE: "pressure",
        Vital.RESPIRATORY_RATE: "breathing",
        Vital.SPO2: "oxygen",
        Vital.TEMPERATURE: "temperature",
    }
)
# Systems that must be unusual at once.
AT_LEAST = 2


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The switches, and what little there is to set.

    `inhibit`: what a technical finding explains (the vitals it rests on) reaches no later detector,
    so it raises no physiological finding and is not learned.

    `covered`: while NEWS2 itself calls for a human, a risk or an agreement that says no more than
    that is not raised besides: one letter for one illness.

    `agreement`: two systems of the body that are each unusual for this patient, only advice alone,
    are a reason for closer follow-up together, once both have been so for `agreement_minutes`. It
    ends after `agreement_hours`: by then the physician knows, and it may be the new usual.
    """

    inhibit: bool = True
    covered: bool = True
    agreement: bool = True
    agreement_minutes: float = 10.0
    agreement_hours: float = 24.0


class Unusual(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was last found unusual of one system; `since` and `at` in seconds since 1970, UTC.

    `low` and `high` bound what was expected, `against` says of what.
    """

    vital: str
    value: float
    at: float
    since: float
    device: str
    low: float | None
    high: float | None
    against: Against | None


class Combination:
    """Speaks for several detectors together; remembers what was unusual of each system.

    Cost: next to nothing while nothing is unusual. State: about 50 bytes per unusual system.
    """

    def __init__(self, rules: Rules, state: dict[str, Unusual] | None = None) -> None:
        self._rules = rules
        self._unusual = state if state is not None else {}

    def snapshot(self) -> dict[str, Unusual]:
        """Return what is unusual now, by system."""
        return self._unusual

    def agreement(self, moment: Moment, scores: Mapping[str, Score]) -> Iterator[Score]:
        """Say whether several systems are unusual together, or, where that is open, no more so."""
        if not self._rules.agreement or not self._concerned(moment, scores):
            return
        if not self._remember(moment, scores):
            return
        held = [
            one
            for one in self._unusual.values()
            if moment.at - one.since >= 60 * self._rules.agreement_minutes
        ]
        finding = None
        if len(held) >= AT_LEAST:
            since = sorted(one.since for one in held)[AT_LEAST - 1]
            if moment.at - since <= 3600 * self._rules.agreement_hours:
                finding = _together(held, since)
        if finding is not None:
            yield Score(DETECTOR, AGREEMENT, float(len(held)), finding, since=finding.since)
        elif AGREEMENT in moment.open:
            yield Score(DETECTOR, AGREEMENT, float(len(held)))

    def _concerned(self, moment: Moment, scores: Mapping[str, Score]) -> bool:
        """Whether there is anything to look at: nearly always there is not."""
        if self._unusual or AGREEMENT in moment.open:
            return True
        return any(
            one.finding is not None and one.finding.kind is Kind.ADVISORY for one in scores.values()
        )

    def _remember(self, moment: Moment, scores: Mapping[str, Score]) -> bool:
        """Take in what each system's advice says; returns whether any system was asked."""
        unusual: dict[str, Finding] = {}
        asked = set()
        for score in scores.values():
            system = SYSTEMS.get(score.vital) if score.vital is not None else None
            if system is None or score.rule.startswith(("limits.", "trends.")):
                continue
            asked.add(system)
            if score.finding is not None and score.finding.kind is Kind.ADVISORY:
                unusual.setdefault(system, score.finding)
        for system in asked:
            found = unusual.get(system)
            if found is None:
                self._unusual.pop(system, None)
                continue
            one, before = found.evidence[-1], self._unusual.get(system)
            since = (found.since or moment.time).timestamp()
            if before is not None:
                since = min(since, before.since)
            self._unusual[system] = Unusual(
                one.vital,
                one.value,
                moment.at,
                since,
                moment.device,
                one.low,
                one.high,
                found.against,
            )
        oldest = moment.at - 3600 * self._rules.agreement_hours
        for system in [one for one, known in self._unusual.items() if known.at < oldest]:
            del self._unusual[system]  # not measured since
        return bool(asked)


def explained(scores: Collection[Score]) -> frozenset[str]:
    """Name the vitals of this moment that a technical finding speaks of."""
    return frozenset(
        evidence.vital
        for score in scores
        if score.finding is not None and score.finding.kind is Kind.TECHNICAL
        for evidence in score.finding.evidence
    )


def without(moment: Moment, vitals: Collection[str]) -> Moment:
    """Leave these vitals out of a moment."""
    return moment._replace(samples=tuple(one for one in moment.samples if one.vital not in vitals))


def covered(rules: Rules, scores: Mapping[str, Score]) -> frozenset[str]:
    """Name the rules that say no more than another finding: they stay as they were."""
    news2 = scores.get(NEWS2)
    if not rules.covered or news2 is None or news2.finding is None:
        return frozenset()
    rank = news2.finding.priority.rank
    return frozenset(
        rule
        for rule, score in scores.items()
        if (rule.startswith(RISK) or rule == AGREEMENT)
        and score.finding is not None
        and score.finding.priority.rank <= rank
    )


def _together(held: Collection[Unusual], since: float) -> Finding:
    evidence = tuple(
        Evidence(
            one.vital,
            one.value,
            datetime.fromtimestamp(one.at, UTC),
            one.device,
            one.low,
            one.high,
        )
        for one in sorted(held, key=lambda one: one.vital)
    )
    against = {one.against for one in held}
    return Finding(
        rule=AGREEMENT,
        kind=Kind.PHYSIOLOGICAL,
        priority=Priority.MEDIUM,
        detector=DETECTOR,
        evidence=evidence,
        score=float(len(held)),
        since=datetime.fromtimestamp(since, UTC),
        pattern=Pattern.TOGETHER,
        against=against.pop() if len(against) == 1 else Against.DAYS,
    )
