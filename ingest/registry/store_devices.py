"""Devices and their assignments in the database."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ingest.registry.entities import Assignment, Device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.registry.database import Connection

PUT = """
INSERT INTO internal.device (id, model, version, clock_offset_seconds, revoked)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET model = excluded.model, version = excluded.version,
    clock_offset_seconds = excluded.clock_offset_seconds, revoked = excluded.revoked"""


def read(connection: Connection, ids: Sequence[str] | None = None) -> Iterator[Device]:
    """Read these devices with their assignments in order of time; None means all."""
    worn: defaultdict[str, list[Assignment]] = defaultdict(list)
    for device, *rest in connection.execute(
        "SELECT device, patient, started, ended FROM internal.assignment"
        " WHERE %(ids)s::text[] IS NULL OR device = ANY(%(ids)s) ORDER BY started",
        {"ids": ids},
    ):
        worn[device].append(Assignment(*rest))
    rows = connection.execute(
        "SELECT id, model, version, clock_offset_seconds, revoked FROM internal.device"
        " WHERE %(ids)s::text[] IS NULL OR id = ANY(%(ids)s)",
        {"ids": ids},
    )
    for name, model, *rest in rows:
        yield Device(name, model, tuple(worn[name]), *rest)


def write(connection: Connection, devices: Sequence[Device]) -> None:
    """Put these devices, each with its assignments in the place of the ones that it had."""
    with connection.cursor() as cursor:
        cursor.executemany(
            PUT,
            [(d.id, d.model, d.version, d.clock_offset_seconds, d.revoked) for d in devices],
        )
        cursor.execute(
            "DELETE FROM internal.assignment WHERE device = ANY(%s)", ([d.id for d in devices],)
        )
        cursor.executemany(
            "INSERT INTO internal.assignment (device, patient, started, ended)"
            " VALUES (%s, %s, %s, %s)",
            [(d.id, a.patient, a.start, a.until) for d in devices for a in d.assignments],
        )
