"""What a registry file says, entry by entry, with what is wrong and where. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ingest.ports import VigieError
from ingest.readings import Vital
from ingest.registry.entities import Format, Profile, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from enum import StrEnum
    from pathlib import Path

    from ingest.registry.entities import Entity

# What a field, or the names in it, can be.
CHOICES: dict[str, type[StrEnum]] = {
    "profile": Profile,
    "consents": Purpose,
    "formats": Format,
    "limits": Vital,
    "trends": Vital,
    "prescriptions": Vital,
    "vitals": Vital,
}
# What msgspec says, and what would be right. The one pattern in a registry file is that of a name.
WORDS = (
    (r"Expected `str` matching regex '[^']*'", "letters, digits, and . _ - between, at most 64"),
    ("Invalid RFC3339 encoded datetime", "write a time as 2026-01-01T00:00:00Z"),
    (r"Object missing required field", "there is no"),
    (r"Object contains unknown field", "unknown field"),
)


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


def readable(error: msgspec.ValidationError) -> str:
    """Say what is wrong with a field in words that whoever wrote the file can use.

    >>> readable(msgspec.ValidationError("Invalid enum value 'wrd' - at `$.profile`"))
    "'wrd' is none of icu, ward, home-heart, home-respiratory, wearable - at `profile`"
    """
    said = str(error).replace("`$.", "`")
    field = re.search(r"`(\w+)[^`]*`$", said)
    if choices := CHOICES.get(field[1]) if field is not None else None:
        listed = ", ".join(choices)
        said = re.sub(r"^Invalid enum value ('.*')", rf"\1 is none of {listed}", said)
    for pattern, words in WORDS:
        said = re.sub(pattern, words, said)
    return said
