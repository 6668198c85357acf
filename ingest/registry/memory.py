"""The registry in memory, as gateway and worker read it from its topic."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from ingest.registry.entities import Device, Model, Patient
from ingest.registry.standing import Standing, standing

if TYPE_CHECKING:
    from ingest.registry.entities import Entity


class Registry:
    """The registry in memory, with its history as far as the topic still has it.

    `revision` is the offset after the newest record applied. The gateway asks for the newest state;
    the worker asks for a patient's settings at the revision that the last tick of its partition
    named, so that a replay sees the same.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._devices: dict[str, Device] = {}
        self._models: dict[str, Model] = {}
        # Per patient: the offsets of its records, rising, and the settings from there on.
        self._offsets: defaultdict[str, list[int]] = defaultdict(list)
        self._patients: defaultdict[str, list[Patient | None]] = defaultdict(list)
        # Worked out when first asked for, void with the next record.
        self._standings: dict[str, Standing] = {}

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
        elif isinstance(entity, Patient) or kind == "patient":
            patient = entity.id if entity is not None else name
            self._offsets[patient].append(offset)
            self._patients[patient].append(entity)
        self._standings.clear()
        self.revision = offset + 1

    def standing(self, device: str) -> Standing:
        """Say how a device stands now: whether it may publish, and who wore it when."""
        found = self._standings.get(device)
        if found is None:
            known = self._devices.get(device)
            model = self._models.get(known.model) if known is not None else None
            found = standing(known, model, self.newest)
            # Strangers are not remembered: there is no end of names that they may take.
            if known is not None:
                self._standings[device] = found
        return found

    def newest(self, patient: str) -> Patient:
        """Return a patient's settings of now; a patient without any gets the defaults.

        One who was removed agrees to nothing: what the log still holds of an erased patient must
        not come back into the tables.
        """
        records = self._patients.get(patient)
        if not records:
            return Patient(patient)
        return records[-1] or Patient(patient, consents=())

    def patient(self, patient: str, revision: int) -> Patient:
        """Return the settings that held at a revision; a patient without any gets the defaults."""
        place = bisect_left(self._offsets.get(patient, []), revision)
        found = self._patients[patient][place - 1] if place else None
        return found if found is not None else Patient(patient)
