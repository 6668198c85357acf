"""The health store in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ingest.readings import Vital
from ingest.registry.entities import Format, Listing, Model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingest.registry.database import Connection

_vitals = msgspec.json.Decoder(dict[Vital, Listing])

PUT = """
INSERT INTO internal.model (id, maker, name, formats, vitals, listed_from, listed_until,
    min_version, max_version)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET maker = excluded.maker, name = excluded.name,
    formats = excluded.formats, vitals = excluded.vitals, listed_from = excluded.listed_from,
    listed_until = excluded.listed_until, min_version = excluded.min_version,
    max_version = excluded.max_version"""


def read(connection: Connection, ids: Sequence[str] | None = None) -> Iterator[Model]:
    """Read these models; None means all."""
    rows = connection.execute(
        "SELECT id, maker, name, formats, vitals::text, listed_from, listed_until, min_version,"
        " max_version FROM internal.model WHERE %(ids)s::text[] IS NULL OR id = ANY(%(ids)s)",
        {"ids": ids},
    )
    for name, maker, title, formats, vitals, *rest in rows:
        given = _vitals.decode(vitals)
        ordered = {vital: given[vital] for vital in Vital if vital in given}
        yield Model(name, maker, title, tuple(Format(one) for one in formats), ordered, *rest)


def write(connection: Connection, models: Sequence[Model]) -> None:
    """Put these models, each in the place of the one with its id."""
    with connection.cursor() as cursor:
        cursor.executemany(
            PUT,
            [
                (
                    one.id,
                    one.maker,
                    one.name,
                    list(one.formats),
                    msgspec.json.encode(one.vitals).decode(),
                    one.listed_from,
                    one.listed_until,
                    one.min_version,
                    one.max_version,
                )
                for one in models
            ],
        )
