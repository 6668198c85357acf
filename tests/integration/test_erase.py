"""After an erasure no table names the patient, others are unharmed, and the rest is told."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from ingest import kafka as log
from ingest.erasure import erase, traces
from ingest.registry import audit, database, office, topic
from ingest.registry.audit import ChainBroken
from ingest.registry.entities import Device, Patient, Purpose, key
from ingest.registry.files import importing
from ingest.settings import Settings
from tests.integration import erasing
from tests.integration.hospital import INS, NAME, WHY, Hospital, founded, history, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.local.servers import Servers

pytestmark = pytest.mark.servers


@pytest.fixture
def hospital(kafka: str, database: str, tmp_path: Path) -> Hospital:
    return founded(kafka, database, tmp_path)


@dataclass
class After:
    """The hospital after the erasure, with what was counted before it. Tests only look at it."""

    hospital: Hospital
    erased: erase.Erased
    rows: dict[str, int]
    stays: list[traces.Left]
    entries: int


@pytest.fixture(scope="module")
def after(line_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[After]:
    server = line_servers.environment["VIGIE_DATABASE"]
    name = f"test_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        own = urlsplit(server)._replace(path=f"/{name}").geturl()
        kafka = line_servers.environment["VIGIE_KAFKA"]
        made = founded(kafka, own, tmp_path_factory.mktemp("hospital"))
        send(kafka, history(made.gone))
        with made.connect() as inside:
            rows, stays = erasing.counts(inside), traces.in_tables(inside, made.stays)
        with database.transaction(own) as inside:
            entries, _ = audit.verify(inside)
        yield After(made, made.erase(), rows, stays, entries)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_after_an_erasure_no_table_names_the_patient_and_the_other_is_untouched(
    after: After,
) -> None:
    hospital, device = after.hospital, f"d-{after.hospital.gone}"
    assert after.erased.devices == [device]
    assert after.erased.rows["sample"] == 60
    with hospital.connect() as connection:
        assert traces.in_tables(connection, hospital.gone) == []
        assert traces.in_tables(connection, hospital.stays) == after.stays
        left = erasing.counts(connection)
    assert left == {table: count // 2 for table, count in after.rows.items()}
    known = office.everything(hospital.settings)
    assert key(Patient(hospital.gone)) not in known
    assert known[key(Device(device, "bed"))] == Device(device, "bed")
    assert known[key(Device(f"d-{hospital.stays}", "bed"))] != Device(f"d-{hospital.stays}", "bed")


def test_nothing_of_who_it_was_is_in_any_row(after: After) -> None:
    hospital, rows = after.hospital, after.hospital.dump()
    assert traces.names(rows, f"idpe-{hospital.stays}")
    for text in (NAME, "Anne", INS):
        assert text not in rows
        assert text.encode().hex() not in rows
    for text in (f"idpe-{hospital.gone}", f"scan-{hospital.gone}", f"nurse-of-{hospital.gone}"):
        assert not traces.names(rows, text)


def test_the_ledger_knows_how_many_rows_went_with_the_patient(after: After) -> None:
    with after.hospital.connect() as connection:
        assert connection.execute("SELECT sum(erased)::int FROM ledger").fetchall() == [(60,)]


def test_the_audit_log_holds_and_tells_of_the_erasure_without_the_pseudonym(after: After) -> None:
    with database.transaction(after.hospital.settings.database) as connection:
        count, _ = audit.verify(connection)
        (newest,) = audit.newest(connection, 1)
    assert count == after.entries + 2, "the withdrawal, and the erasure"
    mark = after.erased.mark
    assert (newest.key, newest.by, newest.why) == (f"erased:{mark}", "dpo", WHY)
    assert len(json.loads(newest.change)["entries"]) == after.erased.entries >= 4


@pytest.mark.parametrize(
    "forgery",
    [
        pytest.param("change = '{\"forged\": true}'", id="another content"),
        pytest.param("salt = NULL, key = 'erased:00', why = '', change = '{}'", id="emptied"),
        pytest.param("by = 'somebody else'", id="another author"),
    ],
)
def test_an_entry_that_was_changed_or_emptied_by_no_erasure_is_noticed(
    after: After, forgery: str
) -> None:
    with after.hospital.connect() as connection, connection.transaction(force_rollback=True):
        ((number,),) = connection.execute(
            "SELECT max(number) FROM internal.audit WHERE salt IS NOT NULL AND key LIKE 'patient:%'"
        ).fetchall()
        query = f"UPDATE internal.audit SET {forgery} WHERE number = {number}"  # noqa: S608 (a test's own)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute(query.encode())
        connection.execute("ALTER TABLE internal.audit DISABLE TRIGGER ALL")
        connection.execute(query.encode())
        with pytest.raises(ChainBroken) as broken:
            audit.verify(connection)
    assert broken.value.number == number


def test_that_the_patient_had_agreed_can_still_be_shown_by_whoever_has_the_key(
    after: After,
) -> None:
    with after.hospital.connect() as connection:
        acts = connection.execute(
            "SELECT purpose, granted, text_version, encode(mark, 'hex') FROM internal.consent_proof"
            " ORDER BY id"
        ).fetchall()
    assert {mark[:32] for *_, mark in acts} == {after.erased.mark}
    given = [(purpose, text) for purpose, granted, text, _ in acts if granted]
    assert given == [(purpose, "consent text 3") for purpose in list(Purpose)[:3]]
    assert len(acts) == after.erased.proofs == 6, "three purposes given, three withdrawn"


def test_topics_that_still_name_the_patient_are_told_with_their_end(after: After) -> None:
    tables, topics = erase.verify(after.hospital.settings, after.hospital.gone)
    assert tables == []
    found = {left.where: left for left in topics}
    assert set(found) == {log.READINGS, log.REJECTED, log.REGISTRY}
    assert found[log.READINGS].count == found[log.REJECTED].count == 1
    for name, days in ((log.READINGS, 7), (log.REJECTED, 30), (log.REGISTRY, 15)):
        until = found[name].until
        assert until is not None
        longest = timedelta(days=days) + timedelta(days=7)  # a segment that is still written to
        assert abs(until - datetime.now(UTC) - longest) < timedelta(hours=1)


def test_the_registrys_topic_says_removed_and_the_device_worn_by_nobody(after: After) -> None:
    known = asyncio.run(topic.everything(after.hospital.settings.kafka))
    assert key(Patient(after.hospital.gone)) not in known
    device = known[key(Device(f"d-{after.hospital.gone}", "bed"))]
    assert isinstance(device, Device)
    assert device.assignments == ()
    assert key(Patient(after.hospital.stays)) in known


def test_a_patient_with_a_words_name_takes_nothing_of_others_along(hospital: Hospital) -> None:
    office.change(hospital.settings, [Patient("ward")], by="site", why="to the ward", wait=False)
    with hospital.connect() as connection:
        erasing.fill(connection, "ward", "d-w")
    erased = erase.erase(hospital.settings, "ward", by="dpo", why="to the ward")
    assert erased.entries == 2, "its own admission and withdrawal"
    assert erased.rows["outbox"] == 2
    with hospital.connect() as connection:
        assert erasing.counts(connection)["outbox"] == 4, "of the two others"
    with database.transaction(hospital.settings.database) as connection:
        audit.verify(connection)


@pytest.mark.parametrize("text", ["", " ", "p 1", "%", "a" * 65, "../p-1"])
def test_what_is_no_pseudonym_is_searched_and_erased_by_nobody(text: str) -> None:
    for call in (
        lambda: erase.verify(Settings(), text),
        lambda: erase.erase(Settings(), text, by="dpo", why=WHY),
    ):
        with pytest.raises(erase.NoPseudonym):
            call()


def test_a_reason_that_names_another_patient_is_refused_before_anything_is_done(
    hospital: Hospital,
) -> None:
    for by, why in (("dpo", f"as for {hospital.stays}."), (f"heirs of {hospital.stays}", WHY)):
        with pytest.raises(erase.WhyNamesPatient):
            erase.erase(hospital.settings, hospital.gone, by=by, why=why)
    found = office.find(hospital.settings, key(Patient(hospital.gone)))
    assert isinstance(found, Patient)
    assert found.consents


def test_the_chain_holds_when_an_erasures_reason_named_who_is_erased_later(
    hospital: Hospital,
) -> None:
    later = f"p-{hospital.run}-99"
    first = erase.erase(hospital.settings, hospital.gone, by="dpo", why=f"see {later}")
    office.change(hospital.settings, [Patient(later)], by="site", why="admission", wait=False)
    erase.erase(hospital.settings, later, by="dpo", why=WHY)
    with database.transaction(hospital.settings.database) as connection:
        audit.verify(connection)
        assert f"erased:{first.mark}" in {entry.key for entry in audit.newest(connection, 100)}
        rows = connection.execute("SELECT key || why || change FROM internal.audit").fetchall()
    assert not any(traces.names(text, later) for (text,) in rows)


def test_who_agrees_again_before_the_deletion_is_not_deleted_half(hospital: Hospital) -> None:
    back = Patient(hospital.gone, consents=(Purpose.COLLECT,))

    def said(text: str) -> None:
        if text == "no worker runs":
            office.change(hospital.settings, [back], by="site", why="nightly import", wait=False)

    with pytest.raises(erase.AgreedAgain):
        erase.erase(hospital.settings, hospital.gone, by="dpo", why=WHY, said=said)
    assert office.find(hospital.settings, key(back)) == back
    assert hospital.erase().proofs > 0


def test_the_pseudonym_of_an_erased_patient_is_given_to_nobody_again(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.erase()
    file = tmp_path / "ward.toml"
    file.write_text(
        "".join(
            f'[[patients]]\nid = "{name}"\n' for name in (hospital.gone, hospital.stays, "p-7")
        ),
        encoding="utf-8",
    )
    report = importing.check(hospital.settings, file)
    assert report.faults == [
        f"line 1, patients[1]: `{hospital.gone}` was erased: take another pseudonym"
    ]
    assert (report.entries, report.changed) == (2, 1)
    without = replace(hospital.settings, vault_key="")
    assert importing.check(without, file).faults == [], "without the key nobody can tell"


def test_an_erasure_can_be_repeated(hospital: Hospital) -> None:
    hospital.erase()
    again = hospital.erase()
    assert (again.rows, again.proofs, again.entries) == ({}, 0, 0)
    with hospital.connect() as connection:
        assert traces.in_tables(connection, hospital.gone) == []


def test_while_a_worker_may_still_hold_the_patient_nothing_is_deleted(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        monkeypatch.context() as soon,
        psycopg.connect(hospital.settings.database, application_name=erase.WORKER),
    ):
        soon.setattr(erase, "WORKER_SECONDS", 1.0)
        with pytest.raises(erase.WorkerBehind, match="nothing is deleted yet"):
            hospital.erase()
        found = office.find(hospital.settings, key(Patient(hospital.gone)))
    assert found == Patient(hospital.gone, consents=())
    assert hospital.erase().rows["sample"] == 60, "repeated without a worker it goes through"
