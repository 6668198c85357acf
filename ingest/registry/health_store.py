"""The health store: the list of device models and applications that may publish."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from ingest import kafka
from ingest.registry import adopting, database, office, publish, store, topic
from ingest.registry.consent import Basis
from ingest.registry.entities import Model, key
from ingest.registry.files import toml_file

if TYPE_CHECKING:
    from ingest.registry.database import Connection
    from ingest.registry.entities import Entity
    from ingest.settings import Settings

say = structlog.get_logger()

WHY = "shipped with this version of Vigie"
SHIPPED = Path(__file__).with_name("health-store.toml")


def models(settings: Settings) -> list[Model]:
    """List the models by their ids. Raises RegistryUnavailable."""
    found = office.everything(settings).values()
    return sorted((one for one in found if isinstance(one, Model)), key=lambda one: one.id)


def install(settings: Settings, log: str = kafka.REGISTRY) -> int:
    """Add the shipped models that are not there; returns how many. For a start of the whole line.

    One that is there stays as the site has it, delisted for instance. Then makes tables and topic
    agree: what waits is published; the whole registry is, when the topic is empty, as after the
    loss of Kafka; and empty tables adopt what an earlier Vigie has left in the topic. Waits for no
    gateway. `log` names the registry's topic. Raises RegistryUnavailable, LogUnavailable.
    """
    shipped = toml_file.read(SHIPPED)
    is_empty = not asyncio.run(topic.revision(settings.kafka, log))
    with database.transaction(settings.database, change=True) as connection:
        known = store.read(connection)
        missing = [one for one in shipped if key(one) not in known]
        added = store.change(connection, missing, by="vigie", why=WHY, basis=Basis(WHY))
        if is_empty:
            store.enqueue(connection, store.in_order(known.values()))
        elif not known:
            _adopt(connection, asyncio.run(topic.everything(settings.kafka, log)))
    asyncio.run(publish.publish_pending(settings.database, settings.kafka, log))
    return added


def _adopt(connection: Connection, found: dict[bytes, Entity]) -> None:
    count, faults = adopting.adopt(connection, found, by="vigie")
    say.info("the tables were empty: the topic's registry was adopted", entries=count)
    for fault in faults:
        say.warning("not adopted", fault=fault)
