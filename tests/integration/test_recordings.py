"""The main job on real input: recorded patients through the whole line, value for value."""

from __future__ import annotations

import csv
import gzip
import os
import re
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest.readings import Refusal, Vital, judge
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.fix_line import Line

pytestmark = [pytest.mark.servers, pytest.mark.recordings, pytest.mark.timeout(600)]

# Read apart from simulators/readers on purpose: a mistake there would otherwise go unseen.
COLUMNS = {
    "HR": Vital.HEART_RATE,
    "PULSE": Vital.PULSE_RATE,
    "RESP": Vital.RESPIRATORY_RATE,
    "SpO2": Vital.SPO2,
}
Rows = dict[tuple[str, str, datetime], float]


@pytest.fixture
def recordings() -> Path:
    folder = Path(os.environ.get("VIGIE_RECORDINGS", "")) / "bidmc"
    if not os.environ.get("VIGIE_RECORDINGS") or not folder.is_dir():
        pytest.skip("VIGIE_RECORDINGS names no folder with the BIDMC recordings")
    return folder.resolve()


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
    said = line.vigie("simulate", "--recordings", str(recordings), "--speed", "max", errors=True)
    assert number("instants safe", said) == 25_493
    assert number("messages without a receipt", said) == 0
    told = re.search(r"the last instants stand at (\S+)Z", said)
    assert told is not None, said
    end = datetime.fromisoformat(told[1]).replace(tzinfo=UTC)
    expected, implausible = in_the_file(recordings, end)
    assert number("readings refused", said) == implausible

    def count(query: str) -> int:
        return int(line.rows(query)[0][0] or 0)

    ours = "FROM readings WHERE patient LIKE 'rec-bidmc-%'"
    wait_until(lambda: count(f"SELECT count(*) {ours}") >= len(expected), "all are stored", 240)
    stored = line.rows(f"SELECT patient, vital, time, value {ours}")
    assert len(stored) == len(expected) == 101_559
    assert {(patient, vital, time): value for patient, vital, time, value in stored} == expected

    duplicates = count("SELECT sum(duplicate) FROM ledger")
    again = line.vigie("simulate", "--recordings", str(recordings), "--speed", "max", errors=True)
    assert number("instants safe", again) == 25_493
    wait_until(
        lambda: count("SELECT sum(duplicate) FROM ledger") >= duplicates + len(expected),
        "the second run is recognised",
        240,
    )
    assert count(f"SELECT count(*) {ours}") == len(expected)
    assert count("SELECT sum(abs(difference)) FROM ledger") == 0
