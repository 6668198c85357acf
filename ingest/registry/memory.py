"""The registry in memory, as gateway and worker read it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from ingest.readings import Refusal
from ingest.registry.entities import Device, Model, Patient

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.registry.entities import Entity


class Registry:
    """The registry in memory, with its history as far as the topic still has it.

    `revision` is the offset after the newest record applied.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._devices: dict[str, Device] = {}
        self._models: dict[str, Model] = {}
        # Per patient: the offsets of its records, rising, and the settings from there on.
        self._offsets: defaultdict[str, list[int]] = defaultdict(list)
        self._patients: defaultdict[str, list[Patient | None]] = defaultdict(list)

    def apply(self, offset: int, record_key: bytes, entity: Entity | None) -> None:
        """Take in the record at `offset`; None removes what the key names. Offsets must rise."""
        kind, _, name = record_key.decode(errors="replace").partition(":")
        if isinstance(entity, Device):
            self._devices[entity.id] = entity
        elif isinstance(entity, Model):
            self._models[entity.id] = entity
        elif kind == "device":
            self._devices.pop(name, None)
        elif kind == "model":
            self._models.pop(name, None)
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
