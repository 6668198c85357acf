"""What a patient agrees to now, not at the log's revision: a withdrawal holds for old records too.

So a replay of the log gives the same alerts only as long as nobody has withdrawn a consent since;
what a patient no longer agrees to must not come back by a replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from ingest.codec import Bundle, decode_record, encode
from ingest.ports import MalformedRecord
from ingest.registry.entities import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.registry.entities import Patient
    from ingest.registry.memory import Registry
    from streams.batch import Work


def agreed(registry: Registry, patient: str, revision: int) -> Patient:
    """Return the settings that held at a revision, with the consents that are in force now."""
    settings, now = registry.patient(patient, revision), registry.newest(patient)
    if settings.consents == now.consents:
        return settings
    return structs.replace(settings, consents=now.consents)


def kept(patient: Patient) -> bool:
    """Whether readings may be stored."""
    return Purpose.COLLECT in patient.consents


def without_refused(record: bytes, registry: Registry) -> bytes:
    """Return a record of the log without messages that may not be kept, for the quarantine.

    Of bytes that are no record at all nobody can say whose they are: they are returned as they are.
    """
    try:
        decoded = decode_record(record)
    except MalformedRecord:
        return record
    if not isinstance(decoded, Bundle):
        return record
    messages = tuple(m for m in decoded.messages if kept(registry.newest(m.patient)))
    if len(messages) == len(decoded.messages):
        return record
    return encode(structs.replace(decoded, messages=messages))


def watched(patient: Patient) -> bool:
    """Whether detectors may look at readings. What may not be stored is not watched either."""
    return kept(patient) and Purpose.MONITOR in patient.consents


def withdrawn(registry: Registry, works: Iterable[Work]) -> bool:
    """Whether a patient of this work has withdrawn what it rests on, since it was worked out."""
    return any(
        any(not kept(registry.newest(message.patient)) for message in work.messages)
        or any(not watched(registry.newest(patient)) for patient in work.snapshots)
        or any(without_refused(one.payload, registry) is not one.payload for one in work.rejected)
        for work in works
    )
