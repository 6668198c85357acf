"""A file of identities: CSV or TOML. Its faults are told by line and field, never by value.

CSV has a header with `id` and fields of `identity.FIELDS`, in any order, comma or semicolon
between; TOML has one `[[identities]]` for each patient.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.ports import VigieError
from ingest.vault.identity import FIELDS, BadIdentity, Identity, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import Path

# As `entities.Identifier`: what may be a patient's pseudonym.
PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
TABLE = "identities"
SHOWN = 20


class BadIdentityFile(VigieError):
    """The file was not taken in; each line says where, and what would be right."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        shown = faults[:SHOWN]
        if len(faults) > SHOWN:
            shown.append(f"and {len(faults) - SHOWN} more")
        super().__init__("\n  ".join([f"{path}: nothing was imported:", *shown]))


class Line(NamedTuple):
    """A patient of the file, and where it stands there."""

    place: str
    patient: str
    person: Identity


def load(path: Path, today: date) -> list[Line]:
    """Read a file of identities. Raises BadIdentityFile with every fault that it has."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadIdentityFile(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise BadIdentityFile(path, ["not UTF-8"]) from None
    rows = _toml(text, path) if path.suffix.lower() == ".toml" else _csv(text, path)
    faults: list[str] = []
    lines: list[Line] = []
    for place, row in rows:
        try:
            lines.append(_line(place, row, today))
        except BadIdentity as error:
            faults += [f"{place}: {fault}" for fault in error.faults]
    faults += _twice(lines)
    if faults:
        raise BadIdentityFile(path, faults)
    return lines


def _line(place: str, row: dict[str, Any], today: date) -> Line:
    traits = dict(row)
    patient = traits.pop("id", None)
    faults = []
    if not isinstance(patient, str) or not PSEUDONYM.fullmatch(patient.strip()):
        faults.append("`id` must be the patient's pseudonym, as the registry has it")
    try:
        person = read(traits, today)
    except BadIdentity as error:
        raise BadIdentity(faults + error.faults) from None
    if faults:
        raise BadIdentity(faults)
    return Line(place, str(patient).strip(), person)


def _twice(lines: Iterable[Line]) -> Iterator[str]:
    patients: dict[str, str] = {}
    numbers: dict[object, str] = {}
    for place, patient, person in lines:
        first = patients.setdefault(patient, place)
        if first != place:
            yield f"{place}: `id` is that of {first}"
        if person.ins is not None:
            first = numbers.setdefault(person.ins, place)
            if first != place:
                yield f"{place}: `ins` is that of {first}"


def _toml(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number without end
        # The parser names the place, and sometimes the character that it met: only the place.
        place = re.search(r"\(at (line \d+), column \d+\)", str(error))
        where = place[1] if place else "its end"
        raise BadIdentityFile(path, [f"not TOML, at {where}"]) from None
    rows = content.get(TABLE)
    if not isinstance(rows, list) or set(content) != {TABLE}:
        raise BadIdentityFile(path, [f"must have [[{TABLE}]] and nothing else"])
    for number, row in enumerate(rows, 1):
        yield f"{TABLE}[{number}]", row if isinstance(row, dict) else {}


def _csv(text: str, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    header = text.partition("\n")[0]
    separator = ";" if header.count(";") > header.count(",") else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if set(names) - {"id", *FIELDS} or "id" not in names or len(set(names)) < len(names):
            allowed = ", ".join(("id", *FIELDS))
            raise BadIdentityFile(path, [f"line 1 must name the columns, among {allowed}"])
        for cells in reader:
            if not cells:
                continue
            place = f"line {reader.line_num}"
            if len(cells) != len(names):
                raise BadIdentityFile(path, [f"{place} has {len(cells)} cells, not {len(names)}"])
            yield place, dict(zip(names, cells, strict=True))
    except csv.Error:
        raise BadIdentityFile(path, [f"not CSV, at line {reader.line_num}"]) from None
