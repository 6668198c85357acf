"""Changing the registry of a running system: the one way in for commands.

A change is written to the tables and the audit log, published, and returned from once every gateway
that runs follows it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.ports import VigieError
from ingest.registry import database, publish, store, topic
from ingest.registry.consent import Basis

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ingest.registry.database import Connection
    from ingest.registry.entities import Entity
    from ingest.settings import Settings


PENDING = "and published by the next one"


@dataclass(frozen=True, slots=True)
class Told:
    """What a change came to.

    `changed` counts the entries that are new or different, `revision` is the registry's after it;
    `gateways` are those that follow it already: none, when none runs or nobody waited.
    """

    changed: int
    revision: int
    gateways: list[str]


class NotFollowed(VigieError):
    """The change is made and published, and a gateway that runs does not follow it yet."""

    retryable = True

    def __init__(self, told: Told) -> None:
        super().__init__(
            "the change is made and published, but a gateway that runs has not followed yet: "
            "see its /healthz"
        )
        self.told = told


def change(
    settings: Settings,
    entities: Sequence[Entity],
    *,
    by: str,
    why: str,
    wait: bool = True,
    basis: Basis | None = None,
) -> Told:
    """Make the registry have these entries, each in the place of the one with its id.

    Parameters
    ----------
    by, why
        Who asks for it, and the reason: for the audit log, which is kept for ever.
    wait
        Whether to return only once every running gateway follows.
    basis
        What consents that change rest on; None: `why`, vouched for by the site.

    Raises RegistryRefused with each fault, RegistryUnavailable, LogUnavailable (the change is made
    and will be published), NotFollowed.
    """

    def work(connection: Connection) -> int:
        return store.change(connection, entities, by=by, why=why, basis=basis or Basis(why))

    return apply(settings, work, wait=wait)


def amend(
    settings: Settings,
    keys: Collection[bytes],
    edit: Callable[[dict[bytes, Entity]], Sequence[Entity]],
    *,
    by: str,
    why: str,
    wait: bool = True,
    basis: Basis | None = None,
) -> Told:
    """Change entries by what they are now; nobody else changes them meanwhile.

    `edit` gets those of the `keys` that are there, and returns the entries as they are to be; what
    it raises is raised, and nothing is changed. Raises as `change` does.
    """

    def work(connection: Connection) -> int:
        wanted = edit(store.read(connection, keys))
        return store.change(connection, wanted, by=by, why=why, basis=basis or Basis(why))

    return apply(settings, work, wait=wait)


def apply(settings: Settings, work: Callable[[Connection], int], *, wait: bool = True) -> Told:
    """Do work on the registry in one transaction, publish it, and wait for the gateways.

    `work` returns how many entries it changed. Raises as `change` does.
    """
    with database.transaction(settings.database, change=True) as connection:
        changed = work(connection)
    revision, gateways = asyncio.run(_publish(settings, wait=wait))
    told = Told(changed, revision, gateways or [])
    if gateways is None:
        raise NotFollowed(told)
    return told


def find(settings: Settings, key: bytes) -> Entity | None:
    """Return what the key names, such as `device:d-1`; None when it is not there."""
    with database.transaction(settings.database) as connection:
        return store.read(connection, [key]).get(key)


def everything(settings: Settings) -> dict[bytes, Entity]:
    """Return the whole registry by key. Raises RegistryUnavailable."""
    with database.transaction(settings.database) as connection:
        return store.read(connection)


async def _publish(settings: Settings, *, wait: bool) -> tuple[int, list[str] | None]:
    try:
        await publish.publish_pending(settings.database, settings.kafka)
    except database.RegistryUnavailable as error:
        raise database.RegistryUnavailable(f"{error}; the change is made, {PENDING}") from None
    revision = await topic.revision(settings.kafka)
    if not wait:
        return revision, []
    try:
        return revision, await topic.confirmed(settings.kafka, revision)
    except TimeoutError:
        return revision, None
