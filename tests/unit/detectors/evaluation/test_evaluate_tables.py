"""Reading scores and labels, and what is shown of the figures."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from detectors.evaluation import report, tables
from detectors.evaluation.cli import app
from detectors.evaluation.measure import How, evaluate
from tests.unit.detectors.evaluation.question import one_patient, ward

if TYPE_CHECKING:
    from pathlib import Path

SCORES = """\
patient,time,news2,priority,explanation,risk_sepsis
b,2026-11-24T01:00:00Z,3,high,words,0.5
a,2026-11-24T02:00:00+01:00,,,,NaN
a,2026-11-24T02:00:00Z,1,low,words,0.25
a,2026-11-24T03:00:00Z,9,,,
"""
LABELS = """\
patient,time,label
a,2026-11-24T01:00:00Z,0
a,2026-11-24T02:00:00Z,1.0
a,2026-11-24T03:00:00Z,
b,2026-11-24T01:00:00Z,false
b,2026-11-24T09:00:00Z,true
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    scores, labels = tmp_path / "scores.csv", tmp_path / "labels.csv"
    scores.write_text(SCORES)
    labels.write_text(LABELS)
    return scores, labels


def test_scores_stand_beside_labels_by_patient_and_moment(files: tuple[Path, Path]) -> None:
    data = tables.read(*files)
    assert data.patient.tolist() == [0, 0, 1, 1]
    assert data.label.tolist() == [False, True, False, True]
    assert set(data.scores) == {"news2", "priority", "risk_sepsis"}
    assert np.array_equal(data.scores["news2"], [np.nan, 1, 3, np.nan], equal_nan=True)
    assert np.array_equal(data.scores["priority"], [0, 1, 3, np.nan], equal_nan=True)
    assert np.array_equal(data.scores["risk_sepsis"], [np.nan, 0.25, 0.5, np.nan], equal_nan=True)
    assert (data.unscored, data.unlabelled) == (1, 1)
    assert data.at[0] == datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp()


def test_one_score_may_be_asked_for(files: tuple[Path, Path]) -> None:
    assert list(tables.read(*files, ("news2",)).scores) == ["news2"]


def parquet_of(path: Path, zone: str | None, unit: str = "ns") -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    times = [datetime(2026, 11, 24, hour, tzinfo=UTC) for hour in (1, 2, 1)]
    kind = pa.timestamp(unit, zone)
    columns = {
        "patient": [7, 7, 8],
        "time": pa.array(times, pa.timestamp("us", "UTC")).cast(kind),
        "score": [0.5, None, 0.1],
        "label": [True, False, None],
    }
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_has_numbers_truths_and_times_of_its_own(tmp_path: Path, unit: str) -> None:
    path = parquet_of(tmp_path / "both.parquet", "Europe/Paris", unit)
    data = tables.read(path, path, ("score",))
    assert data.label.tolist() == [True, False]
    assert np.array_equal(data.scores["score"], [0.5, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("a,2026-11-24T03:00:00Z,9", "a,2026-11-24T03:00:00Z,inf"), "column `news2`: no number"),
        (("a,2026-11-24T03:00:00Z,9", "a,2026-11-24T03:00:00Z,x"), "row 4, column `news2`"),
        (("a,2026-11-24T03", "a,2026-11-24T02"), "row 4: this patient and time came before"),
        (("explanation", "news2"), "two columns have one name"),
        (("b,2026-11-24T01:00:00Z", "b,0000"), "row 1, column `time`: no ISO 8601 time"),
        (("patient,time", "who,time"), "no column `patient`; there are `who`, `time`"),
        (("9,,,", "9,,"), "row 4 has 5 cells, the head has 6"),
    ],
)
def test_a_bad_table_of_scores_is_named_by_row_and_column(
    files: tuple[Path, Path], change: tuple[str, str], said: str
) -> None:
    files[0].write_text(SCORES.replace(*change))
    with pytest.raises(tables.Unusable) as caught:
        tables.read(*files, ("news2",))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scores.xlsx", b"", "must end in .csv, .csv.gz, .parquet"),
        ("scores.csv.gz", gzip.compress(SCORES.encode())[:-20], "broken or cut off"),
        ("scores.csv.gz", SCORES.encode(), "cannot be read"),
        ("scores.csv", b"patient,time\n\xff\xfe,,\n", "broken or cut off"),
        ("scores.csv", b"", "no column `patient`; there are none"),
        ("scores.parquet", b"PAR1", "no Parquet file"),
        ("nowhere.csv", None, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(
    files: tuple[Path, Path], name: str, content: bytes | None, said: str
) -> None:
    path = files[0].with_name(name)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(tables.Unusable) as caught:
        tables.read(path, files[1])
    assert said in str(caught.value)


def test_times_without_a_zone_are_refused_in_parquet_too(tmp_path: Path) -> None:
    path = parquet_of(tmp_path / "naive.parquet", None)
    with pytest.raises(tables.Unusable, match="column `time` has no time zone"):
        tables.read(path, path)


def test_the_command_tells_what_an_alert_and_an_onset_are(files: tuple[Path, Path]) -> None:
    options = ("--alert", "crossing", "--horizon-hours", "6", "--replicates", "5")
    done = CliRunner().invoke(app, [*map(str, files), *options])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for words in (
        "whose row before was below, at least 1 h after",
        "to 6 h after the first label",
        "1 labelled rows have no row of scores",
        "95 % intervals over 5 samples",
        "known",
    ):
        assert words in said


def test_a_score_without_alerts_within_the_budget_says_so() -> None:
    data = one_patient([0, 1, 1, 0], [1, 1, 1, 1])
    found, _ = evaluate(data, How(replicates=0))
    [at, *_] = found.scores["score"].budgets
    assert at.threshold is None
    assert (at.sensitivity.value, at.ppv.value, at.lead_hours.median.value) == (0, None, None)
    assert report.NONE in [str(cell) for cell in list(report.tables(found))[1].columns[2].cells]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture_can_be_drawn_with_and_without_probabilities(
    tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from detectors.evaluation import pictures  # noqa: PLC0415 (an extra)

    data = ward(2)
    score = data.scores["score"]
    figures = {"anomaly": score, "risk": 1 / (1 + np.exp(2 - score))}
    for chosen in (figures, {"anomaly": score}):
        one = replace(data, scores=chosen)
        path = tmp_path / f"plot.{suffix}"
        pictures.draw(*evaluate(one, How(replicates=10)), path)
        assert path.stat().st_size > 10_000
    with pytest.raises(tables.Unusable, match=r"must end in \.png or \.svg"):
        pictures.draw(*evaluate(one, How(replicates=0)), tmp_path / "plot.gif")


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"], ids=["before", "after"]
)
def test_a_time_that_is_outside_of_the_calendar_in_utc_is_no_time(
    files: tuple[Path, Path], time: str
) -> None:
    files[0].write_text(SCORES.replace("2026-11-24T01:00:00Z", time))
    with pytest.raises(tables.Unusable, match="row 1, column `time`: no ISO 8601 time"):
        tables.read(*files)


def test_whole_numbers_in_parquet_are_no_times(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    path = tmp_path / "seconds.parquet"
    columns = {"patient": ["a", "a"], "time": [1, 3601], "score": [0.1, 0.2], "label": [0, 1]}
    parquet.write_table(pa.table(columns), path)
    with pytest.raises(tables.Unusable, match="column `time` has numbers; write times"):
        tables.read(path, path)


def test_a_parquet_file_that_is_not_there_is_named_in_plain_words(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with pytest.raises(tables.Unusable, match=r"cannot be read: No such file or directory$"):
        tables.read(tmp_path / "nowhere.parquet", files[1])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--refractory-hours", one) for one in ("inf", "1e300")),
        *(("--horizon-hours", one) for one in ("inf",)),
        *(("--budget", one) for one in ("nan", "inf", "0")),
        *(("--row-hours", one) for one in ("nan", "inf", "0")),
    ],
)
def test_an_option_that_is_no_number_of_hours_or_alerts_is_one_sentence(
    files: tuple[Path, Path], option: str, value: str
) -> None:
    done = CliRunner().invoke(app, [*map(str, files), option, value])
    assert isinstance(done.exception, tables.Unusable), done.output
    assert option in str(done.exception)


def test_scores_without_a_figure_in_any_labelled_row_are_named(files: tuple[Path, Path]) -> None:
    files[0].write_text(SCORES.replace(",0.5", ",").replace(",0.25", ","))
    done = CliRunner().invoke(app, [*map(str, files), "--replicates", "0"])
    assert done.exit_code == 0, done.output
    assert "not judged, as no labelled row has a number: risk_sepsis" in done.output
