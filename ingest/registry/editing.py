"""One entry changed by a command: a device's wearer, what is watched, a listing's end. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from ingest.registry import rules
from ingest.registry.entities import Assignment, Device, Model, Patient
from ingest.registry.store import NotInRegistry, RegistryRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ingest.readings import Vital
    from ingest.registry.entities import Entity, Limit, Prescription, Trend

T = TypeVar("T")


def assigned(
    known: Mapping[bytes, Entity],
    device: str,
    patient: str,
    start: datetime,
    until: datetime | None,
) -> Device:
    """Give a device to a patient from `start` on, up to but not including `until` (UTC)."""
    found = the_device(known, device)
    worn = (*found.assignments, Assignment(patient, start, until))
    return msgspec.structs.replace(found, assignments=worn)


def released(known: Mapping[bytes, Entity], device: str, at: datetime) -> Device:
    """End the assignment that holds at this time (UTC). Raises RegistryRefused when none does."""
    found = the_device(known, device)
    if not any(one.covers(at) for one in found.assignments):
        raise RegistryRefused([f"device `{device}` is worn by nobody at that time"])
    ended = tuple(
        msgspec.structs.replace(one, until=at) if one.covers(at) else one
        for one in found.assignments
    )
    return msgspec.structs.replace(found, assignments=ended)


def limited(
    known: Mapping[bytes, Entity], patient: str, vital: Vital, limit: Limit | None
) -> Patient:
    """Set a patient's limits of a vital; None: there are none any more."""
    found = the_patient(known, patient)
    return msgspec.structs.replace(found, limits=_with(found.limits, vital, limit))


def trended(
    known: Mapping[bytes, Entity], patient: str, vital: Vital, trend: Trend | None
) -> Patient:
    """Set what a vital must not change by; None: the profile's own holds again, if it has one."""
    found = the_patient(known, patient)
    return msgspec.structs.replace(found, trends=_with(found.trends, vital, trend))


def prescribed(
    known: Mapping[bytes, Entity], patient: str, vital: Vital, one: Prescription | None
) -> Patient:
    """Prescribe a measurement; None: the profile's own holds again, if it has one.

    Raises RegistryRefused where that would switch off what is mandatory.
    """
    found = the_patient(known, patient)
    if one is None and vital not in found.prescriptions:
        if vital in rules.MANDATORY.get(found.profile, {}):
            raise RegistryRefused([rules.mandatory(vital, found.profile)])
        raise RegistryRefused([f"patient `{patient}`: {vital} is not prescribed"])
    kept = _with(found.prescriptions, vital, one)
    return msgspec.structs.replace(found, prescriptions=kept)


def scored(
    known: Mapping[bytes, Entity],
    patient: str,
    *,
    scale: int | None,
    born: int | None,
    pregnant: bool | None,
) -> Patient:
    """Set what NEWS2 must know of a patient; None leaves what is there."""
    found = the_patient(known, patient)
    return msgspec.structs.replace(
        found,
        spo2_scale=found.spo2_scale if scale is None else scale,
        born=found.born if born is None else born,
        pregnant=found.pregnant if pregnant is None else pregnant,
    )


def _with(by_vital: Mapping[Vital, T], vital: Vital, one: T | None) -> dict[Vital, T]:
    kept = {other: what for other, what in by_vital.items() if other is not vital}
    return kept if one is None else kept | {vital: one}


def the_patient(known: Mapping[bytes, Entity], patient: str) -> Patient:
    """Return the patient. Raises NotInRegistry."""
    found = known.get(f"patient:{patient}".encode())
    if not isinstance(found, Patient):
        raise NotInRegistry(f"patient `{patient}` is not in the registry")
    return found


def delisted(known: Mapping[bytes, Entity], model: str, at: datetime) -> Model:
    """End the listing of a model at this time (UTC): its devices are refused from then on."""
    found = known.get(f"model:{model}".encode())
    if not isinstance(found, Model):
        raise NotInRegistry(f"model `{model}` is not in the health store")
    return msgspec.structs.replace(found, listed_until=at)


def the_device(known: Mapping[bytes, Entity], device: str) -> Device:
    """Return the device. Raises NotInRegistry."""
    found = known.get(f"device:{device}".encode())
    if not isinstance(found, Device):
        raise NotInRegistry(f"device `{device}` is not in the registry")
    return found
