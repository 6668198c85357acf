"""Tables in, tables out, in each format."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.scoring.rows import Row, Unreadable
from alerts.scoring.run import ScoredRow
from alerts.scoring.tables import BadFile, table
from alerts.scoring.writing import sheet
from detectors.findings import Priority

if TYPE_CHECKING:
    from pathlib import Path

TIME = datetime(2026, 11, 24, 3, 0, 0, 500_000, tzinfo=UTC)
SCORED = ScoredRow(
    *("p-1", TIME, 7, ("spo2", "systolic"), 0.25, None, 3.5, Priority.HIGH, 'He said: "no", so'),
    {"deterioration": 0.25, "fall": 0.125},
)
UNKNOWN = ScoredRow("p-2", TIME, None, (), None, None, None, None, "", {})
WRITTEN = (
    "patient,time,news2,news2_missing,risk_deterioration,risk_sepsis,anomaly,priority,explanation,"
    "risk_fall\n"
    'p-1,2026-11-24T03:00:00.500000Z,7,spo2 systolic,0.25,,3.5,high,"He said: ""no"", so",0.125\n'
    "p-2,2026-11-24T03:00:00.500000Z,,,,,,,,\n"
)


def written(path: Path) -> bytes:
    with sheet(path, ("fall", "sepsis")) as one:
        one.add(SCORED)
        one.add(UNKNOWN)
    return path.read_bytes()


def parquet_of(path: Path, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    some = {"patient": ["p-1"], "time": ["t"], "vital": ["spo2"], "value": [97.0]}
    parquet.write_table(pa.table(some | columns), path)
    return path


def test_scores_are_written_as_csv_plain_and_packed(tmp_path: Path) -> None:
    assert written(tmp_path / "s.csv").decode() == WRITTEN
    assert gzip.decompress(written(tmp_path / "s.csv.gz")).decode() == WRITTEN
    assert written(tmp_path / "a.csv.gz") == written(tmp_path / "b.csv.gz")


def test_scores_are_written_as_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "s.parquet"
    written(path)
    [first, second] = parquet.read_table(path).to_pylist()
    assert first["time"] == TIME
    assert (first["news2"], first["priority"], first["risk_fall"]) == (7, "high", 0.125)
    assert {first["news2_missing"], second["news2_missing"]} == {"spo2 systolic", ""}
    assert second["news2"] is None


def test_an_empty_table_is_written_too(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "s.parquet"
    with sheet(path):
        pass
    assert parquet.read_table(path).num_rows == 0


def test_what_is_broken_off_leaves_nothing_and_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("before")

    def broken_off() -> None:
        with sheet(path) as one:
            one.add(SCORED)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_cannot_be_written_over(tmp_path: Path) -> None:
    (tmp_path / "s.csv").mkdir()
    with pytest.raises(BadFile, match="is a folder"), sheet(tmp_path / "s.csv"):
        pass
    with pytest.raises(BadFile, match="cannot be written"), sheet(tmp_path / "no" / "s.csv"):
        pass


def test_columns_are_found_by_their_names_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("unit,note, value ,vital,time,patient\n%,x,97,spo2,t,p-1\n\nfew\n")
    source = table(path)
    assert list(source.rows()) == [Row("p-1", "t", "spo2", "97", "", "%"), Unreadable()]
    assert source.done() == source.size


def test_a_cell_without_end_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"patient,time,vital,value\np-1,t,spo2,{'9' * 200_000}\np-1,t,spo2,97\n")
    assert list(table(path).rows()) == [Unreadable(), Row("p-1", "t", "spo2", "97", "", "")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("zoe,2026-11-24T08:00:00Z,spo2,97\n", "`value`; the first line must name the columns$"),
        ("zoe;2026-11-24T08:00:00Z;spo2;97\n", "`value`; the first line must name the columns$"),
        ("Patient;Time;Vital;Value\n", "`value`; put commas between the cells$"),
        ("patient\ttime\tvital\tvalue\n", "put commas between the cells$"),
        ("Patient,Time,Vital,Value\n", "there are `Patient`, `Time`, `Vital`, `Value`$"),
        ("patient,time,value\n", "no column `vital`; there are `patient`, `time`, `value`"),
        ("patient,time,vital,value,value\n", "column `value` is there twice"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=said):
        table(path)


def test_a_table_in_utf_16_is_said_to_be_no_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("patient,time,vital,value\n", encoding="utf-16")
    with pytest.raises(BadFile, match="no text in UTF-8"):
        table(path)


def test_a_file_that_is_cut_off_is_said_when_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    rows = "".join(f"p-1,t,spo2,{number}\n" for number in range(50_000))
    path.write_bytes(gzip.compress(f"patient,time,vital,value\n{rows}".encode())[:-5000])
    with pytest.raises(BadFile, match="broken or cut off"):
        list(table(path).rows())


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_are_read_in_every_unit_and_zone(tmp_path: Path, unit: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    whole = TIME.replace(microsecond=0)
    times = pa.array([whole], pa.timestamp("s", "UTC")).cast(pa.timestamp(unit, "Europe/Paris"))
    source = table(parquet_of(tmp_path / "t.parquet", time=times))
    assert list(source.rows()) == [Row("p-1", whole, "spo2", 97.0)]
    assert source.done() == source.size == 1


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_times_of_parquet_may_be_any_text(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    times = pa.array(["t"], getattr(pa, kind)())
    assert list(table(parquet_of(tmp_path / "t.parquet", time=times)).rows()) == [
        Row("p-1", "t", "spo2", 97.0)
    ]


def test_a_time_of_parquet_that_nothing_can_express_is_a_bad_cell(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    times = pa.array([2**62], pa.timestamp("ms", "UTC"))
    [row] = table(parquet_of(tmp_path / "t.parquet", time=times)).rows()
    assert isinstance(row, Row)
    assert row.time == "?"
    empty = pa.array([None], pa.timestamp("s", "UTC"))
    [row] = table(parquet_of(tmp_path / "t.parquet", time=empty)).rows()
    assert isinstance(row, Row)
    assert row.time is None


def test_a_time_of_parquet_without_a_zone_or_of_another_type_is_no_time(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="has no time zone"):
        table(parquet_of(tmp_path / "t.parquet", time=[TIME.replace(tzinfo=None)]))
    with pytest.raises(BadFile, match="column `time` is int64"):
        table(parquet_of(tmp_path / "t.parquet", time=[1_700_000_000]))


def test_a_parquet_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(BadFile, match="No such file"):
        table(path)
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(BadFile, match="no Parquet file"):
        table(path)


@given(content=st.binary(max_size=200))
def test_no_bytes_of_a_csv_file_raise_anything_but_a_sentence(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(b"patient,time,vital,value\n" + content)
    assert all(isinstance(row, Row | Unreadable) for row in table(path).rows())
