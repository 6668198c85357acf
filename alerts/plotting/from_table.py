"""The picture of one patient from a long table, as `vigie score` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from alerts.plotting.chart import Chart, NothingToDraw, chosen, nothing
from alerts.plotting.rerun import Measured, watched
from alerts.scoring import judging, tables
from alerts.scoring.moments import Gathering
from alerts.scoring.rows import BadRows, Row

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from alerts.scoring.moments import TableMoment
    from ingest.registry.entities import Patient


def chart(
    path: Path, settings: Patient, start: datetime | None, end: datetime | None
) -> tuple[Chart, int]:
    """Read one patient's rows and watch over them; returns the picture and how many rows were bad.

    Reads the whole table once; the patient's rows are in memory. Raises BadFile, NothingToDraw,
    SettingError.
    """
    bad = BadRows()
    own = [
        row
        for row in tables.table(path).rows()
        if isinstance(row, Row) and judging.patient(row.patient) == settings.id
    ]
    moments = list(Gathering(bad).gather(own))
    measured = [moment for moment in moments if moment.devices]
    if not measured:
        raise NothingToDraw(f"{path}: no reading of this patient that can be believed")
    first, last = measured[0].time, measured[-1].time
    found = Chart(settings.id, chosen(start, end, last), known_until=last)
    settings = _said(settings, moments)
    watched(found, settings, (Measured(one.time, one.devices) for one in measured), only=False)
    if not found.series:
        raise nothing(found.span, first, last)
    return found, len(bad)


def _said(settings: Patient, moments: list[TableMoment]) -> Patient:
    """Take in what the rows say of the patient: the last word holds for the whole picture."""
    for moment in moments:
        if moment.age is not None:
            born = moment.time.year - int(moment.age)
            settings = msgspec.structs.replace(settings, born=born)
        if moment.pregnant is not None:
            settings = msgspec.structs.replace(settings, pregnant=moment.pregnant)
    return settings
