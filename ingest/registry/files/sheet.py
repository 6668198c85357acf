"""The registry as a table (CSV) for spreadsheets: one row per patient or device.

Columns in any order, with a comma or a semicolon between. An empty cell leaves what is there as it
is, or means the usual for a new entry; `none` takes it away. Models of the health store are not
written as a table.

    kind,id,profile,limits,model,assignments
    patient,p-1,ward,spo2 88..; heart_rate 50..120,,
    device,d-1,,,bedside-monitor,p-1 2026-01-01T00:00:00Z/
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import msgspec

from ingest.registry.entities import Device, Entity, Patient
from ingest.registry.files.cells import DEVICE, DEVICE_CELLS, PATIENT, PATIENT_CELLS
from ingest.registry.files.draft import BadRegistryFile, Draft, convert, readable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def parse(path: Path) -> Draft:
    """Read what can be read. Raises BadRegistryFile for a file that is no such table."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark in front
    except OSError as error:
        raise BadRegistryFile(path, [f"cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise BadRegistryFile(path, ["not UTF-8: save it as `CSV UTF-8`"]) from None
    head = text.partition("\n")[0]
    separator = ";" if ";" in head else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        raise BadRegistryFile(path, [f"line 1: not CSV: {error}"]) from None
    known = {"kind", *PATIENT, *DEVICE}
    faults = [f"line 1: unknown column `{name}`" for name in names if name not in known]
    faults += [f"line 1: no column `{name}`" for name in ("kind", "id") if name not in names]
    faults += [f"line 1: column `{name}` twice" for name in sorted(_twice(names))]
    if faults:
        raise BadRegistryFile(path, faults)
    draft, line = Draft(), 2
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if any(cells):
                _take(draft, f"line {line}", names, cells)
            line = rows.line_num + 1
    except csv.Error as error:
        draft.faults.append(f"line {line}: not CSV: {error}; nothing from here on was read")
    return draft


def write(entities: Iterable[Entity]) -> str:
    """Write patients and devices as a table, which reads back as the same entries."""
    out = io.StringIO()
    names = ["kind", *dict.fromkeys([*PATIENT, *DEVICE])]
    rows = csv.DictWriter(out, names, lineterminator="\n")
    rows.writeheader()
    for one in sorted(entities, key=lambda one: (type(one).__name__ != "Patient", one.id)):
        if isinstance(one, Patient):
            rows.writerow(
                {"kind": "patient", **{name: cell(one) for name, cell in PATIENT_CELLS.items()}}
            )
        elif isinstance(one, Device):
            rows.writerow(
                {"kind": "device", **{name: cell(one) for name, cell in DEVICE_CELLS.items()}}
            )
    return out.getvalue()


def _twice(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def _take(draft: Draft, place: str, names: list[str], cells: list[str]) -> None:
    if len(cells) > len(names):
        draft.faults.append(f"{place}: {len(cells)} cells, and the first line names {len(names)}")
        return
    row = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    kind = row.pop("kind", "")
    if kind not in {"patient", "device"}:
        draft.faults.append(f"{place}: `kind` must be patient or device, not {kind!r}")
        return
    columns, type_ = (PATIENT, Patient) if kind == "patient" else (DEVICE, Device)
    if strange := [f"{place}: a {kind} has no `{name}`" for name in row if name not in columns]:
        draft.faults += strange
        return
    try:
        fields = {name: columns[name](cell) for name, cell in row.items()}
        draft.entries.append(convert(fields, type_, place))
    except msgspec.ValidationError as error:
        draft.faults.append(f"{place}: {readable(error)}")
    except ValueError as error:
        draft.faults.append(f"{place}: {error}")
