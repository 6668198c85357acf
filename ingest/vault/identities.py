"""The sealed identities in the database: rows that say of nobody who it is.

Every function works on a connection inside a transaction that its caller opened, and whoever reads
or changes an identity writes it into the audit log there (`identity_cli.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ingest.vault import identity
from ingest.vault.sealing import Vault, WrongVaultKey

if TYPE_CHECKING:
    from ingest.registry.database import Connection
    from ingest.vault.identity import Identity, Ins
    from ingest.vault.sealing import Marks

FIELD = "identity"

PUT = """
INSERT INTO internal.identity (patient, key_version, wrapped_key, sealed, ins_index)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (patient) DO UPDATE
SET key_version = excluded.key_version, wrapped_key = excluded.wrapped_key,
    sealed = excluded.sealed, ins_index = excluded.ins_index, changed = now()"""


class Kept(NamedTuple):
    """How many identities were new, changed, and as they were."""

    new: int
    changed: int
    same: int


def marks(connection: Connection, vault: Vault) -> Marks:
    """Open the site's root, made on the first call. Raises WrongVaultKey.

    Locks it against a change of the vault key until the transaction ends.
    """
    connection.execute(
        "INSERT INTO internal.vault (key_version, wrapped_root) VALUES (%s, %s)"
        " ON CONFLICT DO NOTHING",
        (vault.version, vault.new_root()),
    )
    row = connection.execute(
        "SELECT key_version, wrapped_root FROM internal.vault FOR SHARE"
    ).fetchone()
    if row is None or row[0] != vault.version:
        raise WrongVaultKey
    return vault.marks(row[1])


def put(connection: Connection, vault: Vault, people: dict[str, Identity]) -> Kept:
    """Keep these patients' identities; one that was there is replaced, under a new data key.

    The caller has seen that no INS is another patient's (`owners`). Raises WrongVaultKey.
    """
    index = marks(connection, vault)
    new = changed = same = 0
    for patient, person in people.items():
        known = get(connection, vault, patient)
        if known == person:
            same += 1
            continue
        new, changed = (new + 1, changed) if known is None else (new, changed + 1)
        wrapped = vault.new_data_key(patient)
        sealed = vault.seal(wrapped, patient, FIELD, identity.encode(person))
        mark = ins_mark(index, person.ins) if person.ins is not None else None
        connection.execute(PUT, (patient, vault.version, wrapped, sealed, mark))
    return Kept(new, changed, same)


def get(connection: Connection, vault: Vault, patient: str) -> Identity | None:
    """Open a patient's identity; None when there is none. Raises WrongVaultKey, SealBroken."""
    row = connection.execute(
        "SELECT key_version, wrapped_key, sealed FROM internal.identity WHERE patient = %s",
        (patient,),
    ).fetchone()
    if row is None:
        return None
    version, wrapped, sealed = row
    if version != vault.version:
        raise WrongVaultKey
    return identity.decode(vault.open(wrapped, patient, FIELD, sealed))


def owners(connection: Connection, vault: Vault, numbers: dict[str, Ins]) -> dict[str, str]:
    """Say whose INS these are already: a caller's name of each -> the patient who has it."""
    index = marks(connection, vault)
    named = {ins_mark(index, ins): name for name, ins in numbers.items()}
    rows = connection.execute(
        "SELECT ins_index, patient FROM internal.identity WHERE ins_index = ANY(%s)",
        (list(named),),
    )
    return {named[mark]: patient for mark, patient in rows}


def remove(connection: Connection, patient: str) -> bool:
    """Delete data key and sealed content: nobody can read it again. False: there was none."""
    return bool(
        connection.execute("DELETE FROM internal.identity WHERE patient = %s", (patient,)).rowcount
    )


def rekey(connection: Connection, vault: Vault, old: Vault) -> int:
    """Wrap root and data keys under the new vault key; returns how many identities there are.

    The sealed contents stay as they are. Safe to repeat. Raises WrongVaultKey when what is stored
    is of neither key; nothing is changed then.
    """
    row = connection.execute(
        "SELECT key_version, wrapped_root FROM internal.vault FOR UPDATE"
    ).fetchone()
    if row is None:
        return 0
    if row[0] not in {old.version, vault.version}:
        raise WrongVaultKey
    if row[0] == old.version:
        connection.execute(
            "UPDATE internal.vault SET key_version = %s, wrapped_root = %s",
            (vault.version, vault.rewrap_root(row[1], old)),
        )
    rows = connection.execute(
        "SELECT patient, key_version, wrapped_key FROM internal.identity FOR UPDATE"
    ).fetchall()
    for patient, version, wrapped in rows:
        if version not in {old.version, vault.version}:
            raise WrongVaultKey
        if version == old.version:
            connection.execute(
                "UPDATE internal.identity SET key_version = %s, wrapped_key = %s"
                " WHERE patient = %s",
                (vault.version, vault.rewrap(wrapped, patient, old), patient),
            )
    return len(rows)


def ins_mark(index: Marks, ins: Ins) -> bytes:
    """Mark an INS for the blind index: the number together with whose number it is."""
    return index.index("ins", f"{ins.oid}|{ins.matricule}")
