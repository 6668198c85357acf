"""BIDMC: intensive-care bedside monitors at 1 Hz (doi 10.13026/C2208R), eight minutes a patient.

HR comes from the ECG, PULSE from the finger's light: where they disagree, one of them is an
artefact. A respiratory rate of 0 is in the data, and is sent as it stands.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from ingest.readings import Vital
from simulators.readers import tables
from simulators.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "bidmc_numerics_1hz.csv.gz"
COLUMNS = {
    "HR": Vital.HEART_RATE,
    "PULSE": Vital.PULSE_RATE,
    "RESP": Vital.RESPIRATORY_RATE,
    "SpO2": Vital.SPO2,
}


def recordings(folder: Path) -> Iterator[Recording]:
    """Read one recording per patient; `t_s` is seconds since its start, and may be -1."""
    for record, group in groupby(tables.rows(folder / FILE), itemgetter("record")):
        samples = [(float(row["t_s"]), tables.measured(row, COLUMNS)) for row in group]
        yield Recording("bidmc", record.removeprefix("bidmc"), "icu", "bedside-monitor", samples)
