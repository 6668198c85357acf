"""Small tables of patients who never were."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from alerts.scoring.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

START = datetime(2026, 11, 24, tzinfo=UTC)
# Usual values, in each vital's own unit, and how far they vary.
USUAL = {
    "heart_rate": (75, 25),
    "spo2": (95, 5),
    "temperature": (37.2, 1.5),
    "systolic": (115, 30),
    "respiratory_rate": (18, 8),
}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def stay(patient: str, seed: int, hours: int = 30, every: float = 1.0) -> list[Row]:
    """Make up a stay, a third of whose values were not measured; it is ill now and then."""
    chance = random.Random(seed)
    rows = []
    for number in range(hours):
        for vital, (middle, width) in USUAL.items():
            value = round(chance.gauss(middle, width / 2), 1)
            seen = chance.random() < 0.67
            limited = min(max(value, 30.0), 100.0) if vital in {"spo2", "temperature"} else value
            bounded = min(max(limited, 26.0), 45.0) if vital == "temperature" else max(limited, 0.0)
            rows.append(Row(patient, at(number * every), vital, bounded if seen else None))
    return rows


def shuffled(stays: Mapping[str, Sequence[Row]], seed: int) -> list[Row]:
    """Put the rows of several patients among each other, each patient's own order kept."""
    chance = random.Random(seed)
    turns = [name for name, rows in stays.items() for _ in rows]
    chance.shuffle(turns)
    left = {name: iter(rows) for name, rows in stays.items()}
    return [next(left[name]) for name in turns]


def text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def lines(rows: Iterable[Row]) -> str:
    """Write rows as CSV."""
    written = ["patient,time,vital,value"]
    for row in rows:
        value = "" if row.value is None else row.value
        written.append(f"{row.patient},{text(row.time)},{row.vital},{value}")
    return "\n".join(written) + "\n"
