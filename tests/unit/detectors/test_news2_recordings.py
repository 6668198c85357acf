"""NEWS2 over the PhysioNet 2019 recordings: the counts of an independent implementation."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from detectors.news2_chart import score
from ingest.readings import Vital

# Rows by total 0 to 14: SpO2 scale 1, on air, alert, what is missing gives no points.
EACH_ROW_ALONE = (
    *(101477, 59483, 51942, 42669, 27044, 15358, 8291),
    *(3737, 1589, 612, 188, 79, 30, 13, 5),
)
CARRIED_FORWARD = (
    *(75692, 64471, 55659, 47211, 31511, 18547, 10515),
    *(5044, 2277, 945, 376, 147, 76, 30, 16),
)

COLUMNS = {
    "HR": Vital.HEART_RATE,
    "O2Sat": Vital.SPO2,
    "Temp": Vital.TEMPERATURE,
    "SBP": Vital.SYSTOLIC,
    "Resp": Vital.RESPIRATORY_RATE,
}


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Any]]:
    place = os.environ.get("VIGIE_RECORDINGS")
    if not place:
        pytest.skip("VIGIE_RECORDINGS is not set")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = Path(place) / "sepsis2019" / "sepsis2019_dev.parquet"
    if not path.exists():
        pytest.skip("VIGIE_RECORDINGS has no sepsis2019/sepsis2019_dev.parquet")
    table = parquet.read_table(path, columns=["patient_id", "ICULOS", *COLUMNS])
    table = table.sort_by([("patient_id", "ascending"), ("ICULOS", "ascending")])
    columns: dict[str, list[Any]] = table.to_pydict()
    return columns


@cache
def points(vital: Vital, value: float) -> int:
    """Ask the real score for one vital alone; the recordings have few distinct values."""
    total = score({vital: value}).total
    assert total is not None
    return total


def known(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124 (NaN differs from itself)


@pytest.mark.recordings
def test_each_row_alone_gives_the_published_counts(rows: dict[str, list[Any]]) -> None:
    counts: Counter[int] = Counter()
    vitals = tuple(COLUMNS.values())
    for values in zip(*(rows[name] for name in COLUMNS), strict=True):
        counts[sum(points(v, x) for v, x in zip(vitals, values, strict=True) if known(x))] += 1
    assert [counts[total] for total in range(15)] == list(EACH_ROW_ALONE)
    assert counts.total() == 312_517


@pytest.mark.recordings
def test_values_carried_forward_give_the_published_counts(rows: dict[str, list[Any]]) -> None:
    counts: Counter[int] = Counter()
    patient = None
    last: dict[Vital, float] = {}
    vitals = tuple(COLUMNS.values())
    for whose, *values in zip(*(rows[name] for name in ("patient_id", *COLUMNS)), strict=True):
        if whose != patient:
            patient, last = whose, {}
        for vital, value in zip(vitals, values, strict=True):
            if known(value):
                last[vital] = value
        counts[score(last).total or 0] += 1
    assert [counts[total] for total in range(15)] == list(CARRIED_FORWARD)
    assert counts.total() == 312_517
