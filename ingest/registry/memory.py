"""The registry in memory, as gateway and worker read it from its topic."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

from ingest.registry.entities import Device, Model, Patient
from ingest.registry.standing import Standing, standing

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.registry.entities import Entity

T = TypeVar("T", Patient, Device)


class _History(Generic[T]):
    """What the records of each name said, in order of their offsets; None: it was removed."""

    def __init__(self) -> None:
        self._offsets: defaultdict[str, list[int]] = defaultdict(list)
        self._entities: defaultdict[str, list[T | None]] = defaultdict(list)

    def add(self, offset: int, name: str, entity: T | None) -> None:
        """Take in a record."""
        self._offsets[name].append(offset)
        self._entities[name].append(entity)

    def until(self, name: str, revision: int) -> list[T | None]:
        """Return the newest that was said before a revision, or nothing."""
        place = bisect_left(self._offsets.get(name, []), revision)
        return self._entities[name][place - 1 : place] if place else []

    def newest(self, name: str) -> list[T | None]:
        """Return the newest that was said at all, or nothing."""
        return self._entities.get(name, [])[-1:]


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
        self._patients = _History[Patient]()
        self._worn = _History[Device]()
        # The records of all patients, in order of offset.
        self._changes: list[tuple[int, str]] = []
        # Worked out when first asked for, void with the next record.
        self._standings: dict[str, Standing] = {}

    def apply(self, offset: int, record_key: bytes, entity: Entity | None) -> None:
        """Take in the record at `offset`; None removes what the key names. Offsets must rise."""
        kind, _, name = record_key.decode(errors="replace").partition(":")
        if isinstance(entity, Device):
            self._devices[entity.id] = entity
            self._worn.add(offset, entity.id, entity)
        elif isinstance(entity, Model):
            self._models[entity.id] = entity
        elif kind == "device":
            self._devices.pop(name, None)
            self._worn.add(offset, name, None)
        elif kind == "model":
            self._models.pop(name, None)
        elif isinstance(entity, Patient) or kind == "patient":
            patient = entity.id if entity is not None else name
            self._patients.add(offset, patient, entity)
            self._changes.append((offset, patient))
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

    def changed(self, since: int, until: int) -> set[str]:
        """Name the patients of whom a record came from revision `since` on and before `until`."""
        first, last = (bisect_left(self._changes, (place, "")) for place in (since, until))
        return {patient for _, patient in self._changes[first:last]}

    def newest(self, patient: str) -> Patient:
        """Return a patient's settings of now; a patient without any gets the defaults.

        One who was removed agrees to nothing: what the log still holds of an erased patient must
        not come back into the tables.
        """
        for found in self._patients.newest(patient):
            return found or Patient(patient, consents=())
        return Patient(patient)

    def patient(self, patient: str, revision: int) -> Patient:
        """Return the settings that held at a revision; a patient without any gets the defaults."""
        for found in self._patients.until(patient, revision):
            return found or Patient(patient)
        return Patient(patient)

    def taken_off(self, device: str, patient: str, revision: int, now: datetime) -> bool:
        """Whether the patient no longer has a device, as was known at a revision, at `now` (UTC).

        It was removed from the registry, or no assignment to the patient goes on. Of a device
        that was not known yet nobody can say so.
        """
        return any(
            found is None
            or all(
                one.patient != patient or (one.until is not None and one.until <= now)
                for one in found.assignments
            )
            for found in self._worn.until(device, revision)
        )
