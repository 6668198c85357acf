"""NEWS2 over all 312,517 hours of the PhysioNet 2019 recordings: two published histograms."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from alerts.scoring.rows import BadRows, Row
from alerts.scoring.run import Scoring, score_rows
from detectors.profiles.loading import parse
from ingest.registry.entities import Profile
from tests.evaluation.report import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.console import Console

FILE = "sepsis2019/sepsis2019_dev.parquet"
# Rows by total 0 to 14, as the README of the recordings has them: SpO2 scale 1, no oxygen, alert,
# what is missing gives no points.
PUBLISHED = {
    "each row alone": (
        *(101477, 59483, 51942, 42669, 27044, 15358, 8291),
        *(3737, 1589, 612, 188, 79, 30, 13, 5),
    ),
    "carried forward": (
        *(75692, 64471, 55659, 47211, 31511, 18547, 10515),
        *(5044, 2277, 945, 376, 147, 76, 30, 16),
    ),
}
# Hours that a value is carried forward: less than the hour between two rows, or for ever.
VALIDITY = {"each row alone": 0.5, "carried forward": math.inf}
COLUMNS = {
    "HR": "heart_rate",
    "O2Sat": "spo2",
    "Temp": "temperature",
    "SBP": "systolic",
    "Resp": "respiratory_rate",
}
# Nothing but NEWS2, so that all rows take seconds; its code is that of every profile.
ALONE = parse("alone", 'about = "NEWS2 alone"\n[news2]\n')
START = datetime(2026, 1, 1, tzinfo=UTC)

METHOD = """\
All hours of all patients go as a long table through the code of `vigie score`, with a profile that
has nothing but NEWS2: once with values that are valid for half an hour, so that each row stands
alone, once with `--validity unlimited`. SpO2 scale 1, no oxygen, alert; what is missing gives no
points and a row in which nothing is known counts as 0. The counts were made by an independent
implementation. This is a check of the score, not of its use."""


def run(recordings: Path, console: Console) -> Section:
    """Count rows by their total, both ways."""
    section = Section(
        title="NEWS2 against published counts (PhysioNet 2019)",
        question="Does every one of 312,517 rows get the points of the chart?",
        method=METHOD,
        header=(
            "total",
            *(f"{way}, {whose}" for way in PUBLISHED for whose in ("ours", "published")),
        ),
    )
    table = list(rows(recordings / FILE))
    counted, refused = {}, 0
    for way, hours in VALIDITY.items():
        console.print(f"news2: {way}")
        bad = BadRows()
        counted[way] = counts(table, hours, bad)
        refused = len(bad)
    wrong = {way: differing(counted[way], PUBLISHED[way]) for way in PUBLISHED}
    for total in range(len(PUBLISHED["each row alone"])):
        cells = [
            f"{one:,}" for way in PUBLISHED for one in (counted[way][total], PUBLISHED[way][total])
        ]
        section.rows.append((str(total), *cells))
    for way, differ in wrong.items():
        section.figures[f"{way}: rows that differ"] = (float(differ), None, None)
    section.figures["values refused"] = (float(refused), None, None)
    told = ", ".join(f"{differ} {way}" for way, differ in wrong.items())
    section.verdict = (
        f"Rows by which the counts differ: {told}. The gateway's limits refuse {refused} value (a "
        "temperature of 23.6 degrees, outside of 26 to 45), whose row so has three points less "
        "when it stands alone; a value that is refused differs from the convention of the counts."
    )
    return section


def rows(path: Path) -> Iterator[Row]:
    """Turn the recordings into a long table, hour by hour."""
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    table = parquet.read_table(path, columns=["patient_id", "ICULOS", *COLUMNS])
    table = table.sort_by([("patient_id", "ascending"), ("ICULOS", "ascending")])
    columns = [table.column(name).to_pylist() for name in ("patient_id", "ICULOS", *COLUMNS)]
    for patient, hour, *values in zip(*columns, strict=True):
        time = START + timedelta(hours=hour)
        measured = [
            Row(patient, time, vital, value)
            for vital, value in zip(COLUMNS.values(), values, strict=True)
            if value is not None and not math.isnan(value)
        ]
        yield from measured or (Row(patient, time, "heart_rate", None),)


def counts(table: Iterable[Row], validity_hours: float, bad: BadRows) -> Counter[int]:
    """Count scored rows by NEWS2; `bad` gets what was refused."""
    how = Scoring(Profile.ICU, validity_hours, watched=dict.fromkeys(Profile, ALONE))
    return Counter(row.news2 or 0 for row in score_rows(table, how, bad))


def differing(found: Counter[int], published: tuple[int, ...]) -> int:
    """Count rows that are in another place, at the least; 0: the histograms are the same."""
    known = Counter(dict(enumerate(published)))
    return max((found - known).total(), (known - found).total())
