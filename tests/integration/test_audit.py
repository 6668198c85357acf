"""The audit log takes no change, and shows each one that was made all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from ingest import kafka as log
from ingest.registry import (
    anchors,
    audit,
    database,
)
from tests.integration.registry_site import RegistrySite

pytestmark = pytest.mark.servers


@pytest.fixture
def site(database: str, kafka: str) -> RegistrySite:
    return RegistrySite(database, kafka)


def test_the_audit_log_takes_no_change_and_no_deletion(site: RegistrySite) -> None:
    with site.connection() as connection:
        for statement in (
            "UPDATE internal.audit SET by = 'x'",
            "DELETE FROM internal.audit",
            "TRUNCATE internal.audit",
            "TRUNCATE internal.consent",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("UPDATE internal.audit SET by = 'somebody else' WHERE number = 3", 3),
        ("UPDATE internal.audit SET why = 'x' WHERE number = 2", 2),
        ("UPDATE internal.audit SET key = 'patient:x' WHERE number = 4", 4),
        ("UPDATE internal.audit SET change = '{}' WHERE number = 3", 3),
        ("UPDATE internal.audit SET time = time + interval '1 us' WHERE number = 1", 1),
        ("DELETE FROM internal.audit WHERE number = 2", 2),
        ("UPDATE internal.audit SET salt = NULL, why = '', change = '{}' WHERE number = 3", 3),
        # Two entries change places.
        (
            """UPDATE internal.audit a SET by = b.by, why = b.why, key = b.key, change = b.change,
            salt = b.salt, content = b.content, hash = b.hash, time = b.time
            FROM internal.audit b WHERE a.number + b.number = 5 AND a.number IN (2, 3)""",
            2,
        ),
    ],
)
def test_tampering_is_found_at_its_entry(site: RegistrySite, tampering: str, broken: int) -> None:
    for n in range(1, 5):
        site.change(site.patient(n), why=f"admission {n}")
    with database.transaction(site.settings.database) as connection:
        count, newest = audit.verify(connection)
        assert count == 5
        assert audit.contains(connection, newest.hex())
    with site.connection() as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger fires
        connection.execute(tampering.encode())
    with (
        database.transaction(site.settings.database) as connection,
        pytest.raises(audit.ChainBroken, match=f"entry {broken}:") as caught,
    ):
        audit.verify(connection)
    assert caught.value.number == broken


def test_an_end_that_was_cut_off_shows_against_a_noted_hash(site: RegistrySite) -> None:
    site.change(site.patient())
    with database.transaction(site.settings.database) as connection:
        noted = audit.verify(connection)[1].hex()
    with site.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM internal.audit WHERE number = 2")
    with database.transaction(site.settings.database) as connection:
        assert audit.verify(connection)[0] == 1
        assert not audit.contains(connection, noted)


def checked(site: RegistrySite) -> int:
    """Verify the log in itself, then against the topic; returns how many hashes were found there.

    Anchors of other tests' databases lie in the same topic.
    """
    told = asyncio.run(anchors.read(site.settings.kafka))
    with database.transaction(site.settings.database) as connection:
        audit.verify(connection)
        return anchors.check(connection, told)


def test_the_topic_tells_of_an_end_that_was_cut_off(site: RegistrySite) -> None:
    site.change(site.patient(1))
    site.change(site.patient(2))
    assert checked(site) == 3
    with site.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM internal.audit WHERE number = 3")
    with pytest.raises(anchors.NotAsPublished, match="entry 3"):
        checked(site)
    site.change(site.patient(3))  # another entry 3: the older anchor still tells
    with pytest.raises(anchors.NotAsPublished, match="entry 3"):
        checked(site)


@pytest.mark.parametrize("first", [1, 2])
def test_the_topic_tells_of_a_log_that_was_written_anew_with_hashes_that_fit(
    site: RegistrySite, first: int
) -> None:
    site.change(site.patient(1))
    site.change(site.patient(2))
    with site.connection() as connection:
        rows = connection.execute(
            "SELECT number, time, by, why, key, change, content, hash FROM internal.audit"
            " ORDER BY number"
        ).fetchall()
        connection.execute("SET session_replication_role = replica")
        previous = audit.GENESIS
        for *fields, content, recorded in rows:
            entry = audit.Entry(*fields)
            if entry.number < first:
                previous = recorded
                continue
            entry = replace(entry, by="somebody else")
            previous = entry.chained(previous, content)
            connection.execute(
                "UPDATE internal.audit SET by = %s, hash = %s WHERE number = %s",
                (entry.by, previous, entry.number),
            )
    with pytest.raises(anchors.NotAsPublished):
        checked(site)


def test_what_is_no_anchor_of_ours_is_passed_over(site: RegistrySite) -> None:
    site.change(site.patient(1))
    before = asyncio.run(anchors.read(site.settings.kafka))
    odd = [(anchors.HEADER, b"\xff:x:y"), (anchors.HEADER, b""), ("other", b"1:2:3")]

    async def send() -> None:
        async with log.producing(site.settings.kafka) as producer:
            await (await producer.send(log.REGISTRY, None, partition=0, key=b"x", headers=odd))

    asyncio.run(send())
    assert asyncio.run(anchors.read(site.settings.kafka)) == before
