"""The real recordings, where they are at hand: every value, and none that is not there."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from ingest.readings import Refusal, Vital, judge
from simulators.recordings import Recording, read, sources

pytestmark = pytest.mark.recordings


@pytest.fixture
def folder() -> Path:
    named = os.environ.get("VIGIE_RECORDINGS", "")
    if not named or not Path(named).is_dir():
        pytest.skip("VIGIE_RECORDINGS names no folder of recordings")
    return Path(named)


def recordings(folder: Path, only: str, limit: int | None = None) -> list[Recording]:
    return list(read(sources(folder, [only]), limit))


def values(found: list[Recording]) -> Counter[Vital]:
    return Counter(vital for r in found for _, instant in r.instants for vital in instant)


def test_bidmc_is_read_in_full(folder: Path) -> None:
    found = recordings(folder, "bidmc")
    assert len(found) == 53
    assert sum(len(recording.instants) for recording in found) == 25_493
    assert values(found) == {
        Vital.HEART_RATE: 25_489,
        Vital.PULSE_RATE: 25_365,
        Vital.RESPIRATORY_RATE: 25_340,
        Vital.SPO2: 25_365,
    }


def test_physionet_is_read_in_full(folder: Path) -> None:
    pytest.importorskip("pyarrow", reason="the parquet file needs pyarrow")
    found = recordings(folder, "sepsis")
    assert len(found) == 8_174
    assert sum(len(recording.instants) for recording in found) == 312_517


@pytest.mark.parametrize(("only", "patients"), [("e4", 3), ("stress", 5), ("welltory", 64)])
def test_wearables_are_read(folder: Path, only: str, patients: int) -> None:
    assert len(recordings(folder, only)) == patients


@pytest.mark.parametrize("only", ["bidmc", "e4", "stress", "welltory"])
def test_times_rise_and_every_value_can_be_believed(folder: Path, only: str) -> None:
    for recording in recordings(folder, only):
        times = [seconds for seconds, _ in recording.instants]
        assert times == sorted(times)
        for _, instant in recording.instants:
            refused = [v for v, value in instant.items() if isinstance(judge(v, value), Refusal)]
            assert not refused
