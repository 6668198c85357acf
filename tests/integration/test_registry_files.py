"""Registry files on a real database: what comes in goes out again, and a registry is adopted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import hypothesis
import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given

from ingest.readings import Vital
from ingest.registry import (
    adopting,
    consent,
    database,
    editing,
    health_store,
    office,
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
        "line 32, devices[1]",
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
