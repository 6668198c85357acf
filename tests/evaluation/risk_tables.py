"""The PhysioNet 2019 recordings as labelled tables, which `vigie train` and the tasks read.

`python -m tests.evaluation.risk_tables QUESTION OUT` writes one; VIGIE_RECORDINGS says where the
recordings are.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.news2_chart import PLACES, POINTS
from detectors.risk.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator


FILE = "sepsis2019/sepsis2019_dev.parquet"
COLUMNS = {
    "HR": "heart_rate",
    "O2Sat": "spo2",
    "Temp": "temperature",
    "SBP": "systolic",
    "MAP": "mean_pressure",
    "DBP": "diastolic",
    "Resp": "respiratory_rate",
}
SCORED = ("HR", "O2Sat", "Temp", "SBP", "Resp")
# When every stay begins; the recordings have hours only.
START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = 6
BELOW, REACHED = 5, 7
QUESTIONS = ("sepsis", "deterioration")


class Stay:
    """One patient's stay: `hours` since its begin, `values` (hours by vital), NEWS2, sepsis."""

    def __init__(self, name: str, hours: Any, values: Any, sepsis: Any) -> None:
        self.name, self.hours, self.values, self.sepsis = name, hours, values, sepsis
        self.news2 = carried_news2(values)

    def labels(self, question: str) -> list[int | None]:
        """Return the label of each hour; None: the hour is no part of the question."""
        if question == "sepsis":
            return [int(one) for one in self.sepsis]
        reached = np.flatnonzero(self.news2 >= REACHED)
        first = self.hours[reached[0]] if len(reached) else np.inf
        # Hours with a NEWS2 of 5 or 6 too: the model is asked there as well at run time.
        asked = (self.hours < first) & (self.hours >= self.hours[0] + HOURS)
        soon = first - self.hours <= HOURS
        return [int(now) if part else None for part, now in zip(asked, soon, strict=True)]


def stays(recordings: Path) -> Iterator[Stay]:
    """Read the stays, in the order of the file."""
    from pyarrow import parquet  # noqa: PLC0415 (an extra, for recordings only)

    wanted = ["patient_id", "ICULOS", "SepsisLabel", *COLUMNS]
    table = parquet.read_table(recordings / FILE, columns=wanted)
    names = np.array(table["patient_id"].to_pylist())
    hours = table["ICULOS"].to_numpy().astype(float)
    sepsis = table["SepsisLabel"].to_numpy()
    values = np.column_stack([table[name].to_numpy().astype(float) for name in COLUMNS])
    starts = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
    for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
        part = slice(start, end)
        yield Stay(str(names[start]), hours[part], values[part], sepsis[part])


def carried_news2(values: Any) -> Any:
    """NEWS2 of each hour, the last values carried forward; what is missing gives no points."""
    total = np.zeros(len(values))
    for name in SCORED:
        points = POINTS[PLACES[COLUMNS[name]]]
        now = 0
        for hour, value in enumerate(values[:, list(COLUMNS).index(name)]):
            if not np.isnan(value):
                now = points(float(value))
            total[hour] += now
    return total


def rows(recordings: Path, question: str) -> Iterator[tuple[str, datetime, str, float, int | None]]:
    """Yield the rows of a labelled table: patient, time, vital, value, label."""
    vitals = list(COLUMNS.values())
    for stay in stays(recordings):
        labels = stay.labels(question)
        for hour, values, label in zip(stay.hours, stay.values, labels, strict=True):
            time = START + timedelta(hours=float(hour))
            for vital, value in zip(vitals, values, strict=True):
                if not np.isnan(value):
                    yield stay.name, time, vital, float(value), label


def table_rows(recordings: Path, question: str) -> Iterator[Row]:
    """Yield the same rows as `vigie train` reads them from a file."""
    for patient, time, vital, value, label in rows(recordings, question):
        given = None if label is None else bool(label)
        yield Row(patient, time.timestamp(), vital, value, given)


def write(recordings: Path, question: str, out: Path) -> None:
    """Write a labelled table as Parquet."""
    import pyarrow as pa  # noqa: PLC0415 (an extra, for recordings only)
    from pyarrow import parquet  # noqa: PLC0415

    columns = zip(*rows(recordings, question), strict=True)
    types = (pa.string(), pa.timestamp("us", "UTC"), pa.string(), pa.float64(), pa.int8())
    arrays = [pa.array(list(one), kind) for one, kind in zip(columns, types, strict=True)]
    names = ["patient", "time", "vital", "value", "label"]
    parquet.write_table(pa.table(dict(zip(names, arrays, strict=True))), out)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in QUESTIONS:
        sys.exit(f"usage: python -m tests.evaluation.risk_tables {'|'.join(QUESTIONS)} OUT.parquet")
    write(Path(os.environ["VIGIE_RECORDINGS"]), sys.argv[1], Path(sys.argv[2]))
