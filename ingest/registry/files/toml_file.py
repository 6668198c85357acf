"""The registry file: TOML in which a site writes down patients, devices, and who wears which."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.registry import rules
from ingest.registry.entities import Device, Entity, Model, Patient, kind
from ingest.registry.files.draft import BadRegistryFile, Draft, convert, readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# In the order in which a file is written; any order is read.
TABLES: dict[str, type[Entity]] = {"models": Model, "patients": Patient, "devices": Device}
_HEADER = re.compile(r"^\s*\[\[\s*(\w+)\s*\]\]")


def read(path: Path) -> list[Entity]:
    """Read a registry file. Raises BadRegistryFile with every fault that it has by itself."""
    draft = parse(path)
    named: set[tuple[str, str]] = set()
    for place, entity, _ in draft.entries:
        draft.faults += [f"{place}: {fault}" for fault in rules.faults(entity)]
        if (kind(entity), entity.id) in named:
            draft.faults.append(f"{place}: {kind(entity)} `{entity.id}` is there twice")
        named.add((kind(entity), entity.id))
    if draft.faults:
        raise BadRegistryFile(path, draft.faults)
    return [entry.entity for entry in draft.entries]


def parse(path: Path) -> Draft:
    """Read what can be read. Raises BadRegistryFile for a file that is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise BadRegistryFile(path, [f"cannot be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:  # also a number without end
        raise BadRegistryFile(path, [f"not TOML: {error}"]) from None
    draft = Draft()
    draft.faults += [
        f"unknown table `{name}`; there are {', '.join(TABLES)}"
        for name in content
        if name not in TABLES
    ]
    lines = _lines(text)
    for table, type_ in TABLES.items():
        _take(draft, table, type_, content.get(table, []), lines[table])
    return draft


def write(entities: Iterable[Entity]) -> str:
    """Write entries as a registry file, which reads back as the same entries."""
    ordered = sorted(entities, key=lambda one: (_ORDER.index(type(one)), one.id))
    return "\n".join(_entry(one) for one in ordered)


_ORDER = list(TABLES.values())


def _take(draft: Draft, table: str, type_: type[Entity], rows: Any, lines: list[int]) -> None:
    if not isinstance(rows, list):
        draft.faults.append(f"`{table}` must be written as [[{table}]]")
        return
    for number, row in enumerate(rows, 1):
        place = f"{table}[{number}]"
        if len(lines) == len(rows):
            place = f"line {lines[number - 1]}, {place}"
        if not isinstance(row, dict):
            draft.faults.append(f"{place}: must be written as [[{table}]]")
            continue
        try:
            draft.entries.append(convert(row, type_, place))
        except msgspec.ValidationError as error:
            draft.faults.append(f"{place}: {readable(error)}")


def _lines(text: str) -> dict[str, list[int]]:
    """Find by table the lines on which its entries begin; wrong only inside a text of many lines.

    Then there are more lines than entries, and no line is told.
    """
    found: dict[str, list[int]] = {table: [] for table in TABLES}
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None and header[1] in found:
            found[header[1]].append(number)
    return found


def _entry(entity: Entity) -> str:
    # All of it is told, also what is usual: what a file does not tell stays as it is.
    names = {one.name: one.encode_name for one in msgspec.structs.fields(entity)}
    told = {names[name]: value for name, value in msgspec.structs.asdict(entity).items()}
    fields = {name: msgspec.to_builtins(v) for name, v in told.items() if v is not None}
    table = next(name for name, type_ in TABLES.items() if type_ is type(entity))
    pairs = (f"{name} = {_value(value)}\n" for name, value in fields.items())
    return f"[[{table}]]\n{''.join(pairs)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{"".join(_escaped(value))}"'
    if isinstance(value, dict):
        pairs = ", ".join(f"{name} = {_value(one)}" for name, one in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(_value(one) for one in value)}]"


def _escaped(text: str) -> Iterator[str]:
    for character in text:
        if character in '"\\':
            yield f"\\{character}"
        elif character.isprintable():
            yield character
        else:
            yield f"\\U{ord(character):08X}"
