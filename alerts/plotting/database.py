"""The picture of one patient from the database: what was stored, scored and said.

The only module of this folder that speaks to PostgreSQL. It reads the views.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251 (this folder's one adapter)

from alerts.plotting.chart import Chart, NothingToDraw, Point, Step, bars, chosen, nothing
from alerts.plotting.rerun import ANOMALY, NEWS2, RISK, Measured, watched
from detectors.findings import Priority
from ingest.ports import VigieError
from ingest.readings import Instant, Vital
from ingest.registry.entities import Patient, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

# Readings before the span that are watched once more, so that what is usual is known when it
# begins: nine hours of a monitor with six vitals at 1 Hz, years of a home patient; some 4 s.
BEFORE = 200_000
CONNECT_SECONDS, STATEMENT_SECONDS = 5, 60

NEWEST = "SELECT max(time) FROM latest WHERE patient = %(patient)s"
FIRST = "SELECT min(time) FROM readings WHERE patient = %(patient)s"
PROFILE = "SELECT profile FROM internal.patient WHERE id = %(patient)s"
READINGS = """
SELECT time, device, vital, value, flags FROM readings
WHERE patient = %(patient)s AND time BETWEEN %(start)s AND %(end)s ORDER BY time, device, vital"""
EARLIER = """
SELECT * FROM (
    SELECT time, device, vital, value, flags FROM readings
    WHERE patient = %(patient)s AND time < %(start)s ORDER BY time DESC LIMIT %(before)s) AS earlier
ORDER BY time, device, vital"""
ASSESSMENTS = """
SELECT time, news2, anomaly, risk_deterioration, risk_sepsis FROM assessments
WHERE patient = %(patient)s AND time BETWEEN %(start)s AND %(end)s ORDER BY time"""
SCORES = (NEWS2, ANOMALY, f"{RISK}deterioration", f"{RISK}sepsis")
# An alert without its events still has a start, an end and a priority.
ALERTS = """
SELECT a.id::text, a.rule, a.class, coalesce(e.time, a.started), coalesce(e.phase, 'start'),
       coalesce(e.priority, a.priority), a.ended
FROM alerts AS a LEFT JOIN alert_events AS e
     ON e.alert = a.id AND e.phase IN ('start', 'escalate', 'deescalate')
WHERE a.patient = %(patient)s AND a.started <= %(end)s
      AND (a.ended IS NULL OR a.ended >= %(start)s)
ORDER BY a.started, a.id, e.number"""


class DatabaseUnavailable(VigieError):
    """The database does not answer, or is not migrated."""

    retryable = True

    def __init__(self, error: BaseException) -> None:
        # The kind only: the database's own words may quote a row.
        super().__init__(f"the database does not answer this ({type(error).__name__})")


def chart(
    database: str,
    patient: str,
    profile: Profile | None,
    start: datetime | None,
    end: datetime | None,
) -> Chart:
    """Read what is stored of a patient, and work out anew what was usual.

    Parameters
    ----------
    database
        A libpq URL.
    patient
        The pseudonym.
    profile
        By which the usual is learned; None: the patient's own, by the registry.
    start, end
        The span (UTC); None: a day, up to the newest reading.

    Raises
    ------
    DatabaseUnavailable, NothingToDraw, SettingError
    """
    try:
        with psycopg.connect(
            database,
            connect_timeout=CONNECT_SECONDS,
            application_name="vigie-plot",
            options=f"-c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC",
        ) as connection:
            connection.read_only = True
            return _read(connection, patient, profile, (start, end))
    except psycopg.Error as error:
        raise DatabaseUnavailable(error) from None


def _read(
    connection: psycopg.Connection[Any],
    patient: str,
    profile: Profile | None,
    asked: tuple[datetime | None, datetime | None],
) -> Chart:
    who: dict[str, Any] = {"patient": patient}
    newest = _one(connection, NEWEST, who)
    if newest is None:
        raise NothingToDraw("there is no reading of this patient in the database")
    found = Chart(patient, chosen(*asked, newest))
    who |= {"start": found.span.start, "end": found.span.end, "before": BEFORE}
    readings = connection.execute(READINGS, who).fetchall()
    if not readings:
        raise nothing(found.span, _one(connection, FIRST, who), newest)
    if profile is None:
        known = _one(connection, PROFILE, who)
        profile = Profile(known) if known is not None else Profile.WARD
    earlier = connection.execute(EARLIER, who).fetchall()
    rows = [*earlier, *readings]
    watched(found, Patient(patient, profile=profile), _measured(rows), only=True)
    for time, *values in connection.execute(ASSESSMENTS, who):
        for name, value in zip(SCORES, values, strict=True):
            if value is not None:
                found.scores.setdefault(name, []).append(Point(time, float(value)))
    found.bars = bars(_steps(connection.execute(ALERTS, who).fetchall()), found.span)
    return found


def _one(connection: psycopg.Connection[Any], query: str, who: dict[str, Any]) -> Any:
    row = connection.execute(query.encode(), who).fetchone()
    return None if row is None else row[0]


def _measured(rows: Iterable[tuple[Any, ...]]) -> Iterator[Measured]:
    """Gather rows into moments."""
    for time, at_once in groupby(rows, key=itemgetter(0)):
        devices: dict[str, Instant] = {}
        for _, device, vital, value, flags in at_once:
            instant = devices.setdefault(device, Instant(time, {}))
            instant.values[Vital(vital)] = value
            if flags:
                instant.quality[Vital(vital)] = flags
        yield Measured(time, devices)


def _steps(rows: Iterable[tuple[Any, ...]]) -> Iterator[Step]:
    for (alert, ended), steps in groupby(rows, key=itemgetter(0, 6)):
        last = None
        for _, rule, kind, time, phase, priority, _ in steps:
            last = Step(alert, rule, kind, time, phase, Priority(priority))
            yield last
        if ended is not None and last is not None:
            yield last._replace(time=ended, phase="end")
