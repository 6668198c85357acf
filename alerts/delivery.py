"""Who is told of an alert event, by which way, and what each is told. Pure; the worker asks."""

from __future__ import annotations

import uuid
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TYPE_CHECKING

import msgspec

from alerts.events import AlertEvent, Channel, Phase
from detectors.findings import Kind, Priority
from ingest.readings import Original, Vital
from ingest.registry.entities import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.registry.entities import Patient

# An event of these phases is news; of the others a human already knows what matters.
NEWS = frozenset({Phase.START, Phase.ESCALATE})

# What the e-health space has a profile for that accepts it (ANS guide 3.2.0: the bundle's list
# has no respiratory rate and no glucose). Blood pressure goes as one measure of two components.
SHAREABLE = (Vital.HEART_RATE, Vital.SPO2, Vital.TEMPERATURE, Vital.WEIGHT)


class Measure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One measure for the e-health space: a vital, or systolic with diastolic; own units."""

    values: dict[Vital, float]
    time: datetime
    device: str
    original: dict[Vital, Original] = {}


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message that one recipient must get: a row of the outbox.

    `id` is derived from alert, event, channel, recipient and content, so that a replay makes no
    second one. `recipient` is a mail address, or the pairing identifier of an e-health space.
    `measure` is None for a mail, which speaks of the whole event.
    """

    id: uuid.UUID
    alert: uuid.UUID
    number: int
    channel: Channel
    recipient: str
    measure: Measure | None = None


class Due(msgspec.Struct, frozen=True):
    """A delivery whose time has come, with the event it speaks of: what a channel is handed.

    `attempts` counts this one. `created` is when the worker queued it, `leased_until` the moment
    from which another dispatcher may take it; both by the database's clock, UTC. `consents` is what
    the patient agreed to when it was claimed; None: the registry's tables do not know the patient.
    """

    delivery: Delivery
    event: AlertEvent
    attempts: int
    created: datetime
    leased_until: datetime
    consents: frozenset[Purpose] | None = None


def deliveries(event: AlertEvent, patient: Patient, on_call: str) -> Iterator[Delivery]:
    """Say who must hear of this event. Low priority and advisory alerts wake nobody.

    The physician (without one, the service's on-call address) gets a mail when an alert starts or
    becomes worse; the patient's e-health space, when there is a pairing and the patient agrees to
    share, the measures behind it.
    """
    if event.phase not in NEWS or event.priority is Priority.LOW:
        return
    if event.kind is Kind.ADVISORY:
        return
    yield _delivery(event, Channel.MAIL, patient.physician or on_call, None)
    shares = patient.ens is not None and Purpose.SHARE in patient.consents
    if shares and patient.ens is not None and event.kind is Kind.PHYSIOLOGICAL:
        for measure in measures(event):
            yield _delivery(event, Channel.ENS, patient.ens, measure)


def measures(event: AlertEvent) -> Iterator[Measure]:
    """Yield the measures that raised the alert, one by one, as the e-health space takes them."""
    found = {evidence.vital: evidence for evidence in event.finding.evidence}
    for vital in SHAREABLE:
        if vital in found:
            one = found[vital]
            original = {vital: one.original} if one.original is not None else {}
            yield Measure({vital: one.value}, one.time, one.device, original)
    systolic, diastolic = found.get(Vital.SYSTOLIC), found.get(Vital.DIASTOLIC)
    if systolic is not None and diastolic is not None and systolic.time == diastolic.time:
        values = {Vital.SYSTOLIC: systolic.value, Vital.DIASTOLIC: diastolic.value}
        yield Measure(values, systolic.time, systolic.device)


def _delivery(
    event: AlertEvent, channel: Channel, recipient: str, measure: Measure | None
) -> Delivery:
    what = "+".join(sorted(measure.values)) if measure else ""
    name = f"{event.alert}/{event.number}/{channel}/{recipient}/{what}"
    return Delivery(
        uuid.uuid5(event.alert, name), event.alert, event.number, channel, recipient, measure
    )
