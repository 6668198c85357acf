"""The registry's commands as an operator types them: what they say, and their exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from ingest.readings import Vital
from ingest.registry import office
from ingest.registry.entities import Limit, Prescription, Profile, Trend, key
from ingest.registry.files import toml_file
from tests.integration.registry_site import RegistrySite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.servers


@pytest.fixture
def site(database: str, kafka: str) -> RegistrySite:
    return RegistrySite(database, kafka)


@pytest.fixture
def vigie(site: RegistrySite) -> Callable[..., tuple[int, str]]:
    """Run a command; returns its exit code and what it said."""
    given = {
        "VIGIE_DATABASE": site.settings.database,
        "VIGIE_KAFKA": site.settings.kafka,
        "COLUMNS": "250",
    }

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "vigie", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **given},
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_device_goes_from_one_patient_to_another(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]]
) -> None:
    site.change(site.patient(1), site.patient(2), site.device(1))
    device, first, second = site.device().id, site.patient(1).id, site.patient(2).id
    start = ("--from", "2026-01-01T00:00:00Z")
    assert vigie("registry", "assign", device, first, *start)[0] == 0
    code, said = vigie("registry", "assign", device, second, "--from", "2026-02-01T00:00:00Z")
    assert code == 1
    periods = "2026-01-01T00:00:00Z to open and 2026-02-01T00:00:00Z to open"
    assert f"device `{device}`: two assignments overlap: {periods}" in said
    assert vigie("registry", "release", device, "--at", "2026-02-01T00:00:00Z")[0] == 0
    code, said = vigie("registry", "assign", device, second, "--from", "2026-02-01T00:00:00Z")
    assert (code, said.splitlines()[0]) == (0, "changed")
    assert second in vigie("registry", "list", "devices")[1]
    code, said = vigie("registry", "show", second, "--json")
    shown = msgspec.json.decode(said)
    assert [one["id"] for one in shown] == [second, device]
    assert [one["patient"] for one in shown[1]["assignments"]] == [first, second]
    assert vigie("registry", "assign", device, second, "--from", "tomorrow")[0] == 2
    assert vigie("registry", "show", "nobody")[0] == 1


def test_how_a_patient_is_watched_is_set_by_commands(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]]
) -> None:
    heart = site.patient(profile=Profile.HOME_HEART)
    site.change(heart)
    options = ("--low", "88", "--seconds", "30", "--count", "3", "--margin", "1", "--urgent")
    for command in (
        ("limit", heart.id, "spo2", *options),
        ("trend", heart.id, "weight", "--days", "3", "--rise", "1.5"),
        ("prescribe", heart.id, "weight", "--every", "24", "--grace", "6"),
        ("news2", heart.id, "--scale", "2", "--born", "1950"),
    ):
        code, said = vigie("registry", *command)
        assert (code, said.startswith("changed\n")) == (0, True)
    code, said = vigie("registry", "prescribe", heart.id, "weight", "--every", "48")
    assert (code, "cannot be switched off" in said) == (1, True)
    assert vigie("registry", "limit", heart.id, "spo2", "--urgent")[0] == 2
    assert vigie("registry", "limit", heart.id, "spo2", "--low", "88", "--count", "0")[0] == 2
    assert office.find(site.settings, key(heart)) == msgspec.structs.replace(
        heart,
        limits={Vital.SPO2: Limit(88, None, 30, 3, 1, urgent=True)},
        trends={Vital.WEIGHT: Trend(3, rise=1.5)},
        prescriptions={Vital.WEIGHT: Prescription(24, 6)},
        spo2_scale=2,
        born=1950,
    )
    code, said = vigie("registry", "prescribe", heart.id, "weight")
    assert (code, said.startswith("changed\n")) == (0, True)
    code, said = vigie("registry", "prescribe", heart.id, "weight")
    assert (code, "cannot be switched off" in said) == (1, True)


def test_a_consent_is_withdrawn_and_a_limit_set_and_both_are_audited(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]]
) -> None:
    patient = site.patient().id
    site.change(site.patient())
    assert vigie("registry", "limit", patient, "spo2", "--low", "88")[0] == 0
    code, said = vigie("registry", "limit", patient, "spo2", "--low", "188")
    assert (code, "limits of spo2 lie between 0 and 100" in said) == (1, True)
    assert vigie("registry", "limit", patient, "mood", "--low", "1")[0] == 2
    assert vigie("registry", "consent", "withdraw", patient, "collect", "--by", "Dr A")[0] == 0
    assert vigie("registry", "consent", "withdraw", patient, "sale")[0] == 2
    assert vigie("registry", "consent", "grant", patient, "research")[0] == 2  # by which text?
    grant = ("--text-version", "2026-3", "--evidence", "dms[/4]", "--at", "2026-03-01T08:00:00Z")
    assert vigie("registry", "consent", "grant", patient, "research", *grant)[0] == 0
    code, said = vigie("registry", "consent", "show", patient, "--json")
    acts = msgspec.json.decode(said)
    assert [(act["purpose"], act["granted"]) for act in acts[3:]] == [
        ("collect", False),
        ("research", True),
    ]
    assert (acts[4]["time"], acts[4]["evidence"]) == ("2026-03-01T08:00:00Z", "dms[/4]")
    # What people write is shown as they wrote it, and is no markup.
    assert "dms[/4]" in vigie("registry", "consent", "show", patient)[1]
    code, said = vigie("audit", "list", "--key", f"patient:{patient}", "--json")
    entries = msgspec.json.decode(said)
    assert [entry["by"] for entry in entries][1:3] == ["Dr A", entries[0]["by"]]
    assert entries[1]["change"] == {
        "consents": [["collect", "monitor", "share"], ["monitor", "share"]]
    }
    code, said = vigie("audit", "verify")
    assert (code, said.splitlines()[:2]) == (
        0,
        [
            "5 entries, each as it was written",
            "5 hashes in vigie.registry, each of an entry that is still there",
        ],
    )
    noted = said.split()[-1]
    assert vigie("audit", "verify", "--contains", noted)[0] == 0
    code, said = vigie("audit", "verify", "--contains", noted[::-1])
    assert (code, "its end was cut off" in said) == (1, True)
    code, said = vigie("audit", "verify", "--tables-only", "--json")
    assert msgspec.json.decode(said) == {"entries": 5, "anchors": 0, "hash": noted}
    with site.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM internal.audit WHERE number = 5")
    code, said = vigie("audit", "verify")
    assert (code, "has not the entry 5 that vigie.registry tells of" in said) == (1, True)
    assert vigie("audit", "verify", "--tables-only")[0] == 0, "it cannot tell by itself"


def test_a_ward_comes_in_as_a_table_and_goes_out_as_toml(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    file = tmp_path / "ward.csv"
    file.write_text(
        "kind;id;model;assignments\n"
        f"patient;{site.patient().id};;\n"
        f"device;{site.device(1).id};{site.model.id};{site.patient().id} 2026-01-01T00:00:00Z/\n"
        f"device;{site.device(2).id};unlisted;\n",
        encoding="utf-8",
    )
    code, said = vigie("registry", "import", str(file), "--check")
    assert code == 1
    assert "2 entries fit, 2 of them new or changed" in said
    assert f"line 4: device `{site.device(2).id}`: model `unlisted` is not in the" in said
    code, said = vigie("registry", "import", str(file))
    assert (code, "nothing was imported" in said) == (1, True)
    code, said = vigie("registry", "import", str(file), "--keep-going")
    assert (code, "2 entries, 2 new or changed" in said) == (1, True)
    out = tmp_path / "out.toml"
    assert vigie("registry", "export", "--out", str(out)) == (0, f"3 entries written to {out}\n")
    code, said = vigie("registry", "import", str(out))
    assert (code, "3 entries, 0 new or changed" in said) == (0, True)
    assert vigie("registry", "export", "--format", "csv")[1].startswith("kind,id,profile")
    assert vigie("registry", "export", "--out", str(tmp_path / "none" / "x"))[0] == 1
    assert vigie("registry", "import", str(tmp_path / "absent.toml"))[0] == 1


def test_an_import_killed_anywhere_is_all_there_or_not_and_tables_log_and_topic_agree(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    given = {"VIGIE_DATABASE": site.settings.database, "VIGIE_KAFKA": site.settings.kafka}
    file, count = tmp_path / "ward.toml", 300
    profiles = (Profile.ICU, Profile.WARD)
    for number in range(8):
        ward = [site.patient(n, profile=profiles[number % 2]) for n in range(count)]
        file.write_text(toml_file.write(ward), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-m", "vigie", "registry", "import", str(file)],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **given},
        )
        with suppress(subprocess.TimeoutExpired):
            # The first one may end; the others die between their start and some time after it.
            process.wait(timeout=0.6 + 0.2 * number if number else None)
        process.kill()
        process.wait()
        known = office.everything(site.settings)
        changed = sum(known.get(key(one)) == one for one in ward)
        assert changed in ({0, count} if number else {count})
    # Whoever publishes next, here nobody else's change, brings the topic to what the tables hold.
    assert vigie("registry", "publish")[0] == 0
    assert site.published() == office.everything(site.settings)
    assert site.rows("SELECT count(*) FROM internal.registry_outbox") == [(0,)]
    assert vigie("audit", "verify")[0] == 0


def test_the_health_store_is_listed_and_a_model_taken_off(
    site: RegistrySite, vigie: Callable[..., tuple[int, str]]
) -> None:
    assert site.model.id in vigie("registry", "models")[1]
    at = ("--at", "2026-06-01T00:00:00+02:00")
    assert vigie("registry", "delist", site.model.id, *at)[0] == 0
    assert 'until = "2026-05-31T22:00:00Z"' in vigie("registry", "models", site.model.id)[1]
    _, said = vigie("registry", "models", site.model.id, "--json")
    assert msgspec.json.decode(said)[0]["until"] == "2026-05-31T22:00:00Z"
    assert vigie("registry", "models", "absent")[0] == 1
    assert vigie("registry", "publish", "--all") == (0, "1 records published\n")
