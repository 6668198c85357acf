"""Erasing a patient: nothing is left in the tables, and what is left elsewhere is told.

The order keeps a running system from writing the patient again:

1. Every consent is withdrawn, and every gateway follows: no new reading is taken.
2. The worker has passed a tick that names this registry revision in the patient's partition: it
   has ended the patient's watch, and drops what the log still holds. Nothing of the patient is
   written from here on. Where no worker runs, the next one starts from what the tables hold then.
3. The bulk of the rows goes; then, in one transaction, all other rows, the sealed identity with its
   key, the words of the audit log, and the assignments. Consents become proofs without a name.
4. The patient's key in `vigie.registry` gets a tombstone; devices are published unassigned.

Every step can be done again: an erasure that was cut short is repeated, and ends the same.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from ingest import kafka
from ingest.erasure import removal, traces
from ingest.ports import VigieError
from ingest.registry import (
    audit,
    database,
    office,
    store,
    store_devices,
)
from ingest.registry.consent import Basis
from ingest.registry.entities import Patient, key
from ingest.vault import identities
from ingest.vault.file import PSEUDONYM
from ingest.vault.sealing import Vault

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable

    from ingest.erasure.traces import Left
    from ingest.registry.database import Connection
    from ingest.settings import Settings

# Ticks come every two seconds, and with a change at once; a worker may have something to catch up.
WORKER_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.2
# A worker that has lost its connection makes another within two seconds (streams/agents.py).
ALONE_SECONDS = 5.0
# As streams/timescale.py names its connections.
WORKER = "vigie-worker"
# What a proof's reader needs of the keyed hash: 128 bits.
MARK_BYTES = 16


class WhyNamesPatient(VigieError):
    """Reason and author are kept for ever, so they must not name this patient or another."""

    def __init__(self) -> None:
        super().__init__("`--why` and `--by` are kept for ever: they must not name a patient")


class AgreedAgain(VigieError):
    """Between withdrawal and deletion somebody gave the patient a consent back.

    The line takes the patient's readings again, so what would be deleted would come back.
    """

    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "somebody recorded a consent of this patient meanwhile: `vigie audit list` says who. "
            "Not all is deleted: repeat"
        )


class NoPseudonym(VigieError):
    """What was given can be no patient's pseudonym; nothing is searched or erased by it."""

    def __init__(self) -> None:
        super().__init__("this is no pseudonym: letters, digits, and . _ - between, at most 64")


class WorkerBehind(VigieError):
    """A worker may still hold the patient in memory, and would write the rows again."""

    retryable = True

    def __init__(self, *, fed: bool) -> None:
        why = "is behind" if fed else "hears of nothing while no gateway runs: start one"
        super().__init__(
            f"the consents are withdrawn, and nothing is deleted yet: a worker runs and {why}. "
            "Then repeat, or stop every worker and repeat"
        )


class Erased(msgspec.Struct, frozen=True):
    """What an erasure came to.

    `mark` stands for the patient in the audit log and in proofs. `rows` counts what was deleted, by
    table. `proofs` are acts of consent that were kept without a name, `entries` those of the audit
    log that were emptied. `gateways` had stopped taking readings before anything was deleted, and
    `worker` says whether a worker had followed (false: none runs). `devices` were worn by the
    patient at some time.
    """

    mark: str
    rows: dict[str, int]
    proofs: int
    entries: int
    gateways: list[str]
    worker: bool
    devices: list[str]


def erase(
    settings: Settings,
    patient: str,
    *,
    by: str,
    why: str,
    said: Callable[[str], None] = lambda _text: None,
) -> Erased:
    """Erase a patient; `said` is told of each step, without naming anybody.

    Raises NoPseudonym, WhyNamesPatient, VaultKeyMissing, WrongVaultKey, RegistryUnavailable,
    LogUnavailable, NotFollowed, WorkerBehind and AgreedAgain; it can be repeated after each.
    """
    _check(patient)
    kept = f"{why} {by}"
    # A pseudonym without a digit may be a word of the reason.
    if traces.names(kept, patient) and any(letter.isdecimal() for letter in patient):
        raise WhyNamesPatient
    vault = Vault(settings.vault_key)
    with database.transaction(settings.database) as connection:
        identities.marks(connection, vault)  # a wrong key is told before anything is done
        if _names_somebody(connection, kept):
            raise WhyNamesPatient
    told = _withdraw(settings, patient, by, why)
    said(f"consents withdrawn; followed by {', '.join(told.gateways) or 'no gateway: none runs'}")
    followed = asyncio.run(_worker_followed(settings, patient, told))
    said("the worker has followed" if followed else "no worker runs")
    erased = _delete(settings, vault, patient, by, why)
    said("deleted")
    return msgspec.structs.replace(erased, gateways=told.gateways, worker=followed)


def verify(settings: Settings, patient: str) -> tuple[list[Left], list[Left]]:
    """Search every table and every topic for the pseudonym; returns what is left in each.

    Raises NoPseudonym, RegistryUnavailable and LogUnavailable.
    """
    _check(patient)
    with database.transaction(settings.database) as connection:
        in_tables = traces.in_tables(connection, patient)
    return in_tables, asyncio.run(traces.in_topics(settings.kafka, patient))


def _check(patient: str) -> None:
    if not PSEUDONYM.fullmatch(patient):
        raise NoPseudonym


def _names_somebody(connection: Connection, text: str) -> bool:
    """Whether a text names a patient of the registry, who may be the next one to be erased."""
    words = [word for word in PSEUDONYM.findall(text) if any(c.isdecimal() for c in word)]
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM internal.patient WHERE id = ANY(%s))",
        ([*words, *(word.rstrip(".") for word in words)],),
    ).fetchone()
    return bool(row and row[0])


def _withdraw(settings: Settings, patient: str, by: str, why: str) -> office.Told:
    """Leave the patient no consent, no limit and no address, at every gateway that runs."""
    bare = Patient(patient, consents=())

    def work(connection: Connection) -> int:
        if key(bare) not in store.read(connection, [key(bare)]):
            # Erased before, or never registered: whoever still has it must hear it again.
            store.tombstone(connection, key(bare))
            return 0
        return store.change(connection, [bare], by=by, why=why, basis=Basis("erasure"))

    return office.apply(settings, work)


async def _worker_followed(settings: Settings, patient: str, told: office.Told) -> bool:
    """Return once the worker has let go of the patient; false: no worker runs.

    Raises WorkerBehind when one runs and does not follow.
    """
    began = monotonic()
    seen = began  # when a worker was last seen
    async with database.connected(settings.database) as connection:
        while True:
            cursor = await connection.execute(
                "SELECT (SELECT count(*) FROM pg_stat_activity"
                "        WHERE datname = current_database() AND application_name = %s),"
                " (SELECT revision FROM internal.progress WHERE topic = %s AND partition = %s)",
                (WORKER, kafka.READINGS, kafka.partition_of(patient)),
            )
            workers, revision = await cursor.fetchone() or (0, None)
            now = monotonic()
            if workers and (revision or 0) >= told.revision:
                return True
            if workers:
                seen = now
            elif now - seen > ALONE_SECONDS:
                return False
            if now - began > WORKER_SECONDS or (
                workers and not told.gateways and now - began > ALONE_SECONDS
            ):
                raise WorkerBehind(fed=bool(told.gateways))
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _delete(settings: Settings, vault: Vault, patient: str, by: str, why: str) -> Erased:
    with database.transaction(settings.database) as connection:
        rows: Counter[str] = removal.bulk(connection, patient)
    with database.transaction(settings.database) as connection:
        # Once more: the index still leads to the dead rows, and the first look over them (a second
        # per million) must not fall into the transaction that keeps the worker waiting.
        rows += removal.bulk(connection, patient)
        mark = identities.marks(connection, vault).proof(patient)[:MARK_BYTES].hex()
    proofs = entries = 0
    devices: list[str] = []

    def work(connection: Connection) -> int:
        nonlocal proofs, entries
        found = store.read(connection, [key(Patient(patient))]).get(key(Patient(patient)))
        if isinstance(found, Patient) and found.consents:
            raise AgreedAgain
        marks = identities.marks(connection, vault)
        removal.begin(connection, patient)
        devices.extend(_worn_by(connection, patient))
        proofs = removal.prove(connection, marks, patient)
        entries = audit.erase(connection, patient, mark, by=by, why=why)
        removal.note(connection, marks, patient, by, why)
        rows.update(removal.rows(connection, patient))
        freed = store.read(connection, [f"device:{name}".encode() for name in devices])
        store.enqueue(connection, freed.values())
        store.tombstone(connection, key(Patient(patient)))
        return sum(rows.values())

    told = office.apply(settings, work)
    asyncio.run(_tidy(settings, rows))
    return Erased(mark, dict(rows), proofs, entries, told.gateways, worker=False, devices=devices)


def _worn_by(connection: Connection, patient: str) -> list[str]:
    """Name the devices that the patient ever wore, by the registry."""
    return sorted(
        device.id
        for device in store_devices.read(connection)
        if any(one.patient == patient for one in device.assignments)
    )


async def _tidy(settings: Settings, tables: Iterable[str]) -> None:
    """Let the database forget the deleted rows' bytes, and what its statistics know of them."""
    async with database.connected(settings.database) as connection:
        for table in sorted({*tables, "audit"}):
            # A hypertable is large, and cleaned in the background: its statistics name patients.
            verb = "ANALYZE" if table in removal.HYPERTABLES else "VACUUM (ANALYZE)"
            await connection.execute(f"{verb} internal.{table}".encode())
