"""Patients' settings in the database. Who they are is kept elsewhere (`identities.py`)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ingest.readings import Vital
from ingest.registry import consent
from ingest.registry.entities import Limit, Member, Patient, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.registry.database import Connection

PUT = """
INSERT INTO internal.patient (id, profile, physician, ens, spo2_scale) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET profile = excluded.profile, physician = excluded.physician,
    ens = excluded.ens, spo2_scale = excluded.spo2_scale"""
LIMITS = """
SELECT patient, vital, low, high FROM internal.patient_limit
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s)"""
TEAM = """
SELECT patient, role, address FROM internal.team_member
WHERE %(ids)s::text[] IS NULL OR patient = ANY(%(ids)s) ORDER BY patient, place"""


def read(connection: Connection, ids: Sequence[str] | None = None) -> Iterator[Patient]:
    """Read these patients' settings and what they agree to; None means all."""
    limits: defaultdict[str, dict[Vital, Limit]] = defaultdict(dict)
    for patient, vital, low, high in connection.execute(LIMITS, {"ids": ids}):
        limits[patient][Vital(vital)] = Limit(low, high)
    team: defaultdict[str, list[Member]] = defaultdict(list)
    for patient, role, address in connection.execute(TEAM, {"ids": ids}):
        team[patient].append(Member(role, address))
    agreed = consent.holding(connection, ids)
    rows = connection.execute(
        "SELECT id, profile, physician, ens, spo2_scale FROM internal.patient"
        " WHERE %(ids)s::text[] IS NULL OR id = ANY(%(ids)s)",
        {"ids": ids},
    )
    for name, profile, physician, ens, scale in rows:
        yield Patient(
            name,
            Profile(profile),
            limits[name],
            physician,
            ens,
            scale,
            agreed.get(name, ()),
            tuple(team[name]),
        )


def write(connection: Connection, patients: Sequence[Patient]) -> None:
    """Put these patients' settings; their consents are acts of their own (`consent.py`)."""
    ids = [one.id for one in patients]
    with connection.cursor() as cursor:
        cursor.executemany(
            PUT, [(p.id, p.profile, p.physician, p.ens, p.spo2_scale) for p in patients]
        )
        cursor.execute("DELETE FROM internal.patient_limit WHERE patient = ANY(%s)", (ids,))
        cursor.execute("DELETE FROM internal.team_member WHERE patient = ANY(%s)", (ids,))
        cursor.executemany(
            "INSERT INTO internal.patient_limit (patient, vital, low, high)"
            " VALUES (%s, %s, %s, %s)",
            [(p.id, v, limit.low, limit.high) for p in patients for v, limit in p.limits.items()],
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
