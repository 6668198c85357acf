"""`vigie score` on real files, as a user runs it."""

from __future__ import annotations

import csv
import gzip
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ingest.registry.entities import Profile
from tests.unit.alerts.scoring.tables_of import at, lines, shuffled, stay, text

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-m", "vigie", "score")
HEAD = (
    "patient,time,news2,news2_missing,risk_deterioration,risk_sepsis,anomaly,priority,explanation"
)
ROWS = shuffled({f"p-{n}": stay(f"p-{n}", n) for n in range(5)}, 1)


def score(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


def scored(table: Path, out: Path, *options: str) -> str:
    done = score(table, "--out", out, *options)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    path = tmp_path / "ward.csv"
    path.write_text(lines(ROWS))
    return path


def parquet_of(path: Path, time: str = "timestamp") -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    times: Any = [text(row.time) for row in ROWS]
    if time != "text":
        kind = pa.timestamp("ns", None if time == "naive" else "Europe/Paris")
        times = pa.array([row.time for row in ROWS], pa.timestamp("us", "UTC")).cast(kind)
    columns = {
        "vital": pa.array([row.vital for row in ROWS]).dictionary_encode(),
        "patient": [row.patient for row in ROWS],
        "value": pa.array([row.value for row in ROWS], pa.float64()),
        "time": times,
        "of no interest": [1] * len(ROWS),
    }
    parquet.write_table(pa.table(columns), path, row_group_size=100)
    return path


def test_a_table_becomes_one_row_for_each_patient_and_time_in_its_order(ward: Path) -> None:
    out = ward.with_name("scores.csv")
    told = scored(ward, out, "--profile", "icu", "--validity", "unlimited")
    assert out.read_text().splitlines()[0] == HEAD
    with out.open(newline="") as file:
        found = list(csv.DictReader(file))
    expected = dict.fromkeys((row.patient, text(row.time)) for row in ROWS)
    assert [(row["patient"], row["time"]) for row in found] == list(expected)
    assert f"{len(expected)} rows" in told
    assert {row["priority"] for row in found} <= {"", "low", "medium", "high"}
    assert any(row["explanation"] for row in found)
    assert all(bool(row["explanation"]) == bool(row["priority"]) for row in found)


@pytest.mark.parametrize("time", ["timestamp", "text"])
def test_csv_gzip_and_parquet_give_the_same_bytes(ward: Path, time: str) -> None:
    packed = ward.with_name("ward.csv.gz")
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + ward.read_bytes().replace(b"\n", b"\r\n")))
    outs = []
    for table in (ward, packed, parquet_of(ward.with_name("ward.parquet"), time)):
        out = ward.with_name(f"{table.name}-scores.csv")
        scored(table, out)
        outs.append(out.read_bytes())
    assert outs[0] == outs[1] == outs[2]


def test_the_same_scores_are_written_in_every_format(ward: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    plain, packed, columns = (ward.with_name(name) for name in ("s.csv", "s.csv.gz", "s.parquet"))
    for out in (plain, packed, columns):
        scored(ward, out)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    table = parquet.read_table(columns)
    assert table.column_names == HEAD.split(",")
    with plain.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert table["patient"].to_pylist() == [row["patient"] for row in rows]
    assert [text(time) for time in table["time"].to_pylist()] == [row["time"] for row in rows]
    for name in ("news2", "anomaly", "risk_sepsis", "risk_deterioration"):
        expected = [float(row[name]) if row[name] else None for row in rows]
        assert table[name].to_pylist() == expected
    for name in ("news2_missing", "explanation"):
        assert [cell or "" for cell in table[name].to_pylist()] == [row[name] for row in rows]


def test_few_patients_in_memory_give_the_same_bytes(ward: Path) -> None:
    one, many = ward.with_name("one.csv"), ward.with_name("many.csv")
    scored(ward, one, "--live", "1")
    scored(ward, many)
    assert one.read_bytes() == many.read_bytes()


def test_bad_rows_are_named_by_number_counted_and_left_out(tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "scores.csv"
    table.write_text(
        "patient,time,vital,value,device,unit\n"
        f"zoe-martin,{text(at(0))},spo2,97,,\n"
        f"zoe-martin,{text(at(0))},spo2,666,,\n"
        "\n"
        f"zoe-martin,{text(at(1))},temperature,98.6,,[degF]\n"
        f"zoe-martin,{text(at(1))},temperature,98.6,,parsec\n"
        "zoe-martin,yesterday,spo2,97,,\n"
        f"zoe-martin,{text(at(0))},spo2,97,,\n"
        f"zoe-martin,{text(at(2))},mood,grumpy,,\n"
        f",{text(at(2))},spo2,97,,\n"
        f"zoe-martin,{text(at(2))},spo2\n"
    )
    told = scored(table, out)
    assert [line.partition(" (")[0] for line in told.splitlines()[:8]] == [
        "bad rows: 7, left out",
        "  bad-patient: 1",
        "  bad-time: 1",
        "  out-of-order: 1",
        "  out-of-range: 1",
        "  unknown-unit: 1",
        "  unknown-vital: 1",
        "  unreadable: 1",
    ]
    assert "  row 2, column value: out-of-range" in told
    assert "  row 4, column unit: unknown-unit" in told
    for secret in ("zoe", "666", "grumpy", "parsec", "yesterday"):
        assert secret not in told
    assert len(out.read_text().splitlines()) == 4


def test_a_bad_row_is_fatal_where_that_is_wanted_and_leaves_no_file(ward: Path) -> None:
    ward.write_text(ward.read_text() + f"p-1,{text(at(1000))},spo2,97%\n")
    out = ward.with_name("scores.csv")
    out.write_text("what was there before")
    done = score(ward, "--out", out, "--bad-rows", "fail")
    assert done.returncode == 1
    assert f"row {len(ROWS) + 1}, column value: not-a-number" in done.stderr
    assert out.read_text() == "what was there before"
    assert sorted(path.name for path in ward.parent.iterdir()) == ["scores.csv", "ward.csv"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("nowhere.csv",), "nowhere.csv: cannot be read: No such file or directory"),
        (("ward.xlsx",), "must end in .csv, .csv.gz, .parquet"),
        (("ward.csv", "--out", "scores.txt"), "must end in .csv, .csv.gz, .parquet"),
        (("ward.csv", "--out", "no/such/scores.csv"), "cannot be written"),
        (("ward.csv", "--out", "ward.csv"), "is the table itself"),
        (("ward.csv", "--profile", "hotel"), f"no profile `hotel`; there are {', '.join(Profile)}"),
        (("ward.csv", "--validity", "soon"), "write a number of hours, or `unlimited`"),
        (("semicolons.csv",), "put commas between the cells"),
        (("half.csv",), "no column `vital`, `value`; there are `patient`, `time`"),
        (("empty.csv",), "the file is empty"),
        (("headless.csv",), "the first line must name the columns"),
        (("cut.csv.gz",), "cannot be read: broken or cut off"),
        (("fake.parquet",), "fake.parquet: no Parquet file"),
        (("naive.parquet",), "column `time` has no time zone"),
        (("ward.csv", "--registry", "fake.parquet"), "not TOML"),
    ],
)
def test_what_is_wrong_is_one_sentence(ward: Path, change: tuple[str, ...], said: str) -> None:
    folder = ward.parent
    (folder / "ward.xlsx").write_text("")
    (folder / "semicolons.csv").write_text("patient;time;vital;value\n")
    (folder / "half.csv").write_text("patient,time\n")
    (folder / "empty.csv").write_text("")
    (folder / "headless.csv").write_text(f"zoe-martin,{text(at(0))},spo2,97\n")
    (folder / "cut.csv.gz").write_bytes(gzip.compress(ward.read_bytes())[:-100])
    (folder / "fake.parquet").write_text("no [Parquet")
    parquet_of(folder / "naive.parquet", "naive")
    before = sorted(folder.iterdir())
    out = () if "--out" in change else ("--out", "scores.csv")
    done = score(*(folder / one if "." in one else one for one in (*change, *out)))
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "zoe" not in done.stderr
    assert sorted(folder.iterdir()) == before


def test_patients_settings_may_come_from_a_registry_file(ward: Path) -> None:
    registry, out = ward.with_name("site.toml"), ward.with_name("scores.csv")
    registry.write_text('[[patients]]\nid = "p-1"\npregnant = true\n')
    scored(ward, out, "--registry", str(registry))
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["news2"] for row in rows if row["patient"] == "p-1"} == {""}
    assert {row["news2"] for row in rows if row["patient"] == "p-2"} - {""}


def test_explanations_are_in_french_where_that_is_wanted(ward: Path) -> None:
    english, french = ward.with_name("en.csv"), ward.with_name("fr.csv")
    scored(ward, english)
    scored(ward, french, "--language", "fr")
    assert "score" in english.read_text()
    assert "fréquence" in french.read_text()


def test_an_unknown_series_is_scored_where_that_is_wanted(tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "scores.csv"
    rows = [f"server,{text(at(n / 12))},cpu,{n % 5}\n" for n in range(2000)]
    rows.append(f"server,{text(at(2000 / 12))},cpu,1000\n")
    table.write_text("patient,time,vital,value\n" + "".join(rows))
    assert "unknown-vital: 2001" in scored(table, out)
    assert "bad rows" not in scored(table, out, "--generic")
    with out.open(newline="") as file:
        figures = [row["anomaly"] for row in csv.DictReader(file)]
    assert len(figures) == 2001
    assert float(figures[-1]) == max(float(one) for one in figures if one)


def test_breaking_off_leaves_no_half_file(tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "scores.csv"
    rows = (f"p,{text(at(n / 60))},heart_rate,{70 + n % 9}\n" for n in range(400_000))
    table.write_text("patient,time,vital,value\n" + "".join(rows))
    # A shell that runs the tests in the background would have its children ignore SIGINT.
    heard = ["env", "--default-signal=INT", *COMMAND]
    with subprocess.Popen(
        [*heard, str(table), "--out", str(out)], stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(tmp_path.glob(".scores.csv.*.part")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode not in {0, None}
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_the_help_shows_two_examples() -> None:
    assert score("--help").stdout.count("Example: vigie score") == 2
