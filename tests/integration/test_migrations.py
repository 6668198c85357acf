"""The schema's files on a real database: applied once, in order, and never changed after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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


# The transaction.
