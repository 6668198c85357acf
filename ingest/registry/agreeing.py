"""A consent given or withdrawn: the act, and the patient's settings that follow from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from ingest.registry import audit, consent, rules, store
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from ingest.registry.consent import Basis
    from ingest.registry.database import Connection
    from ingest.registry.entities import Purpose


def decide(
    connection: Connection,
    patient: str,
    purpose: Purpose,
    *,
    granted: bool,
    by: str,
    basis: Basis,
) -> int:
    """Record the act; returns 1 when it changes what holds, 0 when it confirms it.

    A consent to a newer text is an act of its own, although the purpose was agreed to already. The
    transaction must hold `database.lock`. Raises NotInRegistry, and RegistryRefused for a time that
    cannot be: an act stays for ever as it was recorded.
    """
    said = basis.time
    if said is not None and (said.year < rules.FIRST_YEAR or said > datetime.now(UTC)):
        raise store.RegistryRefused([f"nobody can have said so at {rules.stamp(said)}"])
    key = f"patient:{patient}".encode()
    found = store.read(connection, [key]).get(key)
    if not isinstance(found, Patient):
        raise store.NotInRegistry(f"patient `{patient}` is not in the registry")
    others = {one for one in found.consents if one is not purpose}
    wanted = consent.in_order({*others, purpose} if granted else others)
    why = f"consent to {purpose} {'given' if granted else 'withdrawn'}"
    if wanted != found.consents:
        after = msgspec.structs.replace(found, consents=wanted)
        return store.change(connection, [after], by=by, why=why, basis=basis)
    consent.add(connection, [(patient, purpose, granted)], by=by, basis=basis)
    audit.append(connection, [(key.decode(), {})], by=by, why=f"{why}, as it was")
    return 0
