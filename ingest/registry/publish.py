"""From the registry's outbox to `vigie.registry`: what the database committed, the log gets.

A crash between commit and publication leaves the rows in the outbox; the next change, or whoever
calls `publish_pending` meanwhile (the dispatcher does), publishes them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ingest import kafka as log
from ingest.ports import LogUnavailable
from ingest.registry import anchors, store
from ingest.registry import database as registry_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# "vigie p" in ASCII: any number that nobody else locks in this database.
PUBLISH_LOCK = 0x76696769652070
# A Kafka that works answers within milliseconds, and takes a site's whole registry in seconds.
CONNECT_SECONDS, SEND_SECONDS = 10.0, 60.0
KEPT = "the registry's change is kept in the database, and published by the next one"


async def publish_pending(database: str, kafka: str, topic: str = log.REGISTRY) -> int:
    """Publish what waits in the outbox, in order; returns how many records that were.

    Safe to call at any time and from any number of processes: one publishes, the others wait. Of
    several records of one key only the newest is sent, so a publication that is repeated after a
    crash never takes a reader back. Raises RegistryUnavailable, and LogUnavailable when Kafka does
    not take them now: they stay.
    """
    sent: list[bytes] = []
    try:
        return await _publish(database, kafka, topic, sent)
    except registry_database.RegistryUnavailable:
        if not sent:
            raise
        # Our session ended while we sent, as when this machine was suspended, and our lock with it.
        # Somebody may have published a later withdrawal before what we sent: what holds goes last.
        await asyncio.to_thread(_enqueue_again, database, sent)
        return await _publish(database, kafka, topic, [])


def _enqueue_again(database: str, keys: Sequence[bytes]) -> None:
    with registry_database.transaction(database, change=True) as connection:
        found = store.read(connection, keys)
        store.enqueue(connection, found.values())
        store.tombstone(connection, *(key for key in keys if key not in found))


async def _publish(database: str, kafka: str, topic: str, sent: list[bytes]) -> int:
    """Publish once; what Kafka may have is noted in `sent`."""
    async with registry_database.connected(database) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (PUBLISH_LOCK,))
        cursor = await connection.execute(
            "SELECT id, key, value FROM internal.registry_outbox ORDER BY id"
        )
        rows = await cursor.fetchall()
        if not rows:
            return 0
        newest: dict[bytes, bytes | None] = {key: value for _, key, value in rows}
        # After a crash a patient may stand behind the device: a gateway that met the device first
        # would believe of a patient without a record what is usual, that readings may be kept.
        ordered = dict(sorted(newest.items(), key=lambda one: one[0].startswith(b"device:")))
        headers = await anchors.headers(connection)
        sent.extend(ordered)
        await _send(kafka, topic, ordered, headers)
        await connection.execute(
            "DELETE FROM internal.registry_outbox WHERE id = ANY(%s)", ([row[0] for row in rows],)
        )
        return len(newest)


async def _send(
    kafka: str,
    topic: str,
    records: Mapping[bytes, bytes | None],
    headers: Sequence[tuple[str, bytes]],
) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS) as limit, log.producing(kafka) as producer:
            limit.reschedule(asyncio.get_running_loop().time() + SEND_SECONDS)
            sent = [
                await producer.send(topic, value, partition=0, key=key, headers=headers)
                for key, value in records.items()
            ]
            answers = await asyncio.gather(*sent, return_exceptions=True)
    except TimeoutError:
        raise LogUnavailable(f"Kafka does not answer; {KEPT}") from None
    if failed := [one for one in answers if isinstance(one, BaseException)]:
        raise LogUnavailable(f"Kafka refuses it ({type(failed[0]).__name__}); {KEPT}")
