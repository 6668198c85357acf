"""The registry's tables: what they refuse, what they keep, and that the topic follows them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import msgspec
import psycopg
import pytest

from ingest.ports import LogUnavailable, SettingError
from ingest.readings import Vital
from ingest.registry import (
    agreeing,
    audit,
    consent,
    database,
    editing,
    office,
    publish,
    store,
    topic,
)
from ingest.registry.consent import Basis
from ingest.registry.entities import (
    Limit,
    Member,
    Patient,
    Profile,
    Purpose,
    key,
)
from ingest.settings import Settings
from tests.integration.registry_site import JANUARY, JUNE, RegistrySite

if TYPE_CHECKING:
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
            lambda known: [editing.limited(known, name, vital, Limit(low=40))],
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
