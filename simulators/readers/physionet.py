"""PhysioNet/CinC Challenge 2019: intensive-care patients, one row an hour (doi 10.13026/v64v-d857).

FiO2 is left out: the column mixes fractions, percents and nonsense (-50 to 4000), and a wrong
oxygen flag would change a patient's score.
"""

from __future__ import annotations

import importlib.util
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import structlog

from ingest.ports import SettingError
from ingest.readings import Vital
from simulators.readers import tables
from simulators.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

PARQUET = "sepsis2019_dev.parquet"
SAMPLES = "sample_psv"
COLUMNS = {
    "HR": Vital.HEART_RATE,
    "O2Sat": Vital.SPO2,
    "Temp": Vital.TEMPERATURE,
    "SBP": Vital.SYSTOLIC,
    "MAP": Vital.MEAN_PRESSURE,
    "DBP": Vital.DIASTOLIC,
    "Resp": Vital.RESPIRATORY_RATE,
}
HOUR_SECONDS = 3600.0


def recordings(folder: Path) -> Iterator[Recording]:
    """Read the parquet file, else the original `.psv` files; the samples are among its patients.

    Raises SettingError when there is only the parquet file and pyarrow is not installed.
    """
    if (folder / PARQUET).is_file():
        if importlib.util.find_spec("pyarrow") is not None:
            return _from_parquet(folder / PARQUET)
        advice = f"{folder / PARQUET} needs pyarrow: pip install 'vigie[recordings]'"
        if not (folder / SAMPLES).is_dir():
            raise SettingError(advice)
        structlog.get_logger().warning("only the sample files are read", why=advice)
    files = sorted((folder / SAMPLES).glob("*.psv"))
    return (_recording(file.stem, tables.rows(file, "|")) for file in files)


def _from_parquet(path: Path) -> Iterator[Recording]:
    from pyarrow import parquet  # noqa: PLC0415 (optional, and slow to import)

    file = parquet.ParquetFile(path)
    batches = file.iter_batches(columns=["patient_id", "ICULOS", *COLUMNS])
    table = (row for batch in batches for row in batch.to_pylist())
    for patient, group in groupby(table, itemgetter("patient_id")):
        yield _recording(patient, group)


def _recording(patient: str, table: Iterable[Mapping[str, object]]) -> Recording:
    samples = [
        (HOUR_SECONDS * (tables.number(row["ICULOS"]) or 0), tables.measured(row, COLUMNS))
        for row in table
    ]
    return Recording("sepsis", patient, "icu", "patient-record", samples)
