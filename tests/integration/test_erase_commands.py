"""The commands: erasing, its proof, and the identities; last, on the whole line."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import vigie
from ingest import kafka as log
from ingest.erasure import erase
from ingest.registry import audit, database, office
from ingest.registry.entities import Patient, key
from ingest.vault import identity
from ingest.vault.sealing import new_key
from tests.devices import Outsider, instant
from tests.integration.hospital import INS, NAME, WHY, Hospital, founded
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers


@pytest.fixture
def hospital(kafka: str, database: str, tmp_path: Path) -> Hospital:
    return founded(kafka, database, tmp_path)


@pytest.fixture
def run(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("VIGIE_KAFKA", hospital.settings.kafka)
    monkeypatch.setenv("VIGIE_DATABASE", hospital.settings.database)
    monkeypatch.setenv("VIGIE_VAULT_KEY", hospital.settings.vault_key)

    def invoke(*arguments: str, typed: str = "") -> Any:
        return CliRunner().invoke(vigie.app, list(arguments), input=typed)

    return invoke


def test_verify_exits_with_1_while_a_table_names_the_patient(
    hospital: Hospital, run: Callable[..., Any]
) -> None:
    before = run("registry", "erase", hospital.gone, "--verify", "--json")
    assert before.exit_code == 1
    told = {left["where"] for left in json.loads(before.stdout)["tables"]}
    assert {"internal.identity.patient", "internal.audit.key", "internal.patient.id"} <= told
    hospital.erase()
    after = run("registry", "erase", hospital.gone, "--verify")
    assert after.exit_code == 0
    assert "no table names the patient" in after.stdout


def test_without_the_pseudonym_typed_again_or_a_reason_nothing_is_erased(
    hospital: Hospital, run: Callable[..., Any]
) -> None:
    wrong = run("registry", "erase", hospital.gone, "--why", WHY, typed="p-2\n")
    assert wrong.exit_code == 2
    assert run("registry", "erase", hospital.gone, "--yes").exit_code == 2
    named = run("registry", "erase", hospital.gone, "--yes", "--why", f"of {hospital.gone}")
    assert isinstance(named.exception, erase.WhyNamesPatient)
    assert key(Patient(hospital.gone)) in office.everything(hospital.settings)


def test_the_command_shows_looks_up_and_tells_who_looked(
    hospital: Hospital, run: Callable[..., Any]
) -> None:
    shown = run("identity", "show", hospital.gone, "--by", "nurse 7", "--why", "call back")
    assert NAME in shown.stdout
    found = run("identity", "find", "--oid", identity.TEST, typed=f"{INS}\n")
    assert found.stdout.endswith(f"{hospital.gone}\n")
    with database.transaction(hospital.settings.database) as connection:
        lookup, look = audit.newest(connection, 2)
    assert (look.key, look.by) == (f"identity:{hospital.gone}", "nurse 7")
    assert lookup.key == f"identity:{hospital.gone}"
    assert NAME not in hospital.dump()


def test_an_import_refuses_strangers_and_anothers_ins_by_line_and_keeps_nothing(
    hospital: Hospital, run: Callable[..., Any]
) -> None:
    file = hospital.folder / "more.csv"
    file.write_text(
        "id,birth_name,given_names,birth_date,sex,ins,ins_oid\n"
        f"{hospital.stays},Martin-Qqvw,Paul,1950-01-02,M,{INS},{identity.TEST}\n"
        "p-stranger,Petit,Luc,1950-01-02,M,,\n",
        encoding="utf-8",
    )
    refused = run("identity", "import", str(file))
    assert isinstance(refused.exception, Exception)
    told = str(refused.exception)
    assert "line 3: `id` is no patient of the registry" in told
    assert "line 2: `ins` is another patient's already" in told
    assert not any(text in told for text in ("Martin", "Petit", INS))
    assert "p-stranger" not in hospital.dump()


def test_on_the_whole_line_a_patient_whose_device_goes_on_sending_does_not_come_back(
    line: Line, tmp_path: Path
) -> None:
    line.environment.setdefault("VIGIE_VAULT_KEY", new_key())
    run = line.admit(tmp_path, 2)
    patients = [f"p-{run}-{n}" for n in range(2)]
    people = tmp_path / "people.csv"
    people.write_text(
        f"id,birth_name,given_names,birth_date,sex\n{patients[0]},{run}zz,Anne,1969-05-31,F\n",
        encoding="utf-8",
    )
    line.vigie("identity", "import", str(people))
    devices = [Outsider(f"d-{run}-{n}", line.devices_url) for n in range(2)]
    stop = threading.Event()

    def send_on() -> None:
        start = datetime.now(UTC) - timedelta(minutes=10)
        for seq in range(1, 100_000):
            for device in devices:
                device.publish(seq, [instant(start + timedelta(seconds=seq), spo2=85)])
            if stop.wait(0.02):  # the beat of the load
                return

    sending = threading.Thread(target=send_on)
    sending.start()
    alerts = "SELECT count(*) FROM alerts WHERE patient = %s"
    try:
        for patient in patients:
            wait_until(lambda: line.rows(alerts, patient) != [(0,)], "an alert")  # noqa: B023 (called before the next)
        told = line.vigie("registry", "erase", patients[0], "--yes", "--why", WHY)
        assert "no table names the patient" in told
        assert "the worker has followed" in told
        sent = max(devices[1].sent)
        count = "SELECT count(*) FROM readings WHERE patient = %s"
        wait_until(lambda: line.rows(count, patients[1]) >= [(sent,)], "what came later is stored")
    finally:
        stop.set()
        sending.join()
        for device in devices:
            device.close()
    left = json.loads(line.vigie("registry", "erase", patients[0], "--verify", "--json"))
    assert left["tables"] == []
    assert log.READINGS in {one["where"] for one in left["topics"]}
    assert line.rows(alerts, patients[1]) != [(0,)]
    # Of this database: others of the suite have written their anchors to the same Kafka.
    line.vigie("audit", "verify", "--tables-only")
    line.vigie("ledger")
