"""The registry's tables: what they refuse, what they keep, and that the topic follows them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import hypothesis
import msgspec
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given

from ingest import kafka as log
from ingest.ports import LogUnavailable, SettingError
from ingest.readings import Vital
from ingest.registry import (
    adopting,
    agreeing,
    anchors,
    audit,
    consent,
    database,
    editing,
    health_store,
    office,
    publish,
    store,
    topic,
)
from ingest.registry.consent import Basis
from ingest.registry.entities import (
    USUAL,
    Limit,
    Member,
    Patient,
    Profile,
    Purpose,
    key,
)
from ingest.registry.files import importing, sheet, toml_file
from ingest.registry.files.draft import BadRegistryFile
from ingest.settings import Settings
from tests import entities
from tests.integration.registry_site import JANUARY, JUNE, RegistrySite

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.registry.entities import Entity

pytestmark = pytest.mark.servers


@pytest.fixture
def site(database: str, kafka: str) -> RegistrySite:
    return RegistrySite(database, kafka)


def test_what_is_written_stands_in_tables_and_topic_alike(site: RegistrySite) -> None:
    patient = site.patient(
        profile=Profile.ICU,
        limits={Vital.SPO2: Limit(low=88)},
        physician="dr@x.example",
        ens="idpe",
        spo2_scale=2,
        consents=(Purpose.COLLECT,),
        team=(Member("nurse", "a@x.example"), Member("cardiologist", "b@x.example")),
    )
    device = site.device(1, (1, JANUARY, JUNE), (1, JUNE, None))
    told = site.change(device, patient)
    assert told.changed == 2
    expected = {key(one): one for one in (site.model, patient, device)}
    assert office.everything(site.settings) == expected
    assert site.published() == expected
    assert office.find(site.settings, key(device)) == device
    assert office.find(site.settings, b"device:nobody") is None
    assert told.revision == asyncio.run(topic.revision(site.settings.kafka))


def test_the_same_again_changes_nothing(site: RegistrySite) -> None:
    entities = (site.patient(), site.device(1, (1, JANUARY, None)))
    site.change(*entities)
    audited = site.rows("SELECT count(*) FROM audit")
    told = site.change(*entities)
    assert told.changed == 0
    assert site.rows("SELECT count(*) FROM audit") == audited


def test_the_database_itself_refuses_that_two_patients_wear_one_device(
    site: RegistrySite,
) -> None:
    site.change(site.patient(1), site.patient(2), site.device(1, (1, JANUARY, JUNE)))
    insert = "INSERT INTO internal.assignment VALUES (%s, %s, %s, %s)"
    device, other = site.device().id, site.patient(2).id
    with site.connection() as connection:
        for start, end in (
            (JANUARY - timedelta(days=1), JANUARY + timedelta(seconds=1)),
            (JUNE - timedelta(seconds=1), None),
        ):
            with pytest.raises(psycopg.errors.ExclusionViolation):
                connection.execute(insert, (device, other, start, end))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(insert, (device, other, JUNE, JUNE))
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(insert, (device, "nobody", JUNE, None))
        connection.execute(insert, (device, other, JUNE, None))  # where one ends, one may begin


def test_a_refusal_names_every_fault_and_changes_nothing(site: RegistrySite) -> None:
    before = office.everything(site.settings)
    overlapping = site.device(1, (1, JANUARY, None), (2, JUNE, None))
    unlisted = msgspec.structs.replace(site.device(2), model="unlisted")
    limits = site.patient(3, limits={Vital.SPO2: Limit(low=200)})
    with pytest.raises(store.RegistryRefused) as caught:
        site.change(site.patient(1), overlapping, unlisted, limits, limits)
    told = "\n".join(caught.value.faults)
    assert f"`{overlapping.id}`: two assignments overlap: 2026-01-01" in told
    assert f"patient `{site.patient(2).id}` is not in the registry" in told
    assert "model `unlisted` is not in the health store" in told
    assert "limits of spo2 lie between 0 and 100" in told
    assert f"patient `{limits.id}` is there twice" in told
    assert office.everything(site.settings) == before
    assert key(limits) not in site.published()


def test_a_device_of_a_delisted_model_is_refused_from_that_moment(site: RegistrySite) -> None:
    site.change(site.device(1))
    site.change(editing.delisted({key(site.model): site.model}, site.model.id, JUNE))
    with pytest.raises(store.RegistryRefused, match="is not listed any more, since 2026-06-01"):
        site.change(site.device(2))
    assert site.change(site.device(1)).changed == 0


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


def committed(site: RegistrySite, *entities: Entity) -> None:
    """Change the tables as a process does that dies before it publishes."""
    with database.transaction(site.settings.database, change=True) as connection:
        store.change(connection, entities, by="tester", why="a crash", basis=Basis("a test"))


def pending(site: RegistrySite) -> int:
    return int(site.rows("SELECT count(*) FROM internal.registry_outbox")[0][0])


def test_what_a_crash_left_unpublished_is_published_later(site: RegistrySite) -> None:
    first, second = site.patient(1), site.patient(1, profile=Profile.ICU)
    committed(site, first)
    committed(site, second, site.patient(2))
    assert key(first) not in site.published()
    assert pending(site) == 3
    count = asyncio.run(publish.publish_pending(site.settings.database, site.settings.kafka))
    assert count == 2  # the newest of each
    assert site.published()[key(first)] == second
    assert pending(site) == 0
    assert asyncio.run(publish.publish_pending(site.settings.database, site.settings.kafka)) == 0


def test_after_a_crash_no_device_is_published_before_its_patient(site: RegistrySite) -> None:
    patient, worn = site.patient(1, consents=()), site.device(1, (1, JANUARY, None))
    committed(site, patient, worn)
    committed(site, site.patient(1, consents=(), profile=Profile.ICU))
    asyncio.run(publish.publish_pending(site.settings.database, site.settings.kafka))
    # A gateway reads in this order, and believes of a patient without a record what is usual.
    assert [*site.published()] == [key(site.model), key(patient), key(worn)]


# The first time that the outbox is emptied, the session ends: its lock is lost while it sends.
CUT_ONCE = """
CREATE SEQUENCE internal.cuts;
CREATE FUNCTION internal.cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('internal.cuts') = 1 THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(60);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER cut BEFORE DELETE ON internal.registry_outbox
FOR EACH STATEMENT EXECUTE FUNCTION internal.cut()"""


def test_who_lost_the_lock_while_publishing_cannot_bring_a_withdrawn_consent_back(
    site: RegistrySite,
) -> None:
    agreed, withdrawn, left = site.patient(1), site.patient(1, consents=()), site.patient(2)
    committed(site, agreed, left)
    with site.connection() as connection:
        ((newest,),) = connection.execute("SELECT max(id) FROM internal.registry_outbox").fetchall()
        committed(site, withdrawn)
        # Somebody else has published the withdrawal meanwhile.
        connection.execute("DELETE FROM internal.registry_outbox WHERE id > %s", (newest,))
        connection.execute(CUT_ONCE.encode())
    asyncio.run(publish.publish_pending(site.settings.database, site.settings.kafka))
    published = site.published()
    assert published[key(agreed)] == withdrawn
    assert published[key(left)] == left
    assert pending(site) == 0


def test_the_next_change_publishes_what_a_crash_left(site: RegistrySite) -> None:
    committed(site, site.patient(1))
    site.change(site.patient(2))
    assert {key(site.patient(1)), key(site.patient(2))} <= site.published().keys()


def test_a_change_made_while_kafka_is_away_is_kept_for_later(site: RegistrySite) -> None:
    nowhere = Settings(database=site.settings.database, kafka="127.0.0.1:1")
    with pytest.raises(LogUnavailable, match="kept in the database"):
        office.change(nowhere, [site.patient()], by="tester", why="an outage")
    assert key(site.patient()) in office.everything(site.settings)
    assert pending(site) == 1
    site.change()
    assert key(site.patient()) in site.published()


def decide(site: RegistrySite, purpose: Purpose, *, granted: bool, text: str) -> int:
    basis = Basis("dms:77", text, JUNE)
    return office.apply(
        site.settings,
        lambda connection: agreeing.decide(
            connection, site.patient().id, purpose, granted=granted, by="Dr A", basis=basis
        ),
        wait=False,
    ).changed


def test_every_consent_act_stays_on_record(site: RegistrySite) -> None:
    site.change(site.patient(), why="admission")
    assert decide(site, Purpose.COLLECT, granted=False, text="2026-1") == 1
    assert decide(site, Purpose.MONITOR, granted=True, text="2026-2") == 0  # a newer text
    patient = site.published()[key(site.patient())]
    assert isinstance(patient, Patient)
    assert patient.consents == (Purpose.MONITOR, Purpose.SHARE)
    with database.transaction(site.settings.database) as connection:
        acts = consent.acts(connection, patient.id)
    assert [(act.purpose, act.granted, act.text_version) for act in acts] == [
        (Purpose.COLLECT, True, consent.VOUCHED),
        (Purpose.MONITOR, True, consent.VOUCHED),
        (Purpose.SHARE, True, consent.VOUCHED),
        (Purpose.COLLECT, False, "2026-1"),
        (Purpose.MONITOR, True, "2026-2"),
    ]
    assert (acts[-1].time, acts[-1].recorded_by, acts[-1].evidence) == (JUNE, "Dr A", "dms:77")
    assert site.rows("SELECT purpose, text_version, recorded_by FROM consents ORDER BY 1") == [
        ("monitor", "2026-2", "Dr A"),
        ("share", consent.VOUCHED, "tester"),
    ]
    with site.connection() as connection:
        for statement in (
            "DELETE FROM internal.consent",
            "UPDATE internal.consent SET time = now()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize(
    "time",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.now(UTC) + timedelta(hours=1),
    ],
)
def test_a_consent_act_of_a_time_that_cannot_be_is_not_recorded(
    site: RegistrySite, time: datetime
) -> None:
    site.change(site.patient())
    basis = Basis("dms:77", "2026-1", time)
    with (
        database.transaction(site.settings.database, change=True) as connection,
        pytest.raises(store.RegistryRefused, match="nobody can have said so"),
    ):
        agreeing.decide(
            connection, site.patient().id, Purpose.SHARE, granted=False, by="t", basis=basis
        )


def test_a_text_that_is_no_unicode_is_refused_in_one_sentence(site: RegistrySite) -> None:
    with pytest.raises(SettingError, match="not Unicode"):
        site.change(site.patient(), why="a file named \udce9")
    assert office.find(site.settings, key(site.patient())) is None


def test_a_change_that_was_suspended_keeps_others_waiting_for_less_than_they_wait(
    site: RegistrySite,
) -> None:
    asked = "SELECT setting::int, unit FROM pg_settings WHERE name = %s"
    with database.transaction(site.settings.database, change=True) as connection:
        for name in ("idle_in_transaction_session_timeout", "idle_session_timeout"):
            row = connection.execute(asked, (name,)).fetchone()
            assert row == (database.SILENT_SECONDS * 1000, "ms")
    assert database.LOCK_SECONDS > database.SILENT_SECONDS
    assert database.SILENT_SECONDS > publish.CONNECT_SECONDS + publish.SEND_SECONDS


def test_a_consent_of_nobody_is_refused(site: RegistrySite) -> None:
    with pytest.raises(store.NotInRegistry):
        decide(site, Purpose.SHARE, granted=True, text="2026-1")


def test_changes_at_once_are_all_there_and_the_chain_holds(site: RegistrySite) -> None:
    site.change(site.patient())
    vitals = [Vital.SPO2, Vital.HEART_RATE, Vital.TEMPERATURE, Vital.GLUCOSE, Vital.WEIGHT]

    def limit(vital: Vital) -> None:
        name = site.patient().id
        office.amend(
            site.settings,
            [key(site.patient())],
            lambda known: [editing.limited(known, name, vital, 40, None)],
            by="tester",
            why="limits",
            wait=False,
        )

    def admit(first: int) -> None:
        numbers = range(first, first + 100)
        worn = [site.device(n, (n, JANUARY, None)) for n in numbers]
        site.change(*(site.patient(n) for n in numbers), *worn)

    with ThreadPoolExecutor(7) as pool:
        for done in [
            *(pool.submit(limit, vital) for vital in vitals),
            *(pool.submit(admit, first) for first in (10, 60)),
        ]:
            done.result()
    known = office.everything(site.settings)
    patient = known[key(site.patient())]
    assert isinstance(patient, Patient)
    assert set(patient.limits) == set(vitals)
    assert {key(site.device(n)) for n in range(10, 160)} <= known.keys()
    assert site.published() == known
    with database.transaction(site.settings.database) as connection:
        # The model, the patient, five limits, 150 patients and devices: each once.
        assert audit.verify(connection)[0] == 2 + len(vitals) + 2 * 150


@given(entities.patients() | entities.devices("m", "p-1") | entities.models())
@hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_any_entry_comes_out_of_the_tables_as_it_went_in(
    site: RegistrySite, entity: Entity
) -> None:
    model = msgspec.structs.replace(site.model, id="m")
    with (
        site.connection() as connection,
        connection.transaction(force_rollback=True),
        connection.transaction(),
    ):
        database.lock(connection)
        basis = Basis("a test")
        store.change(connection, [model, Patient("p-1")], by="t", why="t", basis=basis)
        store.change(connection, [entity], by="t", why="t", basis=basis)
        assert store.read(connection, [key(entity)]) == {key(entity): store.normal(entity)}
        assert store.change(connection, [entity], by="t", why="t", basis=basis) == 0


def ward(site: RegistrySite, count: int) -> list[Entity]:
    entities: list[Entity] = [site.model]
    for n in range(count):
        limits = {Vital.SPO2: Limit(low=85 + n % 10 / 3)} if n % 2 else {}
        consents = tuple(Purpose)[: n % 5]
        team = (Member("nurse", f"n{n}@x.example"),) * (n % 3)
        entities.append(
            site.patient(
                n,
                profile=list(Profile)[n % 5],
                limits=limits,
                physician=f"dr{n}@x.example" if n % 4 else None,
                consents=consents,
                team=team,
            )
        )
        worn = ((n, JANUARY, JUNE), (n // 2, JUNE + timedelta(microseconds=n), None))
        entities.append(site.device(n, *worn[: n % 3]))
    return entities


def test_a_thousand_patients_go_out_and_come_back_as_they_were(
    site: RegistrySite, tmp_path: Path
) -> None:
    entities = ward(site, 1000)
    toml, table = tmp_path / "ward.toml", tmp_path / "ward.csv"
    toml.write_text(toml_file.write(entities), encoding="utf-8")
    report, told, _ = importing.run(site.settings, toml, by="tester", keep_going=False)
    assert (report.entries, told.changed, report.faults) == (2001, 2000, [])
    known = office.everything(site.settings)
    assert known == {key(one): one for one in entities}
    assert toml_file.write(known.values()) == toml_file.write(entities)
    table.write_text(sheet.write(known.values()), encoding="utf-8")
    for path, count in ((toml, 2001), (table, 2000)):
        report = importing.check(site.settings, path)
        assert (report.entries, report.changed, report.faults) == (count, 0, [])


def imported(site: RegistrySite, folder: Path, text: str, *, keep_going: bool = False) -> list[str]:
    """Import a TOML text; returns the faults of what was left out."""
    path = folder / "ward.toml"
    path.write_text(text, encoding="utf-8")
    return importing.run(site.settings, path, by="tester", keep_going=keep_going)[0].faults


def test_a_file_that_is_silent_changes_neither_consents_nor_limits_nor_a_revocation(
    site: RegistrySite, tmp_path: Path
) -> None:
    patient = site.patient(limits={Vital.SPO2: Limit(low=88)}, consents=(Purpose.MONITOR,))
    device = msgspec.structs.replace(site.device(1, (1, JANUARY, None)), version="1", revoked=True)
    site.change(patient, device)
    text = (
        f'[[patients]]\nid = "{patient.id}"\nprofile = "icu"\n'
        f'[[devices]]\nid = "{device.id}"\nmodel = "{device.model}"\n'
        f'[[patients]]\nid = "{site.patient(2).id}"\n'
    )
    assert imported(site, tmp_path, text) == []
    known = office.everything(site.settings)
    assert known[key(patient)] == msgspec.structs.replace(patient, profile=Profile.ICU)
    assert known[key(device)] == device
    assert known[key(site.patient(2))] == site.patient(2, consents=USUAL)
    rows = "SELECT text_version, evidence FROM consents WHERE patient = %s"
    acts = site.rows(rows, (site.patient(2).id,))
    assert acts == [(consent.VOUCHED, "ward.toml")] * 3
    text = f'[[patients]]\nid = "{patient.id}"\nlimits = {{}}\nconsents = []\n'
    assert imported(site, tmp_path, text) == []
    emptied = office.find(site.settings, key(patient))
    assert emptied == site.patient(profile=Profile.ICU, consents=())


def test_a_bad_entry_is_left_out_with_what_hangs_on_it_and_the_good_ones_stay(
    site: RegistrySite, tmp_path: Path
) -> None:
    one, two = site.device(1, (1, JANUARY, None)), site.device(2, (2, JANUARY, None))
    bad = site.patient(1, physician="nobody")
    text = toml_file.write([site.model, bad, site.patient(2), one, two])
    with pytest.raises(BadRegistryFile, match="`physician` must be a mail address"):
        imported(site, tmp_path, text)
    assert key(two) not in office.everything(site.settings)
    faults = imported(site, tmp_path, text, keep_going=True)
    assert [fault.partition(": ")[0] for fault in faults] == [
        "line 9, patients[1]",
        "line 26, devices[1]",
    ]
    assert "is not in the registry" in faults[1]
    known = office.everything(site.settings)
    assert known.keys() == {key(site.model), key(site.patient(2)), key(two)}


def test_a_registry_that_stood_only_in_the_topic_is_adopted(site: RegistrySite) -> None:
    device, patient = site.device(1, (1, JANUARY, None)), site.patient(consents=())
    site.change(patient, device)
    with site.connection() as connection:  # as an earlier version leaves it: nothing in the tables
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE internal.patient, internal.device CASCADE")
    _, faults = adopting.run(site.settings, by="tester")
    known = office.everything(site.settings)
    assert known[key(patient)] == patient
    assert known[key(device)] == device
    assert not [fault for fault in faults if site.run in fault]


def test_empty_tables_adopt_the_topic_when_the_line_starts(
    site: RegistrySite, database: str
) -> None:
    worn = site.device(1, (1, JANUARY, None))
    site.change(site.patient(), worn)
    with site.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("TRUNCATE internal.model CASCADE")
        connection.execute("TRUNCATE internal.patient CASCADE")
    assert health_store.install(Settings(database=database, kafka=site.settings.kafka)) == 1
    known = office.everything(site.settings)
    assert {key(one) for one in (site.model, site.patient(), worn)} <= known.keys()


async def make_topic(kafka: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()


def test_the_shipped_health_store_is_added_once_and_a_sites_own_decision_stays(
    site: RegistrySite, kafka: str
) -> None:
    log = f"registry.{site.run}"
    asyncio.run(make_topic(kafka, log))
    site.change(site.patient())
    assert health_store.install(site.settings, log) == 1
    published = asyncio.run(topic.everything(kafka, log))
    # The topic was empty, as after the loss of Kafka: it has all that the tables have.
    assert published == office.everything(site.settings)
    with database.transaction(site.settings.database, change=True) as connection:
        delisted = editing.delisted(published, "bedside-monitor", JUNE)
        store.change(connection, [delisted], by="tester", why="a recall", basis=Basis("a test"))
    assert health_store.install(site.settings, log) == 0
    models = {one.id: one for one in health_store.models(site.settings)}
    assert models["bedside-monitor"] == delisted
    assert asyncio.run(topic.everything(kafka, log)) == office.everything(site.settings)


def test_a_database_without_the_tables_or_without_an_answer_is_one_sentence(
    database: str, kafka: str
) -> None:
    for url, expected in (
        (database, "vigie: the database has not the registry's tables: run `vigie database"),
        ("postgresql://vigie@127.0.0.1:1/vigie", "vigie: the database does not answer"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "vigie", "registry", "list"],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "", "VIGIE_DATABASE": url, "VIGIE_KAFKA": kafka},
        )
        assert done.returncode == 1
        assert done.stderr.startswith(expected)
