"""Builders of findings and judgements, for the life of an alert; they hide what does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from alerts.episode import Episodes
from detectors.findings import Evidence, Finding, Judgement, Kind, Priority
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alerts.events import AlertEvent

# Seconds in these tests count from here.
START = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE = 60


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def news2(
    priority: Priority = Priority.MEDIUM, vitals: Sequence[Vital] = (Vital.SPO2,), second: float = 0
) -> Finding:
    evidence = tuple(Evidence(vital, 1.0, at(second), "dev-1") for vital in vitals)
    return Finding("news2", Kind.PHYSIOLOGICAL, priority, "news2/1", evidence)


def baseline(vital: Vital = Vital.SPO2) -> Finding:
    evidence = (Evidence(vital, 1.0, START, "dev-1"),)
    return Finding(f"baseline.{vital}", Kind.ADVISORY, Priority.LOW, "baseline/1", evidence)


def judged(second: float, *findings: Finding, rules: Sequence[str] = ("news2",)) -> Judgement:
    named = frozenset({*rules, *(finding.rule for finding in findings)})
    return Judgement(at(second), None, named, findings)


def brief(events: Sequence[AlertEvent]) -> list[tuple[str, str]]:
    return [(event.phase.value, event.finding.rule) for event in events]


def opened() -> Episodes:
    """Build a patient with a medium `news2` alert, open since START."""
    episodes = Episodes("p-1")
    assert brief(episodes.observe(judged(0, news2()))) == [("start", "news2")]
    return episodes


ARTEFACT = "artefact.flat.spo2"


def artefact(*vitals: Vital, rule: str = ARTEFACT, kind: Kind = Kind.TECHNICAL) -> Finding:
    evidence = tuple(Evidence(vital, 1.0, START, "dev-1") for vital in vitals)
    return Finding(rule, kind, Priority.LOW, "artefact/1", evidence)
