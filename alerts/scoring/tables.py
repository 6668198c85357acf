"""Long tables in files: CSV, also gzipped, and Parquet, read row by row."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Protocol

from alerts.scoring.rows import COLUMNS, OPTIONAL, Row, Unreadable
from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CSV, CSV_GZ, PARQUET = ".csv", ".csv.gz", ".parquet"
SUFFIXES = (CSV, CSV_GZ, PARQUET)
# Rows of a Parquet file that are in memory at once: a few MB.
BATCH = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Microseconds in a unit of Arrow's times; its nanoseconds are cut off.
_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
# Arrow's types of text.
_TEXT = frozenset({"string", "large_string", "string_view"})
# Something that is no time, for one that Python cannot express.
_NO_TIME = "?"


class BadFile(SettingError):
    """A file cannot be read or is no such table; the text says what would be right."""


class Table(Protocol):
    """A table that is being read: `done` of `size`, in whatever unit."""

    size: int

    def done(self) -> int:
        """Say how far it has been read."""
        ...

    def rows(self) -> Iterator[Row | Unreadable]:
        """Read the rows in their order, once. Raises BadFile."""
        ...


def suffix(path: Path) -> str:
    """Say what a file is, by the end of its name. Raises BadFile.

    >>> from pathlib import Path
    >>> suffix(Path("ward.CSV.gz"))
    '.csv.gz'
    """
    found = next((one for one in SUFFIXES if path.name.lower().endswith(one)), None)
    if found is None:
        raise BadFile(f"{path}: the name must end in {', '.join(SUFFIXES)}")
    return found


def table(path: Path) -> Table:
    """Open a table. Raises BadFile: no such file, another format, or columns are missing."""
    kind = suffix(path)
    try:
        return ParquetTable(path) if kind == PARQUET else CsvTable(path, packed=kind == CSV_GZ)
    except OSError as error:
        raise _unread(path, error) from None


def places(path: Path, names: Sequence[str]) -> list[int | None]:
    """Find the columns of a row among those of a table, in the order of `Row`. Raises BadFile."""
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        wanted = ", ".join(f"`{name}`" for name in missing)
        raise BadFile(f"{path}: no column {wanted}; {_instead(names)}")
    twice = [name for name in (*COLUMNS, *OPTIONAL) if names.count(name) > 1]
    if twice:
        raise BadFile(f"{path}: column `{twice[0]}` is there twice")
    known = {name: place for place, name in enumerate(names)}
    return [known.get(name) for name in (*COLUMNS, *OPTIONAL)]


def _instead(names: Sequence[str]) -> str:
    """Say what stands where the names of the columns should.

    A line is quoted only if it is a head: without one, the first line is a patient's.
    """
    known = {*COLUMNS, *OPTIONAL}
    if not known.isdisjoint(name.lower() for name in names):
        return f"there are {', '.join(f'`{name}`' for name in names[:20])}"
    if not names:
        return "the file is empty"
    if any("\ufffd" in name for name in names):
        return "the file is no text in UTF-8"
    if not known.isdisjoint(re.split(r"[;\t|]", ";".join(names).lower())):
        return "put commas between the cells"
    return "the first line must name the columns"


class CsvTable:
    """A CSV file: UTF-8, commas, the names of the columns in its first line."""

    def __init__(self, path: Path, *, packed: bool = False) -> None:
        self._path = path
        self._file = path.open("rb")
        self.size = path.stat().st_size
        unpacked: Any = gzip.GzipFile(fileobj=self._file) if packed else self._file
        # What is no UTF-8 is for whoever judges the cell.
        self._text: IO[str] = io.TextIOWrapper(
            unpacked, encoding="utf-8-sig", errors="replace", newline=""
        )
        self._lines = csv.reader(self._text)
        head = next(self._read(), None) or []
        self._width = len(head)
        try:
            self._places = places(path, [str(name).strip() for name in head])
        except BadFile:
            self._file.close()
            raise

    def done(self) -> int:
        """Say how many bytes of the file have been read."""
        with suppress(OSError, ValueError):  # a pipe has no place, a closed file neither
            return self._file.tell()
        return self.size

    def rows(self) -> Iterator[Row | Unreadable]:
        """Read the rows; a line that is blank is none."""
        width = self._width
        patient, time, vital, value, device, unit = (
            width if place is None else place for place in self._places
        )
        with self._file:
            for cells in self._read():
                if cells is None or len(cells) != width:
                    yield Unreadable()
                    continue
                cells.append("")  # what a column that is not there has
                yield Row(
                    cells[patient],
                    cells[time],
                    cells[vital],
                    cells[value],
                    cells[device],
                    cells[unit],
                )

    def _read(self) -> Iterator[list[str] | None]:
        """Read line by line; None stands for one that cannot be split into cells."""
        while True:
            try:
                for cells in self._lines:
                    if cells:
                        yield cells
            except csv.Error:  # a cell without end; the next line is read anew
                yield None
                continue
            except (OSError, EOFError, zlib.error) as error:
                raise _unread(self._path, error) from None
            return


class ParquetTable:
    """A Parquet file; times are text, or of Arrow's timestamp type with a zone."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to import)
            from pyarrow import parquet  # noqa: PLC0415 (as above)
        except ImportError:
            raise BadFile(f"{path}: Parquet needs pyarrow: pip install 'vigie[recordings]'") from (
                None
            )
        self._path, self._failed = path, (pa.ArrowException, OSError)
        try:
            self._file = parquet.ParquetFile(path)
        except FileNotFoundError as error:
            raise _unread(path, error) from None
        except self._failed:
            raise BadFile(f"{path}: no Parquet file") from None
        schema = self._file.schema_arrow
        self._places = places(path, schema.names)
        self._unit = _time_unit(path, schema.field("time").type)
        self.size, self._done = self._file.metadata.num_rows, 0

    def done(self) -> int:
        """Say how many rows have been read."""
        return self._done

    def rows(self) -> Iterator[Row | Unreadable]:
        """Read the rows, a batch at a time."""
        names = [
            name
            for name, place in zip((*COLUMNS, *OPTIONAL), self._places, strict=True)
            if place is not None
        ]
        with self._file:
            try:
                for batch in self._file.iter_batches(BATCH, columns=names):
                    columns = {name: self._cells(name, batch.column(name)) for name in names}
                    nothing = [None] * batch.num_rows
                    ordered = [columns.get(name, nothing) for name in (*COLUMNS, *OPTIONAL)]
                    yield from map(Row._make, zip(*ordered, strict=True))
                    self._done += batch.num_rows
            except self._failed as error:
                raise _unread(self._path, error) from None

    def _cells(self, name: str, column: Any) -> list[Any]:
        if name == "time" and self._unit is not None:
            return [_moment(count, self._unit) for count in column.cast("int64").to_pylist()]
        cells: list[Any] = column.to_pylist()
        return cells


def _time_unit(path: Path, kind: Any) -> str | None:
    """Return the unit in which Arrow counts time; None for text. Raises BadFile without a zone."""
    from pyarrow import types  # noqa: PLC0415 (as above)

    if types.is_timestamp(kind):
        if kind.tz is None:
            raise BadFile(f"{path}: column `time` has no time zone; write it as UTC")
        return str(kind.unit)
    if types.is_dictionary(kind):
        kind = kind.value_type
    if str(kind) not in _TEXT:
        raise BadFile(f"{path}: column `time` is {kind}; write ISO 8601 text or timestamps in UTC")
    return None


def _moment(count: int | None, unit: str) -> datetime | str | None:
    if count is None:
        return None
    microseconds = count // 1000 if unit == "ns" else count * _MICROSECONDS[unit]
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return _NO_TIME


def _unread(path: Path, error: Exception) -> BadFile:
    said = error.strerror if isinstance(error, OSError) and error.strerror else "broken or cut off"
    return BadFile(f"{path}: cannot be read: {said}")
