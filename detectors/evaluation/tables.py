"""Scores and labels in files: CSV (also gzipped) and Parquet, put beside each other row by row."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from detectors.evaluation.labelled import Labelled, labelled
from detectors.findings import Priority
from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from detectors.evaluation.labelled import Floats

TIME = "time"
KEYS = ("patient", TIME)
LABEL = "label"
# Columns of `vigie score` that hold words.
WORDS = frozenset({*KEYS, "news2_missing", "explanation"})
ABSENT = frozenset({"", "nan", "na", "null", "none"})
# The highest open alert of `vigie score` is a score as well: 0 for none, then by rank.
PRIORITY = "priority"
PRIORITIES = {priority.value: priority.rank + 1.0 for priority in Priority}
LABELS = {"0": False, "1": True, "false": False, "true": True}
_MICROSECONDS = 1_000_000

Key = tuple[str, int]


class Unusable(SettingError):
    """A table cannot be read or judged; the text says what is wrong and what would be right."""


def read(
    scores: Path, labels: Path, columns: Sequence[str] = (), row_hours: float | None = None
) -> Labelled:
    """Read two tables and put the scores beside the labels.

    Parameters
    ----------
    scores
        `patient`, `time` (ISO 8601 with a zone) and columns of scores, as `vigie score` writes
        them. An empty cell is unknown, but for `priority`, where it means that no alert is open.
    labels
        `patient`, `time`, `label` (0 or 1). Rows with an empty label, and rows of scores without a
        label, are no part of the question; a labelled row that has no row of scores is unknown.
    columns
        Which scores; empty: every column of numbers that has any.
    row_hours
        See `detectors.evaluation.labelled.labelled`.

    Raises
    ------
    Unusable
        Naming the row (1 is the first below the head) and the column, never a cell.
    """
    truth = _truth(labels)
    found = _Table(scores, lambda name: name in KEYS or (name in columns or not columns))
    keys = found.keys()
    asked, unjudged = _asked(found, columns)
    place = {key: row for row, key in enumerate(keys)}
    rows = np.array([place.get(key, -1) for key in truth], dtype=np.int64)
    if not (rows >= 0).any():
        raise Unusable(
            f"{labels}: none of its {len(truth)} labelled rows has the patient and time of one of "
            f"the {len(keys)} rows of {scores}"
        )
    label = np.array(list(truth.values()), dtype=bool)
    if label.all() or not label.any():
        only = "1" if label.all() else "0"
        raise Unusable(f"{labels}: every label is {only}: both are needed to judge a score")
    beside = {}
    for name, values in asked.items():
        own = np.where(rows >= 0, values[rows], np.nan)
        if np.isfinite(own).any():
            beside[name] = own
        elif columns:
            raise Unusable(f"{scores}: column `{name}` has no value in any labelled row")
        else:
            unjudged[name] = "no labelled row has a number"
    if not beside:
        raise Unusable(f"{scores}: no column has a value in any labelled row")
    missing = int((rows < 0).sum())
    return labelled(
        [patient for patient, _ in truth],
        np.array([time for _, time in truth]) / _MICROSECONDS,
        label,
        beside,
        row_hours,
        (missing, len(keys) - (len(rows) - missing)),
        unjudged,
    )


def _truth(path: Path) -> dict[Key, bool]:
    """Read the labels of the rows that have one."""
    table = _Table(path, lambda name: name in {*KEYS, LABEL})
    table.need(LABEL)
    found: dict[Key, bool] = {}
    for number, (key, cell) in enumerate(zip(table.keys(), table.columns[LABEL], strict=True), 1):
        text = _text(cell)
        if text in ABSENT:
            continue
        label = LABELS.get(text.removesuffix(".0"))
        if label is None:
            raise Unusable(f"{path}: row {number}, column `label`: write 0, 1 or nothing")
        found[key] = label
    if not found:
        raise Unusable(f"{path}: no row has a label")
    return found


def _asked(table: _Table, columns: Sequence[str]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Read the columns that were asked for, or all columns of numbers; and why not the others."""
    for name in columns:
        table.need(name)
    names = columns or [name for name in table.columns if name not in WORDS]
    found, unjudged = {}, {}
    for name in names:
        try:
            found[name] = _numbers(table, name)
        except Unusable:
            # A column of words that nobody asked for is no score.
            if columns:
                raise
            unjudged[name] = "not all of it is numbers"
    return found, unjudged


def _numbers(table: _Table, name: str) -> Floats:
    words = PRIORITIES if name == PRIORITY else {}
    # No alert is the lowest priority there is, and well known.
    nothing = 0.0 if name == PRIORITY else math.nan
    found = np.empty(len(table.columns[name]))
    for row, cell in enumerate(table.columns[name]):
        if cell is None or cell == "":
            found[row] = nothing
            continue
        try:
            value = float(cell)
        except (TypeError, ValueError):
            text = _text(cell)
            value = nothing if text in ABSENT else words.get(text, math.inf)
        if math.isinf(value):
            raise Unusable(f"{table.path}: row {row + 1}, column `{name}`: no number")
        found[row] = value
    return found


class _Table:
    """The wanted columns of a file, as lists of cells."""

    def __init__(self, path: Path, wanted: Callable[[str], bool]) -> None:
        self.path = path
        try:
            if path.name.lower().endswith(".parquet"):
                self.names, self.columns = _parquet(path, wanted)
            elif path.name.lower().endswith((".csv", ".csv.gz")):
                self.names, self.columns = _csv(path, wanted)
            else:
                raise Unusable(f"{path}: the name must end in .csv, .csv.gz, .parquet")
        except OSError as error:
            raise Unusable(f"{path}: cannot be read: {error.strerror or 'broken'}") from None
        except (EOFError, zlib.error, csv.Error, UnicodeDecodeError):
            raise Unusable(f"{path}: cannot be read: broken or cut off") from None
        for name in KEYS:
            self.need(name)

    def need(self, name: str) -> None:
        """Raise Unusable if the table has no such column."""
        if name not in self.names:
            there = ", ".join(f"`{one}`" for one in self.names) or "none"
            raise Unusable(f"{self.path}: no column `{name}`; there are {there}")

    def keys(self) -> list[Key]:
        """Return patient and time of each row; no two are alike."""
        found: dict[Key, None] = {}
        cells = zip(self.columns["patient"], self.columns["time"], strict=True)
        for number, (patient, time) in enumerate(cells, 1):
            if patient is None or str(patient).strip() == "":
                raise Unusable(f"{self.path}: row {number}, column `patient`: empty")
            key = str(patient), self._time(number, time)
            if key in found:
                raise Unusable(f"{self.path}: row {number}: this patient and time came before")
            found[key] = None
        return list(found)

    def _time(self, number: int, cell: Any) -> int:
        if isinstance(cell, int):  # of Arrow's own type: microseconds
            return cell
        try:
            time = datetime.fromisoformat(cell)
            if time.tzinfo is None:
                raise Unusable(f"{self.path}: row {number}, column `time`: no time zone")
            whole = round(time.replace(microsecond=0).astimezone(UTC).timestamp())
        except (TypeError, ValueError, OverflowError):
            raise Unusable(f"{self.path}: row {number}, column `time`: no ISO 8601 time") from None
        return whole * _MICROSECONDS + time.microsecond


def _csv(path: Path, wanted: Callable[[str], bool]) -> tuple[list[str], dict[str, list[Any]]]:
    with _text_file(path) as file:
        lines = csv.reader(file)
        head = [name.strip() for name in next(lines, [])]
        places = {name: place for place, name in enumerate(head) if wanted(name)}
        if len(set(head)) < len(head):
            raise Unusable(f"{path}: two columns have one name")
        columns: dict[str, list[Any]] = {name: [] for name in places}
        filled = [(columns[name].append, place) for name, place in places.items()]
        for number, cells in enumerate((line for line in lines if line), 1):
            if len(cells) != len(head):
                said = f"{len(cells)} cells, the head has {len(head)}"
                raise Unusable(f"{path}: row {number} has {said}")
            for add, place in filled:
                add(cells[place])
    return head, columns


def _text_file(path: Path) -> IO[str]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _parquet(path: Path, wanted: Callable[[str], bool]) -> tuple[list[str], dict[str, list[Any]]]:
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to import)
        from pyarrow import parquet  # noqa: PLC0415 (as above)
    except ImportError:
        raise Unusable(f"{path}: Parquet needs pyarrow: pip install 'vigie[analysis]'") from None
    try:
        # Opened here: pyarrow's own words for a file that is not there are no sentence.
        with path.open("rb") as raw, parquet.ParquetFile(raw) as file:
            names = list(file.schema_arrow.names)
            table = file.read(columns=[name for name in names if wanted(name)])
    except pa.ArrowException:
        raise Unusable(f"{path}: no Parquet file") from None
    columns = {name: table.column(name) for name in table.column_names}
    if TIME in columns:
        columns[TIME] = _times(path, columns[TIME])
    return names, {name: column.to_pylist() for name, column in columns.items()}


def _times(path: Path, column: Any) -> Any:
    """Turn Arrow's own times into microseconds since 1970; text is left as it is."""
    import pyarrow as pa  # noqa: PLC0415 (it was imported just now)

    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise Unusable(f"{path}: column `{TIME}` has no time zone; write it as UTC")
        return column.cast(pa.timestamp("us", "UTC"), safe=False).cast("int64")
    if pa.types.is_integer(column.type):
        # Seconds, milliseconds? Nobody says.
        raise Unusable(f"{path}: column `{TIME}` has numbers; write times, with their zone")
    return column


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip().lower()
