"""The top-level names are generic: what is built must hold them all, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"ingest", "detectors", "alerts", "streams", "simulators", "deploy", "vigie.py"}


def test_the_wheel_holds_our_folders_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("vigie-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == OURS
    for needed in (
        "deploy/timescale/0001_line.sql",
        "deploy/kafka/pom.xml",
        "deploy/prometheus/rules.yml",
        "ingest/py.typed",
    ):
        assert needed in names


def test_the_front_door_knows_each_process() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "vigie", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    processes = ("gateway", "worker", "dispatcher", "simulate", "up")
    for command in (*processes, "score", "evaluate", "plot", "train"):
        assert command in shown
