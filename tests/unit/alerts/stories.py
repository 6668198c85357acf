"""Builders of alert events and due deliveries; they hide what a test does not speak of."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from alerts.delivery import Delivery, Due, Measure
from alerts.events import AlertEvent, Channel, Phase, State, alert_id
from detectors.findings import Evidence, Finding, Kind, Priority
from ingest.readings import Vital

# The small hours of a November night in Paris: UTC+1.
NIGHT = datetime(2026, 11, 24, 3, tzinfo=UTC)
# What must appear in no subject, error, log or reason.
MARKED_PATIENT = "p-marqueur-17"
MARKED_VALUE = 131.25


def reading(vital: Vital, value: float, **rest: Any) -> Evidence:
    """Build evidence, at NIGHT, from one device."""
    return Evidence(vital, value, rest.pop("time", NIGHT), rest.pop("device", "dev-1"), **rest)


def finding(*evidence: Evidence, **rest: Any) -> Finding:
    """Build a finding; news2 and high unless told."""
    return Finding(
        rest.pop("rule", "news2"),
        rest.pop("kind", Kind.PHYSIOLOGICAL),
        rest.pop("priority", Priority.HIGH),
        rest.pop("detector", "news2/1"),
        evidence or (reading(Vital.HEART_RATE, MARKED_VALUE, low=51, high=90, points=3),),
        **rest,
    )


def event(found: Finding | None = None, **rest: Any) -> AlertEvent:
    """Build an alert event: a start unless told."""
    found = found or finding()
    patient = rest.pop("patient", MARKED_PATIENT)
    made = AlertEvent(
        alert=alert_id(patient, found.rule, NIGHT),
        number=1,
        patient=patient,
        phase=Phase.START,
        state=State.ACTIVE,
        priority=found.priority,
        kind=found.kind,
        time=NIGHT,
        started=NIGHT,
        finding=found,
    )
    return msgspec.structs.replace(made, **rest)


def measure(vital: Vital = Vital.HEART_RATE, value: float = MARKED_VALUE, **rest: Any) -> Measure:
    """Build a measure of one vital."""
    return Measure({vital: value}, NIGHT, "dev-1", **rest)


def due(channel: Channel = Channel.MAIL, told: AlertEvent | None = None, **rest: Any) -> Due:
    """Build a due delivery by a channel."""
    told = told or event()
    recipient = "cardio@hopital.mssante.example" if channel is Channel.MAIL else "idpe-17"
    delivery = Delivery(
        rest.pop("id", uuid.uuid5(told.alert, channel)),
        told.alert,
        told.number,
        channel,
        rest.pop("recipient", recipient),
        rest.pop("measure", None if channel is Channel.MAIL else measure()),
    )
    return Due(delivery, told, 1, NIGHT, NIGHT + timedelta(seconds=30))
