"""NEWS2 of a long table, against the counts of an independent implementation."""

from __future__ import annotations

import math
import os
from collections import Counter
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alerts.scoring.rows import BadRows, Row
from alerts.scoring.run import Scoring, score_rows
from detectors.news2_chart import score
from detectors.profiles.loading import parse
from ingest.readings import Refusal, Vital, judge
from ingest.registry.entities import Profile
from tests.unit.alerts.scoring.tables_of import START

if TYPE_CHECKING:
    from collections.abc import Iterator

# As in the README of the recordings: all rows, by totals of 0 to 14; nothing known counts as 0.
CARRIED_FORWARD = (
    *(75692, 64471, 55659, 47211, 31511, 18547, 10515),
    *(5044, 2277, 945, 376, 147, 76, 30, 16),
)
COLUMNS = {
    "HR": "heart_rate",
    "O2Sat": "spo2",
    "Temp": "temperature",
    "SBP": "systolic",
    "Resp": "respiratory_rate",
}
# Nothing but NEWS2, so that all 312,517 rows take seconds.
ALONE = parse("alone", 'about = "NEWS2 alone"\n[news2]\n')


def rows() -> Iterator[Row]:
    """Turn the recordings into a long table, hour by hour."""
    place = os.environ.get("VIGIE_RECORDINGS")
    if not place:
        pytest.skip("VIGIE_RECORDINGS is not set")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = Path(place) / "sepsis2019" / "sepsis2019_dev.parquet"
    if not path.exists():
        pytest.skip("VIGIE_RECORDINGS has no sepsis2019/sepsis2019_dev.parquet")
    table = parquet.read_table(path, columns=["patient_id", "ICULOS", *COLUMNS])
    table = table.sort_by([("patient_id", "ascending"), ("ICULOS", "ascending")])
    columns = [table.column(name).to_pylist() for name in ("patient_id", "ICULOS", *COLUMNS)]
    for patient, hour, *values in zip(*columns, strict=True):
        time = START + timedelta(hours=hour)
        measured = [
            Row(patient, time, vital, value)
            for vital, value in zip(COLUMNS.values(), values, strict=True)
            if known(value)
        ]
        yield from measured or (Row(patient, time, "heart_rate", None),)


def known(value: float | None) -> bool:
    return value is not None and value == value  # noqa: PLR0124 (NaN differs from itself)


@pytest.mark.recordings
def test_values_carried_forward_in_a_table_have_the_published_counts() -> None:
    bad = BadRows()
    how = Scoring(Profile.ICU, math.inf, watched=dict.fromkeys(Profile, ALONE))
    counts = Counter(row.news2 or 0 for row in score_rows(rows(), how, bad))
    assert [counts[total] for total in range(15)] == list(CARRIED_FORWARD)
    assert counts.total() == 312_517
    # A temperature of 23.6 degrees is outside of the hard limits, and was refused.
    assert bad.counts == {Refusal.OUT_OF_RANGE: 1}


@pytest.mark.recordings
def test_each_row_alone_has_the_score_of_the_chart() -> None:
    few = list(islice(rows(), 100_000))
    how = Scoring(Profile.ICU, 0.5, watched=dict.fromkeys(Profile, ALONE))
    scored = list(score_rows(few, how))
    shown: dict[tuple[str, datetime], dict[Vital, float]] = {}
    for one in few:
        values = shown.setdefault((one.patient, one.time), {})
        vital = Vital(one.vital)
        if known(one.value) and not isinstance(judge(vital, one.value), Refusal):
            values[vital] = one.value
    expected = [(*key, score(values).total) for key, values in shown.items()]
    assert [row[:3] for row in scored] == expected
