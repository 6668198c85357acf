"""Patients' settings in the database. Who they are is kept elsewhere (`identities.py`)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import astuple

from ingest.readings import Vital
from ingest.registry import consent
from ingest.registry.entities import Limit, Member, Patient, Prescription, Profile, Trend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.registry.database import Connection

T = TypeVar("T", Limit, Trend, Prescription)

PUT = """
INSERT INTO internal.patient (id, profile, physician, ens, spo2_scale, born, pregnant)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET profile = excluded.profile, physician = excluded.physician,
    ens = excluded.ens, spo2_scale = excluded.spo2_scale, born = excluded.born,
    pregnant = excluded.pregnant"""
LIMITS = """
SELECT patient, vital, low, high, seconds, count, margin, urgent FROM internal.patient_limit
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s)"""
TRENDS = """
SELECT patient, vital, days, rise, fall FROM internal.patient_trend
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s)"""
PRESCRIPTIONS = """
SELECT patient, vital, every_hours, grace_hours FROM internal.patient_prescription
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s)"""
TEAM = """
SELECT patient, role, address FROM internal.team_member
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s) ORDER BY patient, place"""

FORGET = (
    "DELETE FROM internal.patient_limit WHERE patient = ANY(%s)",
    "DELETE FROM internal.patient_trend WHERE patient = ANY(%s)",
    "DELETE FROM internal.patient_prescription WHERE patient = ANY(%s)",
    "DELETE FROM internal.team_member WHERE patient = ANY(%s)",
)


def read(connection: Connection, ids: Sequence[str] | None = None) -> Iterator[Patient]:
    """Read these patients' settings and what they agree to; None means all."""
    limits = _by_vital(connection, LIMITS, Limit, ids)
    trends = _by_vital(connection, TRENDS, Trend, ids)
    prescriptions = _by_vital(connection, PRESCRIPTIONS, Prescription, ids)
    team: defaultdict[str, list[Member]] = defaultdict(list)
    for patient, role, address in connection.execute(TEAM, {"ids": ids}):
        team[patient].append(Member(role, address))
    agreed = consent.holding(connection, ids)
    rows = connection.execute(
        "SELECT id, profile, physician, ens, spo2_scale, born, pregnant FROM internal.patient"
        " WHERE %(ids)s::text[] IS NULL OR id = ANY(%(ids)s)",
        {"ids": ids},
    )
    for name, profile, physician, ens, scale, born, pregnant in rows:
        yield Patient(
            name,
            Profile(profile),
            limits[name],
            physician,
            ens,
            scale,
            agreed.get(name, ()),
            tuple(team[name]),
            born,
            pregnant,
            trends[name],
            prescriptions[name],
        )


def write(connection: Connection, patients: Sequence[Patient]) -> None:
    """Put these patients' settings; their consents are acts of their own (`consent.py`)."""
    ids = [one.id for one in patients]
    with connection.cursor() as cursor:
        cursor.executemany(
            PUT,
            [
                (p.id, p.profile, p.physician, p.ens, p.spo2_scale, p.born, p.pregnant)
                for p in patients
            ],
        )
        for forget in FORGET:
            cursor.execute(forget, (ids,))
        cursor.executemany(
            "INSERT INTO internal.patient_limit"
            " (patient, vital, low, high, seconds, count, margin, urgent)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(p.id, v, *astuple(one)) for p in patients for v, one in p.limits.items()],
        )
        cursor.executemany(
            "INSERT INTO internal.patient_trend (patient, vital, days, rise, fall)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(p.id, v, *astuple(one)) for p in patients for v, one in p.trends.items()],
        )
        cursor.executemany(
            "INSERT INTO internal.patient_prescription (patient, vital, every_hours, grace_hours)"
            " VALUES (%s, %s, %s, %s)",
            [(p.id, v, *astuple(one)) for p in patients for v, one in p.prescriptions.items()],
        )
        cursor.executemany(
            "INSERT INTO internal.team_member (patient, place, role, address)"
            " VALUES (%s, %s, %s, %s)",
            [
                (p.id, place, member.role, member.address)
                for p in patients
                for place, member in enumerate(p.team)
            ],
        )


def _by_vital(
    connection: Connection, query: str, type_: type[T], ids: Sequence[str] | None
) -> defaultdict[str, dict[Vital, T]]:
    """Read what is set for patients vital by vital."""
    found: defaultdict[str, dict[Vital, T]] = defaultdict(dict)
    for patient, vital, *fields in connection.execute(query.encode(), {"ids": ids}):
        found[patient][Vital(vital)] = type_(*fields)
    return found
