"""A patient with something in every table, as worker and dispatcher would have written it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from ingest.codec import Refused, Rejected, encode
from ingest.readings import Refusal

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

TIME = datetime(2026, 11, 24, 3, tzinfo=UTC)


def fill(connection: Connection, patient: str, device: str) -> None:
    """Write rows of this patient into every table of the line."""
    run = connection.execute
    ((series,),) = run(
        "INSERT INTO internal.series (patient, device, vital) VALUES (%s, %s, 'spo2') RETURNING id",
        (patient, device),
    )
    for minute in range(60):
        run(
            "INSERT INTO internal.sample VALUES (%s, %s, 91, 0, %s, 0.91, %s)",
            (series, TIME.replace(minute=minute), TIME, "1"),
        )
    run("INSERT INTO internal.latest VALUES (%s, %s, 91, 0)", (series, TIME))
    run("INSERT INTO internal.assessment VALUES (%s, %s, 7, '{}', 0.5)", (patient, TIME))
    state = msgspec.msgpack.encode([1, 36.6, patient])
    run("INSERT INTO internal.state VALUES (%s, 0, %s)", (patient, state))
    alert = uuid4()
    run(
        "INSERT INTO internal.alert"
        " VALUES (%s, %s, 'news2', 'physiological', 'high', 'active', %s)",
        (alert, patient, TIME),
    )
    run(
        "INSERT INTO internal.alert_event VALUES (%s, 1, %s, 'start', 'active', 'high', %s::jsonb)",
        (alert, TIME, msgspec.json.encode({"of": patient}).decode()),
    )
    run(
        "INSERT INTO internal.delivery (id, alert, number, channel, recipient, measure)"
        " VALUES (%s, %s, 1, 'ens', %s, '{}')",
        (uuid4(), alert, f"idpe-of-{device}"),
    )
    failed = Rejected(
        device=device,
        topic="vigie.readings",
        refused=(Refused(Refusal.DETECTOR_FAILED),),
        time=TIME,
        by="worker-1",
        size=1,
        payload=encode({"patient": patient}),
    )
    for key, value in (
        (patient.encode(), encode({"patient": patient})),
        (device.encode(), encode(failed)),
    ):
        run(
            "INSERT INTO internal.outbox (topic, key, value) VALUES ('vigie.alerts', %s, %s)",
            (key, value),
        )


def counts(connection: Connection) -> dict[str, int]:
    """Count the rows of every table of the line."""
    tables = (
        "series", "sample", "latest", "assessment", "state", "alert", "alert_event", "delivery",
        "outbox",
    )  # fmt: skip
    found = {}
    for table in tables:
        query = f"SELECT count(*) FROM internal.{table}"  # noqa: S608 (names from above)
        ((found[table],),) = connection.execute(query.encode())
    return found


def dump(connection: Connection) -> str:
    """Return every row of every table as text, as a dump would have it."""
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    rows = [
        row
        for (table,) in tables
        for (row,) in connection.execute(f"SELECT t::text FROM {table} t".encode())  # noqa: S608 (quoted by the database)
    ]
    return "\n".join(rows)
