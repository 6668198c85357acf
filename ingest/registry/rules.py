"""What makes an entry of the registry wrong, in sentences for whoever wrote it. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from ingest.readings import SPECS, Vital
from ingest.registry.entities import Device, Entity, Model, Patient, Prescription, Profile
from ingest.registry.standing import admits
from ingest.units import conversion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ingest.registry.entities import Assignment, Limit, Listing, Trend

# Enough to notice a name or a telephone number; the mail server has the last word.
ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
LONGEST = 200
# A time outside of these is a slip of the pen, and the database's calendar is not ours at its ends.
FIRST_YEAR, LAST_YEAR = 1900, 2200
# What a patient of a profile must measure at least so often, and be told of so soon when it did not
# come: nobody can switch that off. Telemonitoring of heart failure in France: the weight, daily
# (arrêté of 22 June 2023, CSS L.162-52). The grace is ours: within a day more.
MANDATORY: Mapping[Profile, Mapping[Vital, Prescription]] = MappingProxyType(
    {Profile.HOME_HEART: MappingProxyType({Vital.WEIGHT: Prescription(24.0, 24.0)})}
)


def faults(entity: Entity) -> Iterator[str]:
    """Say what is wrong with an entry by itself."""
    if isinstance(entity, Patient):
        yield from _patient(entity)
    elif isinstance(entity, Device):
        yield from _device(entity)
    else:
        yield from _model(entity)


def misplaced(
    entity: Entity,
    before: Entity | None,
    models: Mapping[str, Model],
    is_patient: Callable[[str], bool],
    now: datetime,
) -> Iterator[str]:
    """Say how an entry does not fit the rest of the registry, which `before` was part of.

    A device that was there already is judged by the health store only when its model, its version
    or its revocation changes: one of a delisted model must still be released and revoked.
    """
    if not isinstance(entity, Device):
        return
    known = before if isinstance(before, Device) else None
    if known is not None and known.revoked and not entity.revoked:
        yield f"device `{entity.id}` was revoked, for good: register it under another name"
    if known is None or _public(known) != _public(entity):
        yield from unlisted(entity, models.get(entity.model), now)
    patients = {one.patient for one in entity.assignments}
    for patient in sorted(patients):
        if not is_patient(patient):
            yield f"device `{entity.id}`: patient `{patient}` is not in the registry"


def unlisted(device: Device, model: Model | None, now: datetime) -> Iterator[str]:
    """Say why the health store does not let this device publish; nothing for a revoked one."""
    if device.revoked:
        return
    name = f"device `{device.id}`: model `{device.model}`"
    if model is None:
        yield f"{name} is not in the health store: `vigie registry models` lists what is"
    elif now < model.listed_from:
        yield f"{name} is listed from {stamp(model.listed_from)} on only"
    elif model.listed_until is not None and now >= model.listed_until:
        yield f"{name} is not listed any more, since {stamp(model.listed_until)}"
    elif not admits(model, device.version):
        low, high = model.min_version or "any", model.max_version or "any"
        has = "no version" if device.version is None else f"version {device.version}"
        yield f"{name} is listed in versions {low} to {high}, and the device has {has}"


def laxer(one: Prescription, least: Prescription) -> bool:
    """Whether a prescription asks for less than the least that must be asked for."""
    return one.every_hours > least.every_hours or one.grace_hours > least.grace_hours


def mandatory(vital: Vital, profile: Profile) -> str:
    """Say in words that a prescription is there for good.

    >>> mandatory(Vital.WEIGHT, Profile.HOME_HEART)
    'home-heart: weight every 24 h, told within 24 h more, is mandatory: it cannot be switched off'
    """
    least = MANDATORY[profile][vital]
    return (
        f"{profile}: {vital} every {least.every_hours:g} h, told within {least.grace_hours:g} h"
        " more, is mandatory: it cannot be switched off"
    )


def period(one: Assignment) -> str:
    """Write an assignment's period for people.

    >>> from datetime import UTC, datetime
    >>> from ingest.registry.entities import Assignment
    >>> period(Assignment("p-1", datetime(2026, 1, 1, tzinfo=UTC)))
    '2026-01-01T00:00:00Z to open'
    """
    end = "open" if one.until is None else stamp(one.until)
    return f"{stamp(one.start)} to {end}"


def stamp(time: datetime) -> str:
    """Write a time as RFC 3339, as a registry file has it."""
    return time.isoformat().replace("+00:00", "Z")


def _public(device: Device) -> tuple[str, str | None, bool]:
    return device.model, device.version, device.revoked


def _patient(patient: Patient) -> Iterator[str]:
    """Find a mail address that is none, and limits that every value or none would break."""
    name = f"patient `{patient.id}`"
    try:
        # A command may have made what no file could: the ranges of the fields hold for it too.
        msgspec.convert(msgspec.to_builtins(patient), Patient)
    except msgspec.ValidationError as error:
        yield f"{name}: {str(error).replace('`$.', '`')}"
        return
    if patient.physician is not None and not _address(patient.physician):
        yield f"{name}: `physician` must be a mail address"
    if patient.ens is not None and not _text(patient.ens):
        yield f"{name}: `ens` must be a line of text"
    yield from (f"{name}: {fault}" for fault in _watched(patient))
    for number, member in enumerate(patient.team, 1):
        if not _text(member.role) or set(member.role) & set("<>;"):
            yield f"{name}: team[{number}]: `role` must be a line of text without < > ;"
        if not _address(member.address):
            yield f"{name}: team[{number}]: `address` must be a mail address"


def _watched(patient: Patient) -> Iterator[str]:
    """Find what the detectors could make nothing of, and what nobody may switch off."""
    for vital, limit in patient.limits.items():
        yield from _limit(vital, limit)
    for vital, trend in patient.trends.items():
        yield from _trend(vital, trend)
    for vital, least in MANDATORY.get(patient.profile, {}).items():
        own = patient.prescriptions.get(vital)
        if own is not None and laxer(own, least):
            yield mandatory(vital, patient.profile)
    if Vital.BATTERY in patient.prescriptions:
        yield f"{Vital.BATTERY} is the device's, and no measurement to be prescribed"


def _limit(vital: Vital, limit: Limit) -> Iterator[str]:
    """Find bounds that every value or none would break, or that no value could come back from."""
    bounds = [bound for bound in (limit.low, limit.high) if bound is not None]
    low, high = SPECS[vital].hard
    if not bounds or not all(bound in SPECS[vital].hard for bound in bounds):
        yield f"limits of {vital} lie between {low:g} and {high:g}"
        return
    if bounds != sorted(bounds):
        yield f"the low limit of {vital} is above the high one"
        return
    # From beyond one bound a value must be able to come back by the margin.
    band = (high if limit.high is None else limit.high) - (low if limit.low is None else limit.low)
    if limit.margin is not None and not limit.margin < band:
        yield (
            f"the margin of {vital} is {limit.margin:g}, and there are only {band:g} within its"
            " limits: an alert could never end"
        )


def _trend(vital: Vital, trend: Trend) -> Iterator[str]:
    low, high = SPECS[vital].hard
    sizes = [size for size in (trend.rise, trend.fall) if size is not None]
    if not sizes:
        yield f"the trend of {vital} has neither `rise` nor `fall`, so it could tell nothing"
    elif not all(isfinite(size) and size <= high - low for size in sizes):
        yield f"the trend of {vital}: no value can change by more than {high - low:g}"
    if not isfinite(trend.days):
        yield f"the trend of {vital}: `days` must be a number"


def _device(device: Device) -> Iterator[str]:
    """Find assignments that end before they begin, or that overlap."""
    name = f"device `{device.id}`"
    if device.version is not None and not _text(device.version):
        yield f"{name}: `version` must be a line of text"
    if not isfinite(device.clock_offset_seconds):
        yield f"{name}: `clock_offset_seconds` must be a number"
    for one in device.assignments:
        if not all(_in_calendar(time) for time in (one.start, one.until) if time is not None):
            yield f"{name}: a time lies outside the years {FIRST_YEAR} to {LAST_YEAR}"
        if one.until is not None and one.until <= one.start:
            yield f"{name}: an assignment ends before it begins"
    ordered = sorted(device.assignments, key=lambda one: one.start)
    for first, second in pairwise(ordered):
        if first.until is None or first.until > second.start:
            yield f"{name}: two assignments overlap: {period(first)} and {period(second)}"


def _model(model: Model) -> Iterator[str]:
    name = f"model `{model.id}`"
    for field in ("maker", "name", "min_version", "max_version"):
        text = getattr(model, field)
        if text is not None and not _text(text):
            yield f"{name}: `{field}` must be a line of text"
    until = model.listed_until
    if not all(_in_calendar(time) for time in (model.listed_from, until) if time is not None):
        yield f"{name}: a time lies outside the years {FIRST_YEAR} to {LAST_YEAR}"
    elif until is not None and until < model.listed_from:
        yield f"{name}: `until` is before `from`"
    for field in ("formats", "vitals"):
        if not getattr(model, field):
            yield f"{name}: `{field}` names none, so it could send nothing"
    for vital, listing in model.vitals.items():
        yield from (f"{name}: {vital} {fault}" for fault in _listing(vital, listing))


def _listing(vital: Vital, listing: Listing) -> Iterator[str]:
    bounds = [bound for bound in (listing.low, listing.high) if bound is not None]
    if not all(isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
        yield "has a range that holds nothing"
    yield from (
        f"cannot come in {unit!r}" for unit in listing.units if conversion(vital, unit) is None
    )


def _address(text: str) -> bool:
    return text.isprintable() and len(text) <= LONGEST and ADDRESS.fullmatch(text) is not None


def _text(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable() and text == text.strip()


def _in_calendar(time: datetime) -> bool:
    return FIRST_YEAR <= time.year <= LAST_YEAR
