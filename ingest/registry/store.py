"""The registry's tables: read whole or in part, and changed in one transaction with all it entails.

A change is in the tables, in the audit log and in the outbox for `vigie.registry`, or in none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.codec import encode
from ingest.ports import VigieError
from ingest.registry import audit, consent, rules, store_devices, store_models, store_patients
from ingest.registry.entities import Assignment, Device, Entity, Model, Patient, key, kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ingest.registry.consent import Basis
    from ingest.registry.database import Connection

SHOWN = 10
_ORDER = ("model", "patient", "device")


class RegistryRefused(VigieError):
    """The change does not fit the registry. Nothing was changed; `faults` has every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        shown = list(faults[:SHOWN])
        if len(faults) > SHOWN:
            shown.append(f"and {len(faults) - SHOWN} more")
        super().__init__("\n  ".join(["nothing was changed:", *shown]))
        self.faults = list(faults)


class NotInRegistry(VigieError):
    """What was named is not there. Nothing was changed."""


def read(connection: Connection, keys: Collection[bytes] | None = None) -> dict[bytes, Entity]:
    """Read what these keys name, as far as it is there; None means the whole registry."""
    found: list[Entity] = []
    if keys is None:
        found += store_models.read(connection)
        found += store_patients.read(connection)
        found += store_devices.read(connection)
    else:
        named = [one.decode().partition(":") for one in keys]
        for kind, reader in (
            ("model", store_models.read),
            ("patient", store_patients.read),
            ("device", store_devices.read),
        ):
            if ids := [name for what, _, name in named if what == kind]:
                found += reader(connection, ids)
    return {key(entity): entity for entity in found}


def change(
    connection: Connection,
    entities: Sequence[Entity],
    *,
    by: str,
    why: str,
    basis: Basis,
) -> int:
    """Make the registry have these entries; returns how many are new or different.

    The transaction must hold `database.lock`. Raises RegistryRefused.
    """
    faults = [fault for found in judge(connection, entities).values() for fault in found]
    if faults:
        raise RegistryRefused(faults)
    changed = differing(connection, entities)
    if changed:
        _write(connection, changed, by, basis)
        audit.append(
            connection,
            [(key(after).decode(), difference(before, after)) for before, after in changed],
            by=by,
            why=why,
        )
        enqueue(connection, [after for _, after in changed])
    return len(changed)


def merge(
    connection: Connection, entries: Sequence[tuple[Entity, Collection[str]]]
) -> list[Entity]:
    """Complete entries of which only these fields are told: what is there keeps the others.

    So a file that says nothing of consents, of limits or of a revocation changes none.
    """
    known = read(connection, {key(entity) for entity, _ in entries})
    merged = []
    for entity, told in entries:
        before = known.get(key(entity))
        kept = {} if before is None else msgspec.structs.asdict(before)
        untold = {name: value for name, value in kept.items() if name not in told}
        merged.append(msgspec.structs.replace(entity, **untold))
    return merged


def judge(connection: Connection, entities: Sequence[Entity]) -> dict[int, list[str]]:
    """Say by place in `entities` which of them do not fit, and why; a good one is left out."""
    known = read(connection, {key(entity) for entity in entities})
    devices = [one for one in entities if isinstance(one, Device)]
    models = {one.id: one for one in store_models.read(connection, [d.model for d in devices])}
    models |= {one.id: one for one in entities if isinstance(one, Model)}
    named = {one.patient for device in devices for one in device.assignments}
    rows = connection.execute("SELECT id FROM internal.patient WHERE id = ANY(%s)", (list(named),))
    patients = {row[0] for row in rows} | {one.id for one in entities if isinstance(one, Patient)}
    now, found, seen = datetime.now(UTC), dict[int, list[str]](), set[bytes]()
    for place, one in enumerate(entities):
        before = known.get(key(one))
        faults = [
            *rules.faults(one),
            *rules.misplaced(one, before, models, patients.__contains__, now),
        ]
        if key(one) in seen:
            faults.append(f"{kind(one)} `{one.id}` is there twice")
        seen.add(key(one))
        if faults:
            found[place] = faults
    return found


def differing(
    connection: Connection, entities: Sequence[Entity]
) -> list[tuple[Entity | None, Entity]]:
    """Pair what would change with what is there; models and patients come before devices.

    A gateway reads them in this order: a device must not stand there before its model.
    """
    known = read(connection, {key(entity) for entity in entities})
    wanted = [normal(entity) for entity in entities]
    changed = [(known.get(key(one)), one) for one in wanted if known.get(key(one)) != one]
    return sorted(changed, key=lambda pair: _ORDER.index(kind(pair[1])))


def in_order(entities: Iterable[Entity]) -> list[Entity]:
    """Sort for publication: models and patients before devices."""
    return sorted(entities, key=lambda one: _ORDER.index(kind(one)))


def enqueue(connection: Connection, entities: Iterable[Entity]) -> None:
    """Put these entries into the outbox, to be published once the transaction is committed."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO internal.registry_outbox (key, value) VALUES (%s, %s)",
            [(key(entity), encode(entity)) for entity in entities],
        )


def tombstone(connection: Connection, *keys: bytes) -> None:
    """Put a removal of what these keys name into the outbox."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO internal.registry_outbox (key) VALUES (%s)", [(one,) for one in keys]
        )


def normal(entity: Entity) -> Entity:
    """Write an entry in the one way in which the tables give it back.

    Times in UTC, assignments in order of time, purposes in order and once.
    """
    if isinstance(entity, Patient):
        return msgspec.structs.replace(entity, consents=consent.in_order(entity.consents))
    if isinstance(entity, Device):
        worn = sorted(entity.assignments, key=lambda one: one.start)
        return msgspec.structs.replace(
            entity,
            assignments=tuple(Assignment(a.patient, _utc(a.start), _end(a.until)) for a in worn),
        )
    return msgspec.structs.replace(
        entity, listed_from=_utc(entity.listed_from), listed_until=_end(entity.listed_until)
    )


def difference(before: Entity | None, after: Entity) -> dict[str, Any]:
    """Say field by field what a change did: [old, new].

    The pairing identifier of an e-health space is only said to be set: the audit log outlives the
    patient's erasure, and such a number names a person.
    """
    old = msgspec.structs.asdict(before) if before is not None else {}
    new = msgspec.structs.asdict(after)
    found = {
        field: [msgspec.to_builtins(old.get(field)), msgspec.to_builtins(value)]
        for field, value in new.items()
        if field not in old or old[field] != value
    }
    if "ens" in found:
        found["ens"] = [None if one is None else "set" for one in found["ens"]]
    return found


def _write(
    connection: Connection,
    changed: Sequence[tuple[Entity | None, Entity]],
    by: str,
    basis: Basis,
) -> None:
    after = [one for _, one in changed]
    store_models.write(connection, [one for one in after if isinstance(one, Model)])
    store_patients.write(connection, [one for one in after if isinstance(one, Patient)])
    pairs = [
        (before if isinstance(before, Patient) else None, one)
        for before, one in changed
        if isinstance(one, Patient)
    ]
    consent.add(connection, consent.changes(pairs), by=by, basis=basis)
    store_devices.write(connection, [one for one in after if isinstance(one, Device)])


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _end(time: datetime | None) -> datetime | None:
    return None if time is None else time.astimezone(UTC)
