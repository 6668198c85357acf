"""Which cells of a table are believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.scoring import judging
from alerts.scoring.rows import BadCell
from ingest.readings import Original, Quality, Refusal, Vital


def judged(vital: str, cell: Any, unit: str = "") -> Any:
    what = judging.measure(vital, unit)
    return what if isinstance(what, BadCell) else judging.value(what, cell)


@pytest.mark.parametrize(
    ("vital", "cell", "expected"),
    [
        pytest.param("spo2", "97", 97.0, id="text is read as in CSV"),
        pytest.param("spo2", Decimal("97.5"), 97.5, id="and numbers as in Parquet"),
        pytest.param("spo2", " 97 ", 97.0, id="blanks around it do not matter"),
        pytest.param("consciousness", "V", 2.0, id="a letter of consciousness is its place"),
        pytest.param("consciousness", 4, 4.0, id="or is that place, where text has no room"),
        pytest.param("supplemental_oxygen", "true", 1.0, id="true is oxygen"),
        pytest.param("supplemental_oxygen", "False", 0.0, id="false is air"),
        pytest.param("supplemental_oxygen", True, 1.0, id="Parquet has truth itself"),
        pytest.param("age", "64.5", 64.5, id="an age is no vital, and is read"),
        pytest.param("pregnant", "1", 1.0, id="so is a pregnancy"),
    ],
)
def test_what_is_believed(vital: str, cell: Any, expected: float) -> None:
    assert judged(vital, cell) == judging.Judged(expected)


@pytest.mark.parametrize("cell", [None, "", "  ", "nan", "NaN", "NA", float("nan"), Decimal("nan")])
def test_nothing_is_not_measured_and_not_bad(cell: Any) -> None:
    assert judged("heart_rate", cell) is None


@pytest.mark.parametrize(
    ("vital", "cell", "expected"),
    [
        ("spo2", "130", Refusal.OUT_OF_RANGE),
        ("spo2", "inf", Refusal.NOT_FINITE),
        ("spo2", 10**400, Refusal.NOT_FINITE),
        ("spo2", "1_0", Refusal.NOT_A_NUMBER),
        ("spo2", "ninety", Refusal.NOT_A_NUMBER),
        ("spo2", "true", Refusal.NOT_A_NUMBER),
        ("spo2", True, Refusal.NOT_A_NUMBER),
        ("spo2", [97], Refusal.NOT_A_NUMBER),
        ("consciousness", "X", Refusal.UNKNOWN_CODE),
        ("consciousness", "1.5", Refusal.UNKNOWN_CODE),
        ("supplemental_oxygen", "0.4", Refusal.UNKNOWN_CODE),
        ("supplemental_oxygen", "yes", Refusal.UNKNOWN_CODE),
        ("age", "131", Refusal.OUT_OF_RANGE),
        ("pregnant", "2", Refusal.UNKNOWN_CODE),
    ],
)
def test_what_is_refused_and_why(vital: str, cell: Any, expected: Refusal) -> None:
    assert judged(vital, cell) is expected


def test_a_value_outside_of_the_suspect_limits_is_kept_and_marked() -> None:
    assert judged("spo2", "40") == judging.Judged(40.0, int(Quality.SUSPECT))


def test_a_value_in_another_unit_is_converted_and_kept_as_it_came() -> None:
    expected = judging.Judged(37.0, 0, Original(98.6, "[degF]"))
    assert judged("temperature", "98.6", "[degF]") == expected


@pytest.mark.parametrize(
    ("vital", "unit", "expected"),
    [
        ("heart_rate", "mm[Hg]", BadCell("unit", Refusal.UNIT_CONTRADICTS_CODE)),
        ("heart_rate", "parsec", BadCell("unit", Refusal.UNKNOWN_UNIT)),
        ("age", "mo", BadCell("unit", Refusal.UNKNOWN_UNIT)),
        ("pulse", "", BadCell("vital", Refusal.UNKNOWN_VITAL)),
        ("", "", BadCell("vital", Refusal.UNKNOWN_VITAL)),
    ],
)
def test_the_column_that_is_wrong_is_named(vital: str, unit: str, expected: BadCell) -> None:
    assert judged(vital, "70", unit) == expected


def test_generic_scoring_takes_any_name_but_no_empty_or_endless_one() -> None:
    assert judging.measure("cpu load", None, generic=True) == judging.Measure("cpu load", None)
    for name in ("", " ", "x" * 65):
        assert isinstance(judging.measure(name, None, generic=True), BadCell)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-11-24T03:00:00Z",
        "2026-11-24T04:00:00+01:00",
        "2026-11-24 03:00:00+00:00",
        datetime(2026, 11, 24, 3, tzinfo=UTC),
        datetime(2026, 11, 24, 4, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_a_time_is_read_in_whatever_zone_it_was_written(cell: Any) -> None:
    assert judging.time(cell) == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, Refusal.MISSING_TIME),
        ("2026-11-24T03:00:00", Refusal.NO_TIME_ZONE),
        ("2026-11-24", Refusal.NO_TIME_ZONE),
        ("0001-01-01T00:00:00+14:00", Refusal.BAD_TIME),
        ("1899-12-31T00:00:00Z", Refusal.BAD_TIME),
        ("24/11/2026 03:00", Refusal.BAD_TIME),
        (1_700_000_000, Refusal.BAD_TIME),
        ([], Refusal.BAD_TIME),
    ],
)
def test_what_is_no_time(cell: Any, expected: Refusal) -> None:
    assert judging.time(cell) is expected


cells = st.one_of(
    st.none(),
    st.text(),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.decimals(),
    st.binary(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["97", "true", "A", "nan", "1e999", "-0", "٣"]),
)


@given(cell=cells, vital=st.sampled_from([*Vital, "age", "pregnant"]))
def test_no_cell_of_a_value_raises_and_what_is_believed_is_finite(cell: Any, vital: str) -> None:
    found = judged(vital, cell)
    assert found is None or isinstance(found, Refusal | judging.Judged)
    if isinstance(found, judging.Judged):
        assert -1 < found.value < 1e6


@given(cell=cells)
def test_no_cell_of_a_time_raises(cell: Any) -> None:
    found = judging.time(cell)
    assert isinstance(found, Refusal) or found.tzinfo is UTC
