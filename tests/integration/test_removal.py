"""Every row of one patient goes, and nothing of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest import kafka
from ingest.erasure import removal, traces
from streams import migrations
from tests.integration import erasing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    migrations.migrate(database, {kafka.READINGS: 1})
    with psycopg.connect(database, autocommit=True) as made:
        yield made


def remove(connection: Connection, patient: str) -> dict[str, int]:
    with connection.transaction():
        gone = removal.bulk(connection, patient)
        removal.begin(connection, patient)
        return gone + removal.rows(connection, patient)


def test_every_row_of_the_patient_goes_and_none_of_another(connection: Connection) -> None:
    erasing.fill(connection, "p-1", "d-1")
    alone = erasing.counts(connection)
    erasing.fill(connection, "p-10", "d-10")  # its name begins like the other's
    assert dict(remove(connection, "p-10")) == alone
    assert erasing.counts(connection) == alone
    assert "p-10" not in erasing.dump(connection)
    assert b"p-10".hex() not in erasing.dump(connection)
    remove(connection, "p-1")
    assert set(erasing.counts(connection).values()) == {0}


def test_the_search_names_every_column_that_holds_the_patient(connection: Connection) -> None:
    erasing.fill(connection, "p-17", "d-17")
    found = {left.where: left.count for left in traces.in_tables(connection, "p-17")}
    assert found == {
        "internal.series.patient": 1,
        "internal.assessment.patient": 1,
        "internal.state.patient": 1,
        "internal.state.state": 1,
        "internal.alert.patient": 1,
        "internal.alert_event.finding": 1,
        "internal.outbox.key": 1,
        "internal.outbox.value": 1,
    }
    assert traces.in_tables(connection, "p-1") == []
    assert traces.in_tables(connection, "p-171") == []


def test_a_table_that_nobody_told_us_of_is_searched_and_emptied(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE internal.later (id int PRIMARY KEY, patient text);"
        "CREATE TABLE internal.hanging (later int REFERENCES internal.later, note text[]);"
        "CREATE SCHEMA site; CREATE TABLE site.notes (note jsonb);"
        "INSERT INTO internal.later VALUES (1, 'p-17'), (2, 'p-18');"
        "INSERT INTO internal.hanging VALUES (1, '{of p-17.}'), (2, '{of p-18}');"
        """INSERT INTO site.notes VALUES ('{"seen": ["p-17"]}')"""
    )
    assert [left.where for left in traces.in_tables(connection, "p-17")] == [
        "internal.hanging.note",
        "internal.later.patient",
        "site.notes.note",
    ]
    remove(connection, "p-17")
    assert [left.where for left in traces.in_tables(connection, "p-17")] == ["site.notes.note"]
    assert connection.execute("SELECT later FROM internal.hanging").fetchall() == [(2,)]
