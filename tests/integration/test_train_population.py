"""`vigie train-population` as a site uses it: on a table of its own."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]


def train(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vigie", "train-population", *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )


def table(path: Path) -> Path:
    """Write hourly readings of a few dozen patients."""
    random, start = Random(2), datetime(2026, 1, 1, tzinfo=UTC)
    usual = {"heart_rate": (78.0, 9.0), "systolic": (122.0, 12.0), "spo2": (97.0, 1.0)}
    usual |= {"diastolic": (74.0, 8.0), "mean_pressure": (90.0, 9.0), "temperature": (37.0, 0.4)}
    usual |= {"respiratory_rate": (16.0, 3.0)}
    lines = ["patient,time,vital,value"]
    for patient in range(40):
        for hour in range(40):
            time = (start + timedelta(hours=hour)).isoformat()
            lines += [
                f"p-{patient},{time},{vital},{random.gauss(*one):.1f}"
                for vital, one in usual.items()
            ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_the_same_table_gives_the_same_model_and_the_command_says_what_it_does(
    tmp_path: Path,
) -> None:
    source = table(tmp_path / "stays.csv")
    for name in ("one.json", "other.json"):
        ran = train(source, "--out", tmp_path / name)
        assert ran.returncode == 0, ran.stderr
        assert "40 patients" in ran.stderr
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()


def test_each_bad_input_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("patient,when,vital,value\np,2026-01-01T00:00:00Z,spo2,97\n", "utf-8")
    few = tmp_path / "few.csv"
    few.write_text("patient,time,vital,value\np,2026-01-01T00:00:00Z,spo2,97\n", "utf-8")
    for given, said in (
        (tmp_path / "absent.csv", "no such file"),
        (wrong, "time"),
        (few, "are needed"),
    ):
        ran = train(given, "--out", tmp_path / "model.json")
        assert ran.returncode == 1
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
    assert not (tmp_path / "model.json").exists()
