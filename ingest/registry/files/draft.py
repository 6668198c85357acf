"""What a registry file says, entry by entry, with what is wrong and where. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ingest.registry.entities import Entity


class BadRegistryFile(VigieError):
    """The file is not a registry; each line says where, and what would be right."""

    def __init__(
        self, path: Path, faults: Sequence[str], said: str = "nothing was imported"
    ) -> None:
        super().__init__("\n  ".join([f"{path}: {said}:", *faults]))
        self.faults = list(faults)


class Entry(NamedTuple):
    """An entry, its place in the file, and the fields that the file tells of it, as Python's."""

    place: str
    entity: Entity
    told: frozenset[str]


@dataclass(slots=True)
class Draft:
    """A registry file as it was read.

    `entries` are what could be read; `faults` what could not, each with its place in front.
    """

    entries: list[Entry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def convert(fields: Mapping[str, Any], type_: type[Entity], place: str) -> Entry:
    """Make an entry of fields as a registry file names them.

    An empty text says that there is none: no physician, no version. Raises
    msgspec.ValidationError.
    """
    given = {name: None if value == "" else value for name, value in fields.items()}
    # The schema's name is for Kafka; a file does not carry it.
    tag = type_.__struct_config__.tag
    entity = msgspec.convert({**given, "schema": tag}, type_)
    told = {one.name for one in msgspec.structs.fields(type_) if one.encode_name in given}
    return Entry(place, entity, frozenset(told))
