"""Consent acts: who agreed to what, when, by which text. Rows that are only ever added."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (a dataclass field's type, kept readable at run time)
from typing import TYPE_CHECKING, NamedTuple

from ingest.registry.entities import Patient, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingest.registry.database import Connection

    Change = tuple[str, Purpose, bool]

# In place of a text's version, where a site says that it has the consent without showing it here.
VOUCHED = "vouched for by the site"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a change of consents rests on.

    `text_version` names the text that was signed, `evidence` where it is kept (a reference into the
    site's own records, a file's name; no patient's name). `time` is when the patient signed or
    withdrew (UTC); None means now.
    """

    evidence: str
    text_version: str = VOUCHED
    time: datetime | None = None


class Act(NamedTuple):
    """One consent act as it is recorded: given (`granted`) or withdrawn; times are UTC."""

    patient: str
    purpose: Purpose
    granted: bool
    text_version: str
    time: datetime
    recorded: datetime
    recorded_by: str
    evidence: str


def in_order(purposes: Iterable[Purpose]) -> tuple[Purpose, ...]:
    """Name each purpose once, in the order of their definition.

    >>> [str(one) for one in in_order((Purpose.SHARE, Purpose.COLLECT, Purpose.SHARE))]
    ['collect', 'share']
    """
    wanted = set(purposes)
    return tuple(purpose for purpose in Purpose if purpose in wanted)


def holding(
    connection: Connection, patients: Sequence[str] | None = None
) -> dict[str, tuple[Purpose, ...]]:
    """Say what these patients agree to now; one that agrees to nothing is left out."""
    found: defaultdict[str, list[Purpose]] = defaultdict(list)
    for patient, purpose in connection.execute(
        "SELECT patient, purpose FROM internal.consent_newest"
        " WHERE granted AND (%(ids)s::text[] IS NULL OR patient = ANY(%(ids)s))",
        {"ids": patients},
    ):
        found[patient].append(Purpose(purpose))
    return {patient: in_order(purposes) for patient, purposes in found.items()}


def changes(pairs: Iterable[tuple[Patient | None, Patient]]) -> list[Change]:
    """List what each purpose that (before, after) gives or withdraws: patient, purpose, given."""
    found = []
    for before, after in pairs:
        old = set(before.consents) if before is not None else set()
        found += [
            (after.id, purpose, purpose in after.consents)
            for purpose in Purpose
            if purpose in old.symmetric_difference(after.consents)
        ]
    return found


def add(connection: Connection, acts: Iterable[Change], *, by: str, basis: Basis) -> None:
    """Record acts, each as given or withdrawn now, or at the basis' time."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO internal.consent"
            " (patient, purpose, granted, text_version, time, recorded_by, evidence)"
            " VALUES (%s, %s, %s, %s, coalesce(%s, now()), %s, %s)",
            [(*act, basis.text_version, basis.time, by, basis.evidence) for act in acts],
        )


def acts(connection: Connection, patient: str) -> list[Act]:
    """List a patient's consent acts in the order in which they were recorded."""
    rows = connection.execute(
        "SELECT patient, purpose, granted, text_version, time, recorded, recorded_by, evidence"
        " FROM internal.consent WHERE patient = %s ORDER BY number",
        (patient,),
    )
    return [Act(row[0], Purpose(row[1]), *row[2:]) for row in rows]
