"""Empatica E4 wrist devices (Iqbal et al., Sensors 22(21):8135): exports, and a 1 Hz table.

TEMP.csv is the skin of the wrist, some 32 degrees in a healthy person. It is left out: as a body
temperature it would be inside the hard limits and worth three points of NEWS2.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from ingest.ports import SettingError
from ingest.readings import Vital
from simulators.readers import tables
from simulators.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPORTS = "raw_e4"
TABLE = "hr_resp_1hz.csv.gz"
COLUMNS = {"hr": Vital.HEART_RATE, "resp": Vital.RESPIRATORY_RATE}
MODEL = "empatica-e4"


def exports(folder: Path) -> Iterator[Recording]:
    """Read the device's own HR.csv files, one folder per person."""
    for file in sorted((folder / EXPORTS).glob("*/HR.csv")):
        yield Recording("e4", file.parent.name, "wearable", MODEL, _export(file))


def table(folder: Path) -> Iterator[Recording]:
    """Read the table of five persons, heart rate and respiratory rate in Unix seconds."""
    for person, group in groupby(tables.rows(folder / TABLE), itemgetter("participant")):
        samples = [(float(row["unix_s"]), tables.measured(row, COLUMNS)) for row in group]
        yield Recording("stress", person, "wearable", MODEL, samples)


def _export(path: Path) -> list[tuple[float, dict[Vital, float]]]:
    """Line 1 is the start in Unix seconds, line 2 the rate in Hz, then a value a line."""
    try:
        start, rate, *values = map(float, path.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        raise SettingError(f"{path}: not an export of an E4 device") from None
    return [(start + n / rate, {Vital.HEART_RATE: value}) for n, value in enumerate(values)]
