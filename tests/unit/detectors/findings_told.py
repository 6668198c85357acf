"""Findings of every family of rules, as the detectors make them; for what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from detectors.findings import Against, Evidence, Finding, Kind, Part, Pattern, Priority
from ingest.readings import Vital

# The small hours of a November night in Paris: UTC+1.
NIGHT = datetime(2026, 11, 24, 3, 52, tzinfo=UTC)
BEGAN = NIGHT - timedelta(minutes=40)
FAR = Evidence(Vital.HEART_RATE, 132.0, NIGHT, "dev-1", 58.0, 82.0)


def reading(vital: str, value: float, **rest: Any) -> Evidence:
    return Evidence(vital, value, rest.pop("time", NIGHT), "dev-1", **rest)


def finding(rule: str, *evidence: Evidence, **rest: Any) -> Finding:
    kind = rest.pop("kind", Kind.PHYSIOLOGICAL)
    return Finding(rule, kind, Priority.MEDIUM, "any/1", evidence, **{"since": BEGAN, **rest})


FOUND = {
    "a clinical score": finding(
        "news2",
        reading(Vital.SPO2, 88, low=96, points=3),
        reading(Vital.TEMPERATURE, 39.4, low=36.1, high=38, points=2),
        reading(Vital.CONSCIOUSNESS, 2, low=0, high=0, points=3),
        score=8.0,
        missing=("respiratory_rate", "systolic"),
        since=None,
    ),
    "a whole clinical score": finding(
        "news2", reading(Vital.SPO2, 90, low=96, points=3), score=3.0, against=Against.CHART
    ),
    "a limit, one side of it": finding(
        "limits.heart_rate", reading(Vital.HEART_RATE, 132, low=50, high=120)
    ),
    "a limit passed by less than one is rounded to": finding(
        "limits.spo2", reading(Vital.SPO2, 87.6, low=88), pattern=Pattern.BELOW
    ),
    "a trend": finding(
        "trends.weight",
        reading(Vital.WEIGHT, 76, time=NIGHT - timedelta(days=3)),
        reading(Vital.WEIGHT, 78.4),
        pattern=Pattern.RISING,
        against=Against.DAYS,
        since=NIGHT - timedelta(days=3),
    ),
    "the patient's own hours": finding(
        "baseline.heart_rate", FAR, pattern=Pattern.ABOVE, against=Against.HOURS
    ),
    "the time of day": finding(
        "baseline.steps",
        reading(Vital.STEPS, 400, low=3000, high=9000),
        pattern=Pattern.BELOW,
        against=Against.TIME_OF_DAY,
    ),
    "a new level": finding(
        "drift.temperature",
        reading(Vital.TEMPERATURE, 37.9, low=36.4, high=37.1),
        pattern=Pattern.RISING,
        against=Against.DAYS,
        since=NIGHT - timedelta(days=2),
    ),
    "other patients": finding(
        "population",
        reading(Vital.HEART_RATE, 118, low=55, high=110),
        reading(Vital.TEMPERATURE, 38.2),
        pattern=Pattern.ABOVE,
        against=Against.OTHERS,
        parts=(Part("heart_rate", 0.7), Part("temperature", 0.2)),
    ),
    "a risk": finding(
        "risk.deterioration",
        score=0.19,
        parts=(
            Part("temperature.now", -0.3),
            Part("heart_rate.mean3h", 0.4),
            Part("news2", 0.9),
        ),
        missing=("temperature",),
    ),
    "a flat line": finding(
        "artefact.flat.spo2",
        reading(Vital.SPO2, 97),
        kind=Kind.TECHNICAL,
        pattern=Pattern.FLAT,
        against=Against.EXPECTED,
    ),
    "a flat line that is believed": finding(
        "artefact.flat.spo2", kind=Kind.TECHNICAL, pattern=Pattern.FLAT, missing=("spo2",)
    ),
    "a jump": finding(
        "artefact.sensor.temperature",
        reading(Vital.TEMPERATURE, 32.0),
        kind=Kind.TECHNICAL,
        pattern=Pattern.JUMP,
    ),
    "two that disagree": finding(
        "artefact.disagreement",
        reading(Vital.HEART_RATE, 180),
        reading(Vital.PULSE_RATE, 80),
        kind=Kind.TECHNICAL,
        pattern=Pattern.DISAGREES,
    ),
    "one that disagrees": finding(
        "artefact.disagreement",
        reading(Vital.HEART_RATE, 170),
        kind=Kind.TECHNICAL,
        pattern=Pattern.DISAGREES,
    ),
    "one that disagrees and is believed": finding(
        "artefact.disagreement",
        kind=Kind.TECHNICAL,
        pattern=Pattern.DISAGREES,
        missing=("heart_rate",),
    ),
    "a sensor off": finding(
        "artefact.sensor.spo2",
        reading(Vital.SPO2, 0),
        kind=Kind.TECHNICAL,
        pattern=Pattern.OFF,
    ),
    "a silent device": finding(
        "silence.device",
        reading(Vital.SPO2, 97, time=BEGAN),
        kind=Kind.TECHNICAL,
        pattern=Pattern.SILENT,
        against=Against.EXPECTED,
    ),
    "several silent devices": finding(
        "silence.device",
        reading(Vital.SPO2, 97, time=BEGAN),
        Evidence(Vital.WEIGHT, 76.0, BEGAN, "dev-2"),
        kind=Kind.TECHNICAL,
        pattern=Pattern.SILENT,
        against=Against.EXPECTED,
    ),
    "a silent vital": finding(
        "silence.heart_rate",
        reading(Vital.HEART_RATE, 71, time=BEGAN),
        kind=Kind.TECHNICAL,
        pattern=Pattern.SILENT,
        against=Against.EXPECTED,
        missing=("heart_rate",),
    ),
    "a missed weight": finding(
        "silence.weight",
        kind=Kind.TECHNICAL,
        pattern=Pattern.MISSED,
        against=Against.EXPECTED,
        since=NIGHT - timedelta(days=1),
        missing=("weight",),
    ),
    "all of it together": finding(
        "anomaly",
        FAR,
        reading(Vital.TEMPERATURE, 38.2, low=36.2, high=37.4),
        pattern=Pattern.TOGETHER,
        against=Against.DAYS,
    ),
    "each alone may pass": finding(
        "population",
        reading(Vital.HEART_RATE, 80, low=58, high=82),
        reading(Vital.RESPIRATORY_RATE, 12),
        pattern=Pattern.TOGETHER,
        against=Against.OTHERS,
    ),
    "several functions": finding(
        "combine.agreement",
        FAR,
        reading(Vital.TEMPERATURE, 38.2, low=36.2, high=37.4),
        pattern=Pattern.TOGETHER,
        against=Against.DAYS,
    ),
    "a rule that has no words": finding("quantum.dev-7", reading("ph", 7.312)),
    "a rule without anything": finding("quantum.dev-7", since=None),
}
