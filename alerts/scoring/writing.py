"""Scored rows into a file, which is there whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import os
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from alerts.scoring.run import DETERIORATION, SEPSIS
from alerts.scoring.tables import CSV_GZ, PARQUET, BadFile, suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from alerts.scoring.run import ScoredRow

COLUMNS = (
    *("patient", "time", "news2", "news2_missing", "risk_deterioration", "risk_sepsis"),
    *("anomaly", "priority", "explanation"),
)
# Between two names of what NEWS2 did not have.
SEPARATOR = " "
# Rows that are written to Parquet at once: a few MB.
BATCH = 20_000


class Sheet(Protocol):
    """A file that takes scored rows."""

    def add(self, row: ScoredRow) -> None:
        """Write a row, or keep it until there are more."""
        ...

    def close(self) -> None:
        """Write what was kept."""
        ...


@contextmanager
def sheet(path: Path, questions: Sequence[str] = ()) -> Iterator[Sheet]:
    """Open a table for scored rows; it takes its name when everything is in it.

    `questions` are risks besides the two that have columns of their own. What is broken off, by an
    error or by hand, leaves nothing, and what was there under this name stays. Raises BadFile: the
    name's end says no format, or the folder cannot be written.
    """
    kind = suffix(path)
    others = tuple(sorted(set(questions) - {DETERIORATION, SEPSIS}))
    if path.is_dir():
        raise BadFile(f"{path}: is a folder")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        target = part.open("wb")
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with target:
            one: Sheet = (
                ParquetSheet(target, others)
                if kind == PARQUET
                else CsvSheet(target, others, packed=kind == CSV_GZ)
            )
            yield one
            one.close()
        part.replace(path)
    except OSError as error:
        raise BadFile(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        Path(part).unlink(missing_ok=True)


class CsvSheet:
    """CSV: UTF-8, an empty cell where something is unknown."""

    def __init__(self, target: IO[bytes], questions: Sequence[str], *, packed: bool) -> None:
        self._questions = questions
        # No name and no time inside the gzip: the same rows give the same bytes.
        self._packed = gzip.GzipFile("", "wb", fileobj=target, mtime=0) if packed else None
        raw: Any = self._packed or target
        self._text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=False)
        self._lines = csv.writer(self._text, lineterminator="\n")
        self._lines.writerow(_names(questions))

    def add(self, row: ScoredRow) -> None:
        """Write a row."""
        self._lines.writerow(
            [
                row.patient,
                written(row.time),
                row.news2,
                SEPARATOR.join(row.news2_missing),
                row.risk_deterioration,
                row.risk_sepsis,
                row.anomaly,
                row.priority,
                row.explanation,
                *(row.risks.get(name) for name in self._questions),
            ]
        )

    def close(self) -> None:
        """Write what is still in memory; the file beneath stays open."""
        self._text.flush()
        self._text.detach()
        if self._packed is not None:
            self._packed.close()


class ParquetSheet:
    """Parquet: times are timestamps in UTC, null where something is unknown."""

    def __init__(self, target: IO[bytes], questions: Sequence[str]) -> None:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to import)
        from pyarrow import parquet  # noqa: PLC0415 (as above)

        kinds = {"time": pa.timestamp("us", "UTC"), "news2": pa.int16()}
        figures = {"anomaly", "risk_deterioration", "risk_sepsis", *_names(questions)[9:]}
        self._schema = pa.schema(
            [
                (name, kinds.get(name, pa.float64() if name in figures else pa.string()))
                for name in _names(questions)
            ]
        )
        self._questions, self._rows = questions, list[tuple[Any, ...]]()
        self._arrow = pa
        self._file = parquet.ParquetWriter(target, self._schema)

    def add(self, row: ScoredRow) -> None:
        """Keep a row until there is a batch."""
        missing = SEPARATOR.join(row.news2_missing)
        others = (row.risks.get(name) for name in self._questions)
        self._rows.append((row.patient, row.time, row.news2, missing, *row[4:9], *others))
        if len(self._rows) >= BATCH:
            self._write()

    def close(self) -> None:
        """Write the last batch and the foot."""
        if self._rows:
            self._write()
        self._file.close()

    def _write(self) -> None:
        columns = [
            self._arrow.array(list(column), kind.type)
            for column, kind in zip(zip(*self._rows, strict=True), self._schema, strict=True)
        ]
        self._file.write_batch(self._arrow.RecordBatch.from_arrays(columns, schema=self._schema))
        self._rows = []


def written(time: datetime) -> str:
    """Write a time as ISO 8601 in UTC, with a fraction of a second where there is one.

    >>> from datetime import UTC, datetime
    >>> written(datetime(2026, 11, 24, 3, tzinfo=UTC))
    '2026-11-24T03:00:00Z'
    """
    return f"{time.replace(tzinfo=None).isoformat()}Z"


def _names(questions: Sequence[str]) -> list[str]:
    return [*COLUMNS, *(f"risk_{name}" for name in questions)]
