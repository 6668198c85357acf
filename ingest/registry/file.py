"""The registry file: TOML in which a site writes down patients, devices, and who wears which."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.ports import VigieError
from ingest.readings import SPECS
from ingest.registry.entities import Device, Entity, Model, Patient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES: dict[str, type[Entity]] = {"patients": Patient, "devices": Device, "models": Model}
PLACES = 10
# Enough to notice a name or a telephone number; the mail server has the last word.
ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")


class BadRegistryFile(VigieError):
    """The file is not a registry; each line says where, and what would be right."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        shown = faults[:PLACES]
        if len(faults) > PLACES:
            shown.append(f"and {len(faults) - PLACES} more")
        super().__init__("\n  ".join([f"{path}: nothing was imported:", *shown]))


def read(path: Path) -> list[Entity]:
    """Read a registry file. Raises BadRegistryFile with every fault that it has."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRegistryFile(path, [f"cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRegistryFile(path, [f"not TOML: {error}"]) from None
    faults = [
        f"unknown table `{name}`; there are {', '.join(TABLES)}"
        for name in content
        if name not in TABLES
    ]
    entities: list[Entity] = []
    for table, kind in TABLES.items():
        for entity in _entities(table, kind, content.get(table, []), faults):
            if isinstance(entity, Device):
                faults += _device_faults(entity)
            elif isinstance(entity, Patient):
                faults += _patient_faults(entity)
            entities.append(entity)
    named = Counter((type(entity).__name__.lower(), entity.id) for entity in entities)
    faults += [f"{kind} `{name}` is there {n} times" for (kind, name), n in named.items() if n > 1]
    if faults:
        raise BadRegistryFile(path, faults)
    return entities


def _entities(table: str, kind: type[Entity], rows: Any, faults: list[str]) -> Iterator[Entity]:
    if not isinstance(rows, list):
        faults.append(f"`{table}` must be written as [[{table}]]")
        return
    for number, row in enumerate(rows, 1):
        try:
            # The schema's name is for Kafka; a file does not carry it.
            yield msgspec.convert({**row, "schema": _tag(kind)}, kind)
        except (msgspec.ValidationError, TypeError) as error:
            faults.append(f"{table}[{number}]: {error}")


def _tag(kind: type[Entity]) -> str:
    return str(kind.__struct_config__.tag)


def _patient_faults(patient: Patient) -> Iterator[str]:
    """Find a mail address that is none, and limits that every value or none would break."""
    if patient.physician is not None and not ADDRESS.fullmatch(patient.physician):
        yield f"patient `{patient.id}`: `physician` must be a mail address"
    for vital, limit in patient.limits.items():
        bounds = [bound for bound in (limit.low, limit.high) if bound is not None]
        if not bounds or not all(bound in SPECS[vital].hard for bound in bounds):
            low, high = SPECS[vital].hard
            yield f"patient `{patient.id}`: limits of {vital} lie between {low:g} and {high:g}"
        elif bounds != sorted(bounds):
            yield f"patient `{patient.id}`: the low limit of {vital} is above the high one"


def _device_faults(device: Device) -> Iterator[str]:
    """Find assignments that end before they begin, or that overlap."""
    for one in device.assignments:
        if one.until is not None and one.until <= one.start:
            yield f"device `{device.id}`: an assignment ends before it begins"
    ordered = sorted(device.assignments, key=lambda one: one.start)
    for before, after in pairwise(ordered):
        if before.until is None or before.until > after.start:
            yield f"device `{device.id}`: two assignments overlap"
