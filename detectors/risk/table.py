"""Labelled recordings as a table: readings, and at which times the answer is known."""

from __future__ import annotations

import csv
from array import array
from datetime import UTC, datetime
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from detectors.risk.features import AT, EVERY, NAMES, PLACES, WATCHED, Known, taken, vector
from ingest.ports import VigieError
from ingest.readings import SPECS, Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

COLUMNS = ("patient", "time", "vital", "value", "label")
LABELS = {"": None, "0": False, "1": True, "0.0": False, "1.0": True}


class BadTable(VigieError):
    """The table is not what `vigie train` wants; the message names the place, never a value."""


class Row(NamedTuple):
    """A reading: `at` in seconds since 1970 (UTC); `label` None: no part of the question."""

    patient: str
    at: float
    vital: str
    value: float
    label: bool | None


class Features(NamedTuple):
    """A feature vector for each labelled time; NaN: not known. `whose` numbers the patients."""

    values: Any  # numpy float32, rows by features
    labels: Any
    whose: Any
    at: Any


def rows(path: Path, progress: Callable[[float], None]) -> Iterator[Row]:
    """Read a table (CSV or Parquet): `patient,time,vital,value,label`, constant memory.

    `progress` is told the share that was read. Raises BadTable.
    """
    if not path.is_file():
        raise BadTable(f"{path.name}: there is no such file")
    source = _parquet if path.suffix == ".parquet" else _csv
    try:
        for number, given in source(path, progress):
            try:
                row = _row(*given)
            except (OverflowError, TypeError, ValueError) as error:
                raise BadTable(f"{path.name}: row {number}: {error}") from None
            yield row
    except (UnicodeDecodeError, csv.Error):
        raise BadTable(f"{path.name}: this is no CSV file in UTF-8") from None


def features(table: Iterable[Row]) -> Features:
    """Follow each patient as the detector does at run time; keep what is known at labelled times.

    Rows of a patient are in order of time and together. Values outside the suspect limits are left
    out, as at run time. Raises BadTable, which counts the readings from 1.
    """
    follower = _Follower()
    for number, row in enumerate(table, start=1):
        try:
            follower.see(row)
        except BadTable as error:
            raise BadTable(f"reading {number}: {error}") from None
    return follower.end()


class _Follower:
    """Takes readings in one after another, and keeps what is known at each labelled time."""

    def __init__(self) -> None:
        self._values, self._labels = array("f"), array("b")
        self._whose, self._at = array("q"), array("d")
        self._patients: set[str] = set()
        self._row: Row | None = None
        self._known: list[Known] = []

    def see(self, row: Row) -> None:
        last = self._row
        if last is None or row.patient != last.patient:
            self._newcomer(row)
        elif row.at < last.at:
            raise BadTable("the times of a patient are not in order")
        elif row.at > last.at:
            self._keep()
        elif row.label is not last.label:
            raise BadTable("one time of a patient has two labels")
        self._row = row
        place = PLACES.get(row.vital)
        if place is None or row.value not in SPECS[Vital(row.vital)].suspect:
            return
        known = self._known[place]
        if not known or row.at - known[AT] >= EVERY:
            self._known[place] = taken(place, known, row.at, row.value, 0)

    def end(self) -> Features:
        import numpy as np  # noqa: PLC0415 (for fitting only)

        self._keep()
        return Features(
            np.array(self._values, dtype=np.float32).reshape(-1, len(NAMES)),
            np.array(self._labels, dtype=np.float64),
            np.array(self._whose, dtype=np.int64),
            np.array(self._at, dtype=np.float64),
        )

    def _newcomer(self, row: Row) -> None:
        self._keep()
        if row.patient in self._patients:
            raise BadTable("the rows of a patient are not together")
        self._patients.add(row.patient)
        self._known = [[] for _ in WATCHED]

    def _keep(self) -> None:
        row = self._row
        if row is None or row.label is None or not any(self._known):
            return
        self._values.extend(nan if one is None else one for one in vector(self._known))
        self._labels.append(row.label)
        self._whose.append(len(self._patients) - 1)
        self._at.append(row.at)


def _row(patient: Any, time: Any, vital: Any, value: Any, label: Any) -> Row:
    try:
        moment = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
    except ValueError:  # its text would tell what is in the cell
        raise ValueError("the time is not ISO 8601") from None
    if moment.tzinfo is None:
        raise ValueError("the time has no zone")
    if patient is None or patient == "":
        raise ValueError("there is no patient")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("the value is no number") from None
    return Row(str(patient), moment.astimezone(UTC).timestamp(), str(vital), number, _label(label))


def _label(given: Any) -> bool | None:
    if given is None or (isinstance(given, float) and isnan(given)):
        return None
    text = str(int(given)) if isinstance(given, bool) else str(given).strip()
    if text not in LABELS:
        raise ValueError("the label is neither 0 nor 1 nor empty")
    return LABELS[text]


def _csv(path: Path, progress: Callable[[float], None]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    size = max(path.stat().st_size, 1)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        places = _places(path, next(reader, []))
        read = 0
        for number, row in enumerate(reader, start=2):
            if len(row) <= max(places):
                raise BadTable(f"{path.name}: row {number}: a column is missing")
            read += sum(map(len, row)) + len(row)
            if number % 4096 == 0:
                progress(min(read / size, 1.0))
            yield number, tuple(row[place] for place in places)


def _parquet(
    path: Path, progress: Callable[[float], None]
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 (an extra, for recordings only)

    try:
        file = parquet.ParquetFile(path)
    except ArrowInvalid:
        raise BadTable(f"{path.name}: this is no Parquet file") from None
    _places(path, file.schema_arrow.names)
    total, number = max(file.metadata.num_rows, 1), 0
    for batch in file.iter_batches(columns=list(COLUMNS)):
        lists = [batch.column(name).to_pylist() for name in COLUMNS]
        progress(number / total)
        for given in zip(*lists, strict=True):
            number += 1
            yield number, given


def _places(path: Path, header: list[str]) -> list[int]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise BadTable(f"{path.name}: there is no column `{missing[0]}`")
    return [header.index(name) for name in COLUMNS]
