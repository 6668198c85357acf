"""The main job on real input: recorded patients through the whole line, value for value."""

from __future__ import annotations

import csv
import gzip
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest.readings import Refusal, Vital, judge
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.servers import Servers

pytestmark = [pytest.mark.servers, pytest.mark.recordings, pytest.mark.timeout(600)]

# Read apart from simulators/readers on purpose: a mistake there would otherwise go unseen.
COLUMNS = {
    "HR": Vital.HEART_RATE,
    "PULSE": Vital.PULSE_RATE,
    "RESP": Vital.RESPIRATORY_RATE,
    "SpO2": Vital.SPO2,
}
Rows = dict[tuple[str, str, datetime], float]


class Line:
    """Gateway and worker as processes, on the suite's servers."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.database = servers.environment["VIGIE_DATABASE"]
        self._folder = folder
        self._environment = {
            **os.environ,
            **servers.environment,
            "VIGIE_STATE": str(folder / "state"),
        }

    def vigie(self, *arguments: str) -> str:
        """Run one command to its end, and return what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "vigie", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Run processes until the block ends; their logs are in the test's folder."""
        processes = []
        try:
            for name in names:
                with (self._folder / f"{name}.log").open("wb") as log:
                    command = [sys.executable, "-m", "vigie", name, "--metrics-port", "0"]
                    processes.append(
                        subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
                    )
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode()).fetchall()

    def count(self, query: str) -> int:
        return int(self.rows(query)[0][0] or 0)


@pytest.fixture
def recordings() -> Path:
    folder = Path(os.environ.get("VIGIE_RECORDINGS", "")) / "bidmc"
    if not os.environ.get("VIGIE_RECORDINGS") or not folder.is_dir():
        pytest.skip("VIGIE_RECORDINGS names no folder with the BIDMC recordings")
    return folder.resolve()


@pytest.fixture
def line(line_servers: Servers, tmp_path: Path) -> Iterator[Line]:
    made = Line(line_servers, tmp_path)
    made.vigie("topics", "create")
    made.vigie("database", "migrate")
    with made.running("gateway", "worker"):
        yield made


def in_the_file(folder: Path, end: datetime) -> tuple[Rows, int]:
    """Read the values that can be believed, each at its shifted time; and count the others."""
    found: Rows = {}
    implausible = 0
    with gzip.open(folder / "bidmc_numerics_1hz.csv.gz", "rt", newline="") as file:
        for record, group in groupby(csv.DictReader(file), itemgetter("record")):
            instants = list(group)
            last = float(instants[-1]["t_s"])
            for instant in instants:
                time = end - timedelta(seconds=last - float(instant["t_s"]))
                for column, vital in COLUMNS.items():
                    if instant[column] in {"", "NaN"}:
                        continue
                    value = float(instant[column])
                    if isinstance(judge(vital, value), Refusal):
                        implausible += 1
                    else:
                        patient = f"rec-bidmc-{record.removeprefix('bidmc')}"
                        found[patient, vital.value, time] = value
    return found, implausible


def number(label: str, account: str) -> int:
    """Find a figure of the account that `vigie simulate` prints."""
    found = re.search(rf"{label}\W+([\d,]+)", account)
    assert found is not None, account
    return int(found[1].replace(",", ""))


def test_every_value_of_the_recordings_is_stored_once_and_a_second_run_adds_none(
    line: Line, recordings: Path
) -> None:
    said = line.vigie("simulate", "--recordings", str(recordings), "--speed", "max")
    assert number("instants safe", said) == 25_493
    assert number("messages without a receipt", said) == 0
    told = re.search(r"the last instants stand at (\S+)Z", said)
    assert told is not None, said
    end = datetime.fromisoformat(told[1]).replace(tzinfo=UTC)
    expected, implausible = in_the_file(recordings, end)
    assert number("readings refused", said) == implausible

    ours = "FROM readings WHERE patient LIKE 'rec-bidmc-%'"
    wait_until(
        lambda: line.count(f"SELECT count(*) {ours}") >= len(expected), "all are stored", 240
    )
    stored = line.rows(f"SELECT patient, vital, time, value {ours}")
    assert len(stored) == len(expected) == 101_559
    assert {(patient, vital, time): value for patient, vital, time, value in stored} == expected

    duplicates = line.count("SELECT sum(duplicate) FROM ledger")
    again = line.vigie("simulate", "--recordings", str(recordings), "--speed", "max")
    assert number("instants safe", again) == 25_493
    wait_until(
        lambda: line.count("SELECT sum(duplicate) FROM ledger") >= duplicates + len(expected),
        "the second run is recognised",
        240,
    )
    assert line.count(f"SELECT count(*) {ours}") == len(expected)
    assert line.count("SELECT sum(abs(difference)) FROM ledger") == 0
