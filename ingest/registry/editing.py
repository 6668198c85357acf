"""One entry changed by a command: who wears a device, a limit, the end of a listing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ingest.registry.entities import Assignment, Device, Limit, Model, Patient
from ingest.registry.store import NotInRegistry, RegistryRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ingest.readings import Vital
    from ingest.registry.entities import Entity


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
    known: Mapping[bytes, Entity], patient: str, vital: Vital, low: float | None, high: float | None
) -> Patient:
    """Set a patient's limits of a vital, in its own unit; without both there are none any more."""
    found = known.get(f"patient:{patient}".encode())
    if not isinstance(found, Patient):
        raise NotInRegistry(f"patient `{patient}` is not in the registry")
    limits = {other: limit for other, limit in found.limits.items() if other is not vital}
    if low is not None or high is not None:
        limits[vital] = Limit(low, high)
    return msgspec.structs.replace(found, limits=limits)


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
