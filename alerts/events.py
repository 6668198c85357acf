"""The words of an alert's life, as IHE ACM has them, and the events it consists of."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b

import msgspec

from detectors.findings import Finding, Kind, Priority  # noqa: TC001 (msgspec reads annotations)


class Phase(StrEnum):
    """What an event does to its alert (IHE ACM, MDC_ATTR_EVENT_PHASE)."""

    START = "start"
    CONTINUE = "continue"
    UPDATE = "update"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    END = "end"
    RESET = "reset"


class State(StrEnum):
    """Where an alert stands: its cause holds, is over but nobody has seen it, or it is done."""

    ACTIVE = "active"
    LATCHED = "latched"
    INACTIVE = "inactive"


class DeliveryState(StrEnum):
    """How far a delivery has come (IHE ACM dissemination status)."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"


class Channel(StrEnum):
    """The ways out."""

    MAIL = "mail"
    ENS = "ens"


class EndReason(StrEnum):
    """Why an alert ended although its cause may not have."""

    CONSENT_WITHDRAWN = "consent-withdrawn"  # the patient does not agree to be watched any more


class AlertEvent(
    msgspec.Struct, frozen=True, tag_field="schema", tag="alert/1", omit_defaults=True
):
    """One step in an alert's life; also the record of `vigie.alerts`.

    `alert` is derived from patient, rule and start, so a replay gives the same; `number` counts the
    alert's events from 1. `time` is the device time (UTC) of the instant that made it. `reason` is
    None unless something else than the readings ended it; its finding has no evidence then.
    """

    alert: uuid.UUID
    number: int
    patient: str
    phase: Phase
    state: State
    priority: Priority
    kind: Kind
    time: datetime
    started: datetime
    finding: Finding
    reason: EndReason | None = None


def alert_id(patient: str, rule: str, started: datetime) -> uuid.UUID:
    """Derive an alert's id, so that races and replays cannot make two of one episode."""
    name = f"{patient}\x00{rule}\x00{started.astimezone(UTC).isoformat(timespec='microseconds')}"
    return uuid.UUID(bytes=blake2b(name.encode(), digest_size=16).digest(), version=5)
