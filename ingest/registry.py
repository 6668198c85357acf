"""Whose reading is it? Devices, their assignments to patients, and each patient's settings.

The truth is the compacted topic `vigie.registry`; a *revision* is an offset in it: revision n is
the state after all records below offset n. The gateway asks for the newest state; the worker asks
for the state at the revision that the last tick of its partition named, so that a replay sees the
same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum
from typing import Annotated

import msgspec

from ingest.readings import Refusal, Vital

# An id becomes part of an MQTT topic and a Kafka key, so no wildcard, slash or blank.
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Profile(StrEnum):
    """Where and how closely a patient is watched."""

    ICU = "icu"
    WARD = "ward"
    HOME_HEART = "home-heart"
    HOME_RESPIRATORY = "home-respiratory"
    WEARABLE = "wearable"


class Limit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Prescribed bounds of one vital, in its own unit; None means no bound on that side."""

    low: float | None = None
    high: float | None = None


class Patient(
    msgspec.Struct,
    frozen=True,
    tag_field="schema",
    tag="patient/1",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A patient's settings, under a pseudonym. Names and INS are kept elsewhere.

    `physician` is the mailbox that alerts go to; None means the service's on-call address.
    `ens` is the pairing identifier (idPE) of the patient's e-health space; None means that nothing
    is shared with it. `spo2_scale` 2 is for a clinician-confirmed hypercapnic failure only.
    """

    id: Identifier
    profile: Profile = Profile.WARD
    limits: dict[Vital, Limit] = {}
    physician: str | None = None
    ens: str | None = None
    spo2_scale: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1


class Assignment(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"start": "from"},
    forbid_unknown_fields=True,
):
    """A device is worn by a patient from `start` on, up to but not including `until` (UTC)."""

    patient: Identifier
    start: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a time without a zone: it can be compared with no reading's."""
        if self.start.tzinfo is None or (self.until is not None and self.until.tzinfo is None):
            raise ValueError("times need a zone, such as 2026-01-01T00:00:00Z")

    def covers(self, time: datetime) -> bool:
        """Whether a reading of this time belongs to this patient."""
        return self.start <= time and (self.until is None or time < self.until)


class Device(
    msgspec.Struct,
    frozen=True,
    tag_field="schema",
    tag="device/1",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A device that may publish, what it is, and who wore it when."""

    id: Identifier
    model: str
    assignments: tuple[Assignment, ...] = ()


def key(entity: Patient | Device) -> bytes:
    """Name the entity in the compacted topic."""
    return f"{'patient' if isinstance(entity, Patient) else 'device'}:{entity.id}".encode()


class Registry:
    """The registry in memory, with its history as far as the topic still has it.

    `revision` is the offset after the newest record applied.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._devices: dict[str, Device] = {}
        # Per patient: the offsets of its records, rising, and the settings from there on.
        self._offsets: defaultdict[str, list[int]] = defaultdict(list)
        self._patients: defaultdict[str, list[Patient | None]] = defaultdict(list)

    def apply(self, offset: int, record_key: bytes, entity: Patient | Device | None) -> None:
        """Take in the record at `offset`; None removes what the key names. Offsets must rise."""
        kind, _, name = record_key.decode(errors="replace").partition(":")
        if isinstance(entity, Device):
            self._devices[entity.id] = entity
        elif kind == "device":
            self._devices.pop(name, None)
        else:
            patient = entity.id if entity is not None else name
            self._offsets[patient].append(offset)
            self._patients[patient].append(entity)
        self.revision = offset + 1

    def wearer(self, device: str, time: datetime) -> str | Refusal:
        """Return the patient who wore the device at this time, or why there is none."""
        known = self._devices.get(device)
        if known is None:
            return Refusal.UNKNOWN_DEVICE
        for assignment in known.assignments:
            if assignment.covers(time):
                return assignment.patient
        return Refusal.NOT_ASSIGNED

    def knows(self, device: str) -> bool:
        """Whether the device may publish at all."""
        return device in self._devices

    def patient(self, patient: str, revision: int) -> Patient:
        """Return the settings that held at a revision; a patient without any gets the defaults."""
        place = bisect_left(self._offsets.get(patient, []), revision)
        found = self._patients[patient][place - 1] if place else None
        return found if found is not None else Patient(patient)
