"""Deletes everything that the tables hold of one patient, and keeps the proofs that name nobody.

What belongs to a patient is found in the database's own catalogue: the rows of every table with a
column `patient`, and, over foreign keys, every row that hangs on one of those. So a table that is
added later is emptied too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ingest import kafka
from ingest.codec import decode_rejected
from ingest.erasure.traces import concerns
from ingest.ports import MalformedRecord
from ingest.vault import identities
from ingest.vault.sealing import Vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.registry.database import Connection
    from ingest.vault.sealing import Marks

# Columns that hold a patient's pseudonym: `patient` everywhere, `id` in the patients' own table.
OWNED = """
SELECT c.relname, a.attname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'internal' AND c.relkind IN ('r', 'p') AND NOT a.attisdropped
  AND (a.attname = 'patient' OR (c.relname = 'patient' AND a.attname = 'id'))
ORDER BY c.relname = 'patient', c.relname"""
# Foreign keys of one column inside the schema: (table, column) hangs on (table, column).
HANGS_ON = """
SELECT child.relname, ca.attname, parent.relname, pa.attname FROM pg_constraint k
JOIN pg_class child ON child.oid = k.conrelid JOIN pg_class parent ON parent.oid = k.confrelid
JOIN pg_namespace n ON n.oid = child.relnamespace
JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = k.conkey[1]
JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[1]
WHERE k.contype = 'f' AND n.nspname = 'internal' AND cardinality(k.conkey) = 1
  AND child.oid <> parent.oid"""
# Without a foreign key, for the speed of the worker's writes.
UNDECLARED = (("sample", "series", "series", "id"), ("delivery", "alert", "alert", "id"))
HYPERTABLES = frozenset({"sample", "assessment"})
SERIES = "SELECT id FROM internal.series WHERE patient = %s"

Edge = tuple[str, str, str, str]


def bulk(connection: Connection, patient: str) -> Counter[str]:
    """Delete what may be millions of rows, and that nothing writes any more: it locks nobody out.

    Returns how many rows went, by table.
    """
    gone: Counter[str] = Counter()
    numbers = [number for (number,) in connection.execute(SERIES, (patient,))]
    if numbers:
        gone["sample"] = connection.execute(
            "DELETE FROM internal.sample WHERE series = ANY(%s)", (numbers,)
        ).rowcount
    cursor = connection.execute("DELETE FROM internal.assessment WHERE patient = %s", (patient,))
    gone["assessment"] = cursor.rowcount
    _account(connection, patient, gone["sample"])
    return +gone


def begin(connection: Connection, patient: str) -> None:
    """Say that this transaction erases: acts of consent and words of the audit log let go of it."""
    connection.execute("SELECT set_config('vigie.erasing', %s, true)", (patient,))


def rows(connection: Connection, patient: str) -> Counter[str]:
    """Delete every row of the patient, after `begin`; returns how many, by table.

    Locks the worker's place in the patient's partition of the log: a batch that it is writing is
    finished before, and the next one begins after, with the newest consents.
    """
    connection.execute(
        "SELECT FROM internal.progress WHERE partition = %s ORDER BY topic FOR UPDATE",
        (kafka.partition_of(patient),),
    )
    edges: list[Edge] = [*UNDECLARED, *connection.execute(HANGS_ON).fetchall()]
    gone: Counter[str] = Counter()
    for table, column in connection.execute(OWNED).fetchall():
        _delete(connection, (table, column), [patient], edges, gone)
    for table in ("outbox", "registry_outbox"):
        gone[table] = _waiting(connection, table, patient)
    _account(connection, patient, gone["sample"])
    return +gone


def _account(connection: Connection, patient: str, samples: int) -> None:
    """Tell the ledger that rows which it counted as stored are gone with their patient."""
    if samples:
        connection.execute(
            "UPDATE internal.progress SET erased = erased + %s WHERE topic = %s AND partition = %s",
            (samples, kafka.READINGS, kafka.partition_of(patient)),
        )


def _delete(
    connection: Connection,
    place: tuple[str, str],
    values: Sequence[object],
    edges: Sequence[Edge],
    gone: Counter[str],
) -> None:
    """Delete rows whose column has one of these values, and before them what hangs on them.

    Keys are fetched and handed on, so that each step is a look into an index, however large the
    table is. Names come from the catalogue.
    """
    table, column = place
    for child, child_column, parent, referred in edges:
        if parent == table:
            query = f"SELECT {referred} FROM internal.{table} WHERE {column} = ANY(%s)"  # noqa: S608 (see above)
            keys = [key for (key,) in connection.execute(query.encode(), (values,))]
            if keys:
                _delete(connection, (child, child_column), keys, edges, gone)
    query = f"DELETE FROM internal.{table} WHERE {column} = ANY(%s)"  # noqa: S608 (see above)
    gone[table] += connection.execute(query.encode(), (values,)).rowcount


def _waiting(connection: Connection, table: str, patient: str) -> int:
    """Delete records that wait for Kafka and name the patient; these tables are short."""
    query = f"SELECT id, key, value FROM internal.{table}"  # noqa: S608 (one of two names)
    found = [
        number
        for number, *parts in connection.execute(query.encode())
        if any(part is not None and _holds(part, patient) for part in parts)
    ]
    if found:
        delete = f"DELETE FROM internal.{table} WHERE id = ANY(%s)"  # noqa: S608 (as above)
        connection.execute(delete.encode(), (found,))
    return len(found)


def _holds(value: bytes, patient: str) -> bool:
    if concerns(value, patient):
        return True
    try:  # a quarantine record has the original in base64
        return concerns(decode_rejected(value).payload, patient)
    except MalformedRecord:
        return False


def prove(connection: Connection, marks: Marks, patient: str) -> int:
    """Keep the patient's acts of consent as proofs that name nobody; returns how many."""
    acts = connection.execute(
        "SELECT purpose, granted, text_version, time, recorded, recorded_by, evidence"
        " FROM internal.consent WHERE patient = %s ORDER BY number",
        (patient,),
    ).fetchall()
    for *act, evidence in acts:
        connection.execute(
            "INSERT INTO internal.consent_proof (mark, purpose, granted, text_version, time,"
            " recorded, recorded_by, evidence_mark) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (marks.proof(patient), *act, marks.index("evidence", evidence)),
        )
    return len(acts)


def note(connection: Connection, marks: Marks, patient: str, by: str, why: str) -> None:
    """Keep that a patient was erased, under a mark that only the vault's owner can compute."""
    connection.execute(
        "INSERT INTO internal.erasure (mark, by, why) VALUES (%s, %s, %s)",
        (marks.proof(patient), by, why),
    )


def erased(connection: Connection, vault_key: str, patients: Sequence[str]) -> set[str]:
    """Say which of these were erased and are not in the registry; without the key nobody can.

    What the log and backups still hold of the erased one would be told of the next who had this
    pseudonym. Raises WrongVaultKey.
    """
    rows = connection.execute("SELECT mark FROM internal.erasure").fetchall()
    if not vault_key or not rows:
        return set()
    known = {mark for (mark,) in rows}
    marks = identities.marks(connection, Vault(vault_key))
    found = {patient for patient in patients if marks.proof(patient) in known}
    again = connection.execute("SELECT id FROM internal.patient WHERE id = ANY(%s)", (list(found),))
    return found - {patient for (patient,) in again}
