"""A registry that stands only in its topic, taken into the tables: the way from Vigie 0.1 on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ingest.registry import office, store, topic
from ingest.registry.consent import Basis
from ingest.registry.files import importing
from ingest.registry.files.draft import Draft, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.registry.database import Connection
    from ingest.registry.entities import Entity
    from ingest.registry.office import Told
    from ingest.settings import Settings

WHY = "adopted from the topic"


def run(settings: Settings, *, by: str) -> tuple[Told, list[str]]:
    """Take what only the topic has; returns what came of it, and why the others were left out.

    Raises as `office.change` does.
    """
    found = asyncio.run(topic.everything(settings.kafka))
    faults: list[str] = []

    def work(connection: Connection) -> int:
        changed, left_out = adopt(connection, found, by=by)
        faults.extend(left_out)
        return changed

    return office.apply(settings, work), faults


def adopt(
    connection: Connection, found: Mapping[bytes, Entity], *, by: str
) -> tuple[int, list[str]]:
    """Take what the tables have not, as far as it fits; returns how many, and the faults.

    The transaction must hold `database.lock`.
    """
    known = store.read(connection)
    entries = [
        Entry(key.decode(), entity, frozenset())
        for key, entity in found.items()
        if key not in known
    ]
    good, faults = importing.sorted_out(connection, Draft(entries))
    return store.change(connection, good, by=by, why=WHY, basis=Basis(WHY)), faults
