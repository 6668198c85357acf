"""`vigie evaluate` on real files, as a user runs it."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.alerts.scoring.tables_of import START, text
from tests.unit.detectors.evaluation.question import ward

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROGRAM = "from detectors.evaluation.cli import app; from ingest.ports import VigieError"
MAIN = f"{PROGRAM}\ntry: app()\nexcept VigieError as error: raise SystemExit(f'vigie: {{error}}')"
HEAD = "patient,time,news2,news2_missing,risk_sepsis,anomaly,priority,explanation"


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def figures(*arguments: str | Path) -> dict[str, Any]:
    done = evaluate(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        lines = csv.DictWriter(file, rows[0].keys())
        lines.writeheader()
        lines.writerows(rows)
    return path


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Write scores as `vigie score` does, and labels."""
    data = ward(1)
    scores, labels = [], []
    for row, patient in enumerate(data.patient.tolist()):
        time = text(START + timedelta(seconds=float(data.at[row])))
        value = data.scores["score"][row]
        known = value == value  # noqa: PLR0124 (NaN differs from itself)
        scores.append(
            {
                "patient": f"p-{patient}",
                "time": time,
                "news2": int(value > 0) + 2 * int(value > 1) if known else "",
                "news2_missing": "weight" if known else "",
                "risk_sepsis": f"{1 / (1 + 2.7 ** -(value - 2)):.6f}" if known else "",
                "anomaly": "",
                "priority": "medium" if value > 1 else "",
                "explanation": "a score, of course" if value > 1 else "",
            }
        )
        labels.append({"patient": f"p-{patient}", "time": time, "label": int(data.label[row])})
    return write(tmp_path / "scores.csv", scores), write(tmp_path / "labels.csv", labels)


def test_every_column_of_figures_is_judged_and_shown(tables: tuple[Path, Path]) -> None:
    done = evaluate(*tables)
    assert done.returncode == 0, done.stderr
    for word in ("news2", "risk_sepsis", "priority", "AUROC", "PPV", "Brier", "lead time"):
        assert word in done.stdout
    assert "not judged, as no labelled row has a number: anomaly" in done.stdout
    assert done.stdout.count("anomaly") == 1, "it has no figure"
    assert "40 patients" in done.stdout


def test_the_json_has_every_figure_with_its_interval(tables: tuple[Path, Path]) -> None:
    found = figures(*tables)
    assert found["schema"] == "evaluation/1"
    assert (found["patients"], found["rows"]) == (40, 1200)
    assert found["patient_days"] == 50
    sepsis = found["scores"]["risk_sepsis"]
    assert set(sepsis) == {"coverage", "auroc", "auprc", "budgets", "calibration"}
    assert [at["budget"] for at in sepsis["budgets"]] == [1, 2, 5]
    at = sepsis["budgets"][0]
    assert at["alerts_per_patient_day"]["value"] <= 1
    for figure in (sepsis["auroc"], at["sensitivity"], at["ppv"], at["lead_hours"]["median"]):
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert found["scores"]["news2"]["calibration"] is None
    assert figures(*tables) == found, "the seed decides"
    assert figures(*tables, "--seed", "8") != found


def test_options_choose_scores_budgets_and_what_an_alert_is(tables: tuple[Path, Path]) -> None:
    options = ("--score", "risk_sepsis", "--budget", "3", "--refractory-hours", "4")
    more = ("--horizon-hours", "6", "--replicates", "0", "--row-hours", "2")
    found = figures(*tables, *options, *more)
    assert list(found["scores"]) == ["risk_sepsis"]
    [at] = found["scores"]["risk_sepsis"]["budgets"]
    assert (at["budget"], at["sensitivity"]["low"]) == (3, None)
    assert (found["refractory_hours"], found["horizon_hours"]) == (4, 6)
    crossing = figures(*tables, *options, *more, "--alert", "crossing")
    assert crossing["alert"] == "crossing"
    assert crossing["scores"] != found["scores"]


def test_a_folder_gets_the_figures_and_a_picture(tables: tuple[Path, Path]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    out = tables[0].with_name("figures")
    done = evaluate(*tables, "--out", out, "--replicates", "20")
    assert done.returncode == 0, done.stderr
    assert (out / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((out / "evaluation.json").read_text())["replicates"] == 20
    picture = tables[0].with_name("one.svg")
    assert evaluate(*tables, "--picture", picture, "--replicates", "0").returncode == 0
    svg = picture.read_text()
    for word in ("ROC", "Precision and recall", "alerts per patient-day", "Calibration"):
        assert word in svg


def test_csv_gzip_and_parquet_give_the_same_figures(tables: tuple[Path, Path]) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 (an extra)
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    expected = figures(*tables, "--replicates", "0")
    packed = tables[0].with_name("scores.csv.gz")
    packed.write_bytes(gzip.compress(tables[0].read_bytes()))
    assert figures(packed, tables[1], "--replicates", "0") == expected
    columns = []
    for path in tables:
        table = arrow_csv.read_csv(path)
        kind = pa.timestamp("us", "UTC")
        place = table.column_names.index("time")
        table = table.set_column(place, "time", table["time"].cast(kind))
        columns.append(path.with_suffix(".parquet"))
        parquet.write_table(table, columns[-1])
    assert figures(*columns, "--replicates", "0") == expected


def test_labelled_rows_without_scores_are_unknown_and_the_others_are_left_out(
    tables: tuple[Path, Path],
) -> None:
    scores, labels = tables
    lines = scores.read_text().splitlines()
    scores.write_text("\n".join([*lines[:-100], ""]))
    known = labels.read_text().splitlines()
    labels.write_text("\n".join([known[0], *known[31:], f"{known[1][:-1]}", ""]))
    found = figures(scores, labels, "--replicates", "0")
    assert (found["rows"], found["unscored_rows"], found["unlabelled_rows"]) == (1170, 100, 30)
    told = evaluate(scores, labels, "--replicates", "0").stdout
    assert "100 labelled rows have no row of scores" in told
    assert "30 rows of scores have no label" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scores": "patient,time\np-0,2026-11-24T00:00Z\n"}, "no column has a value"),
        ({"scores": "patient,when\n"}, "no column `time`; there are `patient`, `when`"),
        ({"labels": "patient,time\n"}, "no column `label`; there are `patient`, `time`"),
        ({"labels": "patient,time,label\nx,2026-11-24T00:00Z,1\n"}, "none of its 1 labelled rows"),
        ({"labels": "patient,time,label\np-0,2026-11-24T00:00Z,\n"}, "no row has a label"),
        ({"labels": "patient,time,label\np-0,2026-11-24T00:00Z,2\n"}, "row 1, column `label`"),
        ({"labels": "patient,time,label\np-0,2026-11-24T00:00Z,1\n"}, "every label is 1"),
        ({"labels": "patient,time,label\np-0,2026-11-24T00:00,1\n"}, "column `time`: no time zone"),
        ({"labels": "patient,time,label\np-0,soon,1\n"}, "column `time`: no ISO 8601 time"),
        ({"labels": "patient,time,label\np-0,1\n"}, "row 1 has 2 cells, the head has 3"),
        ({"labels": "patient,time,label\n,2026-11-24T00:00Z,1\n"}, "column `patient`: empty"),
        ({"options": "--score news3"}, "no column `news3`; there are `patient`"),
        ({"options": "--score explanation"}, "column `explanation`: no number"),
        ({"options": "--score anomaly"}, "column `anomaly` has no value"),
        ({"options": "--budget 0"}, "--budget: write a number above 0"),
        ({"options": "--picture plot.pdf"}, "must end in .png or .svg"),
        ({"labels": None}, "cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tables: tuple[Path, Path], change: dict[str, str | None], said: str
) -> None:
    scores, labels = tables
    for path, name in ((scores, "scores"), (labels, "labels")):
        match change.get(name, ...):
            case None:
                path.unlink()
            case str(words):
                path.write_text(words)
    done = evaluate(scores, labels, "--replicates", "0", *(change.get("options") or "").split())
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_one_patient_and_time_twice_is_refused(tables: tuple[Path, Path]) -> None:
    lines = tables[0].read_text().splitlines()
    tables[0].write_text("\n".join([*lines, lines[1], ""]))
    done = evaluate(*tables)
    assert done.returncode == 1
    assert "row 1201: this patient and time came before" in done.stderr
