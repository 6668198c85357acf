"""How a device stands with the registry: worked out once per change, asked for each message."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import Refusal, Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Format,
    Listing,
    Model,
    Patient,
    Profile,
    Purpose,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

# A reading older than this when it arrives takes the backfill lane: it is stored, and nobody is
# called for it (docs/decisions/0009-backfill-lane.md). Home devices often send in the evening what
# was measured in the morning, and their readings are looked at by the day.
LIVE_WINDOW: Mapping[Profile, timedelta] = MappingProxyType(
    {
        Profile.ICU: timedelta(minutes=15),
        Profile.WARD: timedelta(hours=1),
        Profile.HOME_HEART: timedelta(hours=24),
        Profile.HOME_RESPIRATORY: timedelta(hours=24),
        Profile.WEARABLE: timedelta(hours=6),
    }
)


# A faulty part of a message has no time that could be believed. Whoever wore the device within so
# long before may be in it: what a device keeps for longer than that is rare (ours).
FAULTY_BEFORE = timedelta(days=30)


# Of one number in a version; Python refuses to read thousands.
VERSION_DIGITS = 18


class Wearer(NamedTuple):
    """Who wears the device from `start` up to but not including `until` (UTC; None: no end).

    `collects`: whether the patient agrees that readings are kept. `window`: see LIVE_WINDOW.
    """

    start: datetime
    until: datetime | None
    patient: str
    collects: bool
    window: timedelta


class Standing(NamedTuple):
    """What the door needs to know of one device.

    `refusal` is why nothing of it passes, whenever it comes. Otherwise it passes from `listed_from`
    up to `listed_until` (UTC), in these `formats`. `narrow` has the vitals of its model where the
    model measures less than all that Vigie knows; None lets every vital pass. `offset` corrects its
    clock. `simple` is the one wearer, for ever from a start on, of a device with nothing to judge.
    """

    refusal: Refusal | None
    listed_from: datetime | None = None
    listed_until: datetime | None = None
    formats: frozenset[Format] = frozenset()
    narrow: Mapping[Vital, Listing] | None = None
    offset: timedelta | None = None
    wearers: tuple[Wearer, ...] = ()
    simple: Wearer | None = None

    def closed(self, kind: Format, received: datetime) -> Refusal | None:
        """Say why nothing of a message of this format passes now; None when it may."""
        if self.refusal is not None:
            return self.refusal
        if self.listed_from is not None and received < self.listed_from:
            return Refusal.MODEL_NOT_LISTED
        if self.listed_until is not None and received >= self.listed_until:
            return Refusal.MODEL_NOT_LISTED
        return None if kind in self.formats else Refusal.FORMAT_NOT_LISTED

    def wearer(self, time: datetime) -> Wearer | None:
        """Return who wore the device at this time (UTC); None: nobody did."""
        for wearer in self.wearers:
            if wearer.start <= time and (wearer.until is None or time < wearer.until):
                return wearer
        return None

    def silent(self, received: datetime, *, faulty: bool) -> bool:
        """Whether a message of now may hold something of a wearer who has not agreed to it.

        `faulty`: a part of it could not be read, so nobody knows when that was measured, or of
        whom. Otherwise it is asked for the wearer of now only.
        """
        since = received - FAULTY_BEFORE if faulty else received
        return any(
            not one.collects and one.start <= received and (one.until is None or since < one.until)
            for one in self.wearers
        )


def standing(
    device: Device | None, model: Model | None, newest: Callable[[str], Patient]
) -> Standing:
    """Work out how a device stands; `newest` gives a patient's settings."""
    if device is None:
        return Standing(Refusal.UNKNOWN_DEVICE)
    wearers = tuple(_wearer(one, newest(one.patient)) for one in device.assignments)
    seconds = device.clock_offset_seconds
    offset = timedelta(seconds=seconds) if seconds else None
    if device.revoked:
        return Standing(Refusal.DEVICE_REVOKED, offset=offset, wearers=wearers)
    if model is None or not admits(model, device.version):
        return Standing(Refusal.MODEL_NOT_LISTED, offset=offset, wearers=wearers)
    narrow = _narrow(model)
    usual = offset is None and narrow is None and len(wearers) == 1
    return Standing(
        None,
        model.listed_from,
        model.listed_until,
        frozenset(model.formats),
        narrow,
        offset,
        wearers,
        wearers[0] if usual and wearers[0].until is None and wearers[0].collects else None,
    )


def _wearer(one: Assignment, patient: Patient) -> Wearer:
    collects = Purpose.COLLECT in patient.consents
    return Wearer(one.start, one.until, one.patient, collects, LIVE_WINDOW[patient.profile])


def admits(model: Model, version: str | None) -> bool:
    """Whether a device with this software version is one of the model's listed ones.

    >>> from datetime import UTC, datetime
    >>> listed = Model("m", "Acme", "M", (), {}, datetime(2026, 1, 1, tzinfo=UTC), None, "1.9")
    >>> admits(listed, "1.10.2"), admits(listed, "1.8"), admits(listed, None)
    (True, False, False)
    """
    low, high = model.min_version, model.max_version
    if low is None and high is None:
        return True
    if version is None:
        return False
    # 2.1.7 is still "up to 2.1", and 2 is "from 2.0 on": a range names the digits it cares for.
    return (low is None or _number(low) <= _number(version, _places(low))) and (
        high is None or _number(version, _places(high))[: _places(high)] <= _number(high)
    )


def _places(version: str) -> int:
    return version.count(".") + 1


def _number(version: str, places: int = 1) -> tuple[int, ...]:
    """Read dotted numbers, at least so many; what is none counts as 0."""
    parts = [
        int(part) if part.isdecimal() and len(part) <= VERSION_DIGITS else 0
        for part in version.split(".")
    ]
    return (*parts, *[0] * (places - len(parts)))


def _narrow(model: Model) -> Mapping[Vital, Listing] | None:
    free = Listing()
    if set(model.vitals) >= set(Vital) and all(one == free for one in model.vitals.values()):
        return None
    return MappingProxyType(dict(model.vitals))
