"""Looking into the vault and changing it, each time with an entry in the audit log.

The entry says that it happened, by whom and why; never what was seen.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.ports import VigieError
from ingest.registry import audit, database, store
from ingest.registry.entities import Patient, key
from ingest.vault import file as identity_file
from ingest.vault import identities, sealing
from ingest.vault.file import BadIdentityFile
from ingest.vault.identity import read_ins
from ingest.vault.sealing import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ingest.registry.database import Connection
    from ingest.settings import Settings
    from ingest.vault.file import Line
    from ingest.vault.identities import Kept
    from ingest.vault.identity import Identity, Ins


class NoIdentity(VigieError):
    """The vault has nobody under this pseudonym."""

    def __init__(self) -> None:
        super().__init__("the vault has no identity under this pseudonym")


def take_in(settings: Settings, file: Path, *, by: str) -> Kept:
    """Keep the identities of a file, all or none. Raises BadIdentityFile, VaultKeyMissing, ..."""
    seals = Vault(settings.vault_key)
    lines = identity_file.load(file, datetime.now(UTC).date())
    people = {line.patient: line.person for line in lines}
    with database.transaction(settings.database, change=True) as connection:
        faults = [*_strangers(connection, lines), *_taken(connection, seals, lines)]
        if faults:
            raise BadIdentityFile(file, faults)
        kept = identities.put(connection, seals, people)
        _record(connection, list(people), {"identity": "imported"}, by, "import of identities")
    return kept


def look_at(settings: Settings, patient: str, *, by: str, why: str) -> Identity:
    """Open a patient's identity; returns once it stands in the audit log. Raises NoIdentity."""
    seals = Vault(settings.vault_key)
    with database.transaction(settings.database, change=True) as connection:
        identities.marks(connection, seals)
        person = identities.get(connection, seals, patient)
        if person is not None:
            _record(connection, [patient], {"identity": "looked at"}, by, why)
    if person is None:
        raise NoIdentity
    return person


def find(settings: Settings, number: str, oid: str, *, by: str, why: str) -> str | None:
    """Say whose INS this is; None: nobody's. Raises BadIdentity for what is none."""
    seals = Vault(settings.vault_key)
    ins = read_ins(number, oid)
    with database.transaction(settings.database, change=True) as connection:
        found = identities.owners(connection, seals, {"it": ins}).get("it")
        if found is not None:
            _record(connection, [found], {"identity": "found by INS"}, by, why)
        else:
            audit.append(connection, [("vault:ins", {"ins": "nobody has it"})], by=by, why=why)
    return found


def remove(settings: Settings, patient: str, *, by: str, why: str) -> None:
    """Delete a patient's data key and sealed identity; needs no vault key. Raises NoIdentity."""
    with database.transaction(settings.database, change=True) as connection:
        if not identities.remove(connection, patient):
            raise NoIdentity
        _record(connection, [patient], {"identity": "removed"}, by, why)


def rekey(settings: Settings, old_key_file: Path, *, by: str, why: str) -> int:
    """Put every data key under the vault key in force; returns how many. Raises WrongVaultKey."""
    new, old = Vault(settings.vault_key), sealing.from_file(old_key_file)
    with database.transaction(settings.database, change=True) as connection:
        count = identities.rekey(connection, new, old)
        change = {"key_version": [old.version, new.version], "identities": count}
        audit.append(connection, [("vault:key", change)], by=by, why=why)
    return count


def _record(
    connection: Connection, patients: Sequence[str], change: Mapping[str, Any], by: str, why: str
) -> None:
    audit.append(connection, [(f"identity:{one}", change) for one in patients], by=by, why=why)


def _strangers(connection: Connection, lines: Sequence[Line]) -> list[str]:
    """Find lines of patients whom the registry does not have: a slip, or somebody erased."""
    known = store.read(connection, [key(Patient(line.patient)) for line in lines])
    return [
        f"{line.place}: `id` is no patient of the registry: `vigie registry import` comes first"
        for line in lines
        if key(Patient(line.patient)) not in known
    ]


def _taken(connection: Connection, seals: Vault, lines: Sequence[Line]) -> list[str]:
    """Find lines whose INS another patient has already."""
    numbers: dict[str, Ins] = {
        line.place: line.person.ins for line in lines if line.person.ins is not None
    }
    patients = {line.place: line.patient for line in lines}
    return [
        f"{place}: `ins` is another patient's already: `vigie identity find` says whose"
        for place, owner in identities.owners(connection, seals, numbers).items()
        if owner != patients[place]
    ]
