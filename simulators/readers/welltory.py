"""Welltory: daily values of consumer wearables, and home blood pressures (CC0).

A day's value stands at noon of that day; times carry no zone and are read as UTC, because only
their differences are used. SpO2 is a fraction in the file (0.96) and is sent in percent, the one
value of all recordings that is not sent as it stands. The weight is left out: it was asked once,
at no known date.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ingest.readings import Vital
from simulators.readers import tables
from simulators.recordings import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEARABLES = "wearables.csv.gz"
PRESSURES = "blood_pressure.csv.gz"
DAILY = {
    "resting_pulse": Vital.HEART_RATE,
    "average_spo2_value": Vital.SPO2,
    "body_temperature_avg": Vital.TEMPERATURE,
    "steps_count": Vital.STEPS,
}
SPOT = {"systolic": Vital.SYSTOLIC, "diastolic": Vital.DIASTOLIC}


def recordings(folder: Path) -> Iterator[Recording]:
    """Read one recording per user who has any vital sign, in order of their codes."""
    series: defaultdict[str, list[tuple[float, dict[Vital, float]]]] = defaultdict(list)
    for row in tables.rows(folder / WEARABLES):
        if values := tables.measured(row, DAILY):
            if Vital.SPO2 in values:
                values[Vital.SPO2] = round(100 * values[Vital.SPO2], 6)
            noon = datetime.fromisoformat(row["day"]).replace(tzinfo=UTC) + timedelta(hours=12)
            series[row["user_code"]].append((noon.timestamp(), values))
    if (folder / PRESSURES).is_file():
        for row in tables.rows(folder / PRESSURES):
            # Two blanks between day and hour.
            written = "T".join(row["measurement_datetime"].split())
            moment = datetime.fromisoformat(written).replace(tzinfo=UTC)
            if values := tables.measured(row, SPOT):
                series[row["user_code"]].append((moment.timestamp(), values))
    for user in sorted(series):
        samples = sorted(series[user], key=lambda sample: sample[0])
        yield Recording("welltory", user, "wearable", "consumer-wearable", samples)
