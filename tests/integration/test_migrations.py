"""The schema's files on a real database: applied once, in order, and never changed after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest.readings import SPECS
from streams import migrations
from streams.errors import SchemaMismatch, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

TOPIC = "vigie.readings"
PLACES = {TOPIC: 2}


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def test_migrating_twice_and_from_many_sides_at_once_applies_each_file_once(database: str) -> None:
    applied: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        for done in [
            pool.submit(migrations.migrate, database, PLACES, applied=applied.append)
            for _ in range(4)
        ]:
            done.result()
    assert applied == [m.name for m in migrations.migrations()]
    assert {s.state for s in migrations.status(database)} == {"applied"}
    migrations.check(database)
    assert rows(database, "SELECT count(*) FROM internal.progress") == [(2,)]
    assert rows(database, "SELECT count(*) FROM internal.vital") == [(len(SPECS),)]


def test_a_fresh_database_says_what_is_pending(database: str) -> None:
    assert {s.state for s in migrations.status(database)} == {"pending"}
    with pytest.raises(SchemaMismatch, match=r"0001_line\.sql is pending"):
        migrations.check(database)


def test_a_file_that_was_changed_after_it_was_applied_is_refused(
    database: str, tmp_path: Path
) -> None:
    file = tmp_path / "0001_one.sql"
    file.write_text("CREATE TABLE one (x int)")
    with pytest.raises(SchemaMismatch):  # the tables to fill are not in this file
        migrations.migrate(database, {}, folder=tmp_path)
    file.write_text("CREATE TABLE one (y int)")
    with pytest.raises(SchemaMismatch, match="was changed"):
        migrations.migrate(database, {}, folder=tmp_path)
    with pytest.raises(SchemaMismatch, match="changed"):
        migrations.check(database, tmp_path)


def test_a_file_that_fails_leaves_no_trace(database: str, tmp_path: Path) -> None:
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (x int); SELECT 1/0")
    with pytest.raises(SchemaMismatch):
        migrations.migrate(database, {}, folder=tmp_path)
    assert rows(database, "SELECT to_regclass('one') IS NULL") == [(True,)]
    assert [s.state for s in migrations.status(database, tmp_path)] == ["pending"]


def test_a_database_of_a_newer_version_is_refused(database: str, tmp_path: Path) -> None:
    migrations.migrate(database, PLACES)
    with pytest.raises(SchemaMismatch, match="newer"):
        migrations.check(database, tmp_path)


def test_a_database_that_does_not_answer_is_told_of_and_given_up() -> None:
    said: list[str] = []
    with pytest.raises(StoreUnavailable):
        migrations.wait("postgresql://vigie@127.0.0.1:1/vigie", 0.0, said.append)


def test_an_older_worker_goes_on_while_the_detectors_migration_comes(
    database: str, tmp_path: Path
) -> None:
    for one in migrations.migrations()[:4]:
        (tmp_path / one.name).write_text(one.text)
    migrations.migrate(database, PLACES, folder=tmp_path)
    with psycopg.connect(database) as older:
        migrations.migrate(database, PLACES)
        older.execute(
            "INSERT INTO internal.assessment (patient, time, news2, news2_missing, anomaly)"
            " VALUES ('p-1', now(), 3, '{}', NULL)"
        )
        older.execute(
            "INSERT INTO internal.state (patient, partition, state) VALUES ('p-1', 0, '')"
        )
        older.execute(
            "INSERT INTO internal.patient (id, profile, spo2_scale) VALUES ('p-1', 'ward', 1)"
        )
        older.execute("UPDATE internal.progress SET next_offset = 7 WHERE partition = 0")
    assert rows(database, "SELECT news2, risk_deterioration, risk_sepsis FROM assessments") == [
        (3, None, None)
    ]
    assert rows(database, "SELECT next_offset, fed FROM internal.progress ORDER BY partition") == [
        (7, 0.0),
        (0, 0.0),
    ]
    assert rows(database, "SELECT due FROM internal.state") == [(None,)]
    assert rows(database, "SELECT born, pregnant FROM internal.patient") == [(None, False)]
    views = "SELECT column_name FROM information_schema.columns WHERE table_name = 'assessments'"
    assert [name for (name,) in rows(database, f"{views} ORDER BY ordinal_position")] == [
        *("patient", "time", "news2", "news2_missing", "anomaly"),
        *("risk_deterioration", "risk_sepsis"),
    ]


def waits_for_a_lock(database: str) -> bool:
    asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
    return rows(database, asked) != [(0,)]


def test_a_reader_that_comes_between_two_statements_of_a_migration_only_waits(
    database: str, tmp_path: Path
) -> None:
    known = migrations.migrations()
    for one in known[:4]:
        (tmp_path / one.name).write_text(one.text)
    migrations.migrate(database, PLACES, folder=tmp_path)
    first, view, rest = known[4].text.partition("CREATE OR REPLACE VIEW")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as migrating:
        migrating.execute(first.encode())
        reader = pool.submit(rows, database, "SELECT news2 FROM assessments")
        until = monotonic() + 30
        while not waits_for_a_lock(database):
            assert monotonic() < until
        migrating.execute((view + rest).encode())
        migrating.commit()
        assert reader.result() == []
