"""Enrolment as a hospital does it: commands of the front door, on a line that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

MODEL = "bedside-monitor"
ROWS = "SELECT vital, value FROM readings WHERE patient = %s AND device = %s"


@pytest.fixture
def name() -> str:
    return f"dev-{uuid.uuid4().hex[:8]}"


def refused(line: Line, *arguments: str, **settings: str) -> str:
    """Run a command that must end with one sentence and status 1; returns the sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "vigie", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**line.environment, **settings},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def shell(line: Line, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person pastes it into a shell."""
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env=line.environment,
        timeout=60,
    )


def printed(said: str) -> str:
    """Take the `mosquitto_pub` command out of what enrolment said."""
    return said[said.index("mosquitto_pub") :]


def assign(line: Line, folder: Path, device: str) -> str:
    """Let a new patient wear the device; returns the patient."""
    patient = f"p-{device}"
    file = folder / f"{device}.toml"
    file.write_text(
        f'[[patients]]\nid = "{patient}"\n[[devices]]\nid = "{device}"\nmodel = "{MODEL}"\n'
        f'assignments = [{{ patient = "{patient}", from = "2026-01-01T00:00:00Z" }}]\n',
        encoding="utf-8",
    )
    assert "in force at" in line.vigie("registry", "import", str(file))
    return patient


@pytest.mark.parametrize("how", [(), ("--password",)], ids=["certificate", "password"])
def test_enrol_assign_publish_by_mosquitto_pub_alone_and_see_the_row(
    line: Line, tmp_path: Path, name: str, how: tuple[str, ...]
) -> None:
    said = line.vigie("devices", "enroll", name, "--model", MODEL, "--out", str(tmp_path), *how)
    patient = assign(line, tmp_path, name)
    sent = shell(line, printed(said))
    assert sent.returncode == 0, sent.stderr
    wait_until(lambda: line.rows(ROWS, patient, name) == [("heart_rate", 72.0)], "the row is there")


def test_a_device_that_made_its_own_key_publishes_with_it(
    line: Line, tmp_path: Path, name: str
) -> None:
    key, request = tmp_path / "own.key", tmp_path / "own.csr"
    made = shell(
        line,
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        f"-keyout {key} -out {request} -subj /CN={name}",
    )
    assert made.returncode == 0, made.stderr
    enroll = ("devices", "enroll", name, "--model", MODEL, "--out", str(tmp_path))
    said = line.vigie(*enroll, "--csr", str(request))
    assert not (tmp_path / name / "client.key").exists()
    sent = shell(line, f"KEY={key}\n{printed(said)}")
    assert sent.returncode == 0, sent.stderr
    other = refused(line, "devices", "enroll", f"{name}-2", *enroll[3:], "--csr", str(request))
    assert f"common name must be `{name}-2`" in other


def test_a_revoked_device_is_refused_at_the_broker_and_at_the_gateway(
    line: Line, tmp_path: Path, name: str
) -> None:
    said = line.vigie("devices", "enroll", name, "--model", MODEL, "--out", str(tmp_path))
    assert shell(line, printed(said)).returncode == 0
    told = line.vigie("devices", "revoke", name, "--reason", "compromised", "--by", "Dr Who")
    assert "certificates and passwords are revoked" in told
    assert "refused at the gateway from now on" in told
    wait_until(lambda: shell(line, printed(said)).returncode != 0, "the broker refuses it")
    entries = json.loads(line.vigie("registry", "list", "--json"))
    (device,) = [one for one in entries if one["id"] == name]
    assert device["revoked"] is True
    assert "for good" in refused(line, "devices", "enroll", name, "--model", MODEL)
    assert "for good" in refused(line, "devices", "rotate", name)
    # Said again, it changes nothing and is no error: the registry may have been away.
    line.vigie("devices", "revoke", name, "--reason", "compromised")
    (one,) = json.loads(line.vigie("devices", "show", name, "--json"))
    assert (one["state"], one["reason"]) == ("revoked", "compromised")


def test_a_device_is_refused_at_the_gateway_also_where_the_authority_is_not_at_hand(
    line: Line, tmp_path: Path
) -> None:
    device = f"d-{line.admit(tmp_path, 1)}-0"
    revoke = ("devices", "revoke", device, "--reason", "compromised")
    assert "no authority in" in refused(line, *revoke, VIGIE_AUTHORITY=str(tmp_path / "none"))
    (shown,) = json.loads(line.vigie("registry", "show", device, "--json"))
    assert shown["revoked"] is True


def test_a_rotated_device_comes_in_with_its_new_certificate(
    line: Line, tmp_path: Path, name: str
) -> None:
    line.vigie("devices", "enroll", name, "--model", MODEL, "--out", str(tmp_path))
    before = (tmp_path / name / "client.crt").read_bytes()
    said = line.vigie("devices", "rotate", name, "--out", str(tmp_path), "--overlap", "0")
    assert (tmp_path / name / "client.crt").read_bytes() != before
    assert shell(line, printed(said)).returncode == 0
    states = [one["state"] for one in json.loads(line.vigie("devices", "show", name, "--json"))]
    assert states == ["revoked", "valid"]


def test_enrolment_refuses_what_is_wrong_with_one_clear_sentence(
    line: Line, tmp_path: Path, name: str
) -> None:
    def enroll(device: str, *options: str) -> str:
        return refused(line, "devices", "enroll", device, "--out", str(tmp_path), *options)

    assert "`a/b` is no id: up to 64 letters" in enroll("a/b", "--model", MODEL)
    assert "are Vigie's own" in enroll("gateway-1", "--model", MODEL)
    assert "`toy` is not in the health store" in enroll(name, "--model", "toy")
    line.vigie("devices", "enroll", name, "--model", MODEL, "--out", str(tmp_path))
    assert f"vigie devices rotate {name}" in enroll(name, "--model", MODEL)
    assert "is not enrolled" in refused(line, "devices", "rotate", f"{name}-other")
    nobody = refused(line, "devices", "revoke", f"{name}-other", "--reason", "retired")
    assert "is not enrolled, nor in the registry" in nobody
    empty = {"VIGIE_AUTHORITY": str(tmp_path / "none")}
    assert "`vigie authority init` makes one" in refused(line, "devices", "list", **empty)
    wrong = {"VIGIE_CERTIFICATE_DAYS": "soon"}
    said = refused(line, "devices", "enroll", f"{name}-2", "--model", MODEL, **wrong)
    assert "must be a number of days" in said


def test_a_delisted_model_and_a_version_that_is_not_listed_are_refused(
    line: Line, tmp_path: Path, name: str
) -> None:
    model = 'maker = "Acme"\nname = "M"\nformats = ["readings"]\nvitals = { spo2 = {} }\n'
    file = tmp_path / "models.toml"
    file.write_text(
        f'[[models]]\nid = "{name}-old"\n{model}from = "2020-01-01T00:00:00Z"\n'
        f'until = "2021-01-01T00:00:00Z"\n'
        f'[[models]]\nid = "{name}-new"\n{model}from = "2020-01-01T00:00:00Z"\n'
        'min_version = "2.0"\nmax_version = "2.9"\n',
        encoding="utf-8",
    )
    line.vigie("registry", "import", str(file))
    old = refused(line, "devices", "enroll", name, "--model", f"{name}-old")
    assert f"the model `{name}-old` is not listed now" in old
    new = ("devices", "enroll", name, "--model", f"{name}-new")
    assert "is listed in versions 2.0 to 2.9; no --version was given" in refused(line, *new)
    assert "2.0 to 2.9; not 3.0" in refused(line, *new, "--version", "3.0")
    said = line.vigie(*new, "--version", "2.4", "--out", str(tmp_path))
    assert "spo2" in printed(said), "a vital that the model measures"


def test_a_file_of_devices_is_enrolled_whole_or_not_at_all(
    line: Line, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "devices.csv"
    rows = [f"{name}-{n},{MODEL},1.0" for n in range(20)]
    file.write_text("\n".join(["id,model,version", *rows, f"{name}-20,toy,"]), encoding="utf-8")
    into = ("--out", str(tmp_path / "given"))
    said = refused(line, "devices", "enroll", "--file", str(file), *into)
    assert f"nothing was enrolled: `{name}-20`: the model `toy`" in said
    assert not (tmp_path / "given").exists()
    file.write_text("\n".join(["id,model,version", *rows]), encoding="utf-8")
    assert "20 devices are enrolled" in line.vigie("devices", "enroll", "--file", str(file), *into)
    assert len(list((tmp_path / "given").iterdir())) == 20
    listed = json.loads(line.vigie("devices", "list", "--json"))
    assert len([one for one in listed if one["device"].startswith(name)]) == 20
    soon = json.loads(line.vigie("devices", "list", "--json", "--expiring", "396"))
    assert not [one for one in soon if one["device"].startswith(name)]
    late = json.loads(line.vigie("devices", "list", "--json", "--expiring", "397"))
    assert len([one for one in late if one["device"].startswith(name)]) == 20


def test_the_authority_says_until_when_it_holds_and_renews(line: Line) -> None:
    shown = json.loads(line.vigie("authority", "show", "--json"))
    assert set(shown["until"]) == {"authority", "revocations", "server"}
    assert "127.0.0.1" in shown["hosts"]
    assert "renewed: the revocation list" in line.vigie("authority", "renew")
    assert "keeps its authority" in line.vigie("authority", "init", "--if-missing")
    assert "has an authority already" in refused(line, "authority", "init")
    assert "127.0.0.1" in line.vigie("authority", "show")


@pytest.mark.parametrize(
    "command",
    [
        *(("devices", one) for one in ("enroll", "rotate", "revoke", "list", "show")),
        *(("authority", one) for one in ("init", "renew", "show")),
    ],
    ids=" ".join,
)
def test_each_command_s_help_has_an_example(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vigie", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert f"Example: vigie {' '.join(command)}" in done.stdout


def test_a_device_that_is_registered_is_enrolled_by_its_name_alone(
    line: Line, tmp_path: Path
) -> None:
    """As `vigie devices enroll NAME --out FOLDER`, the form that outside programs rely on."""
    device = f"d-{line.admit(tmp_path, 1)}-0"
    folder = tmp_path / device
    line.vigie("devices", "enroll", device, "--out", str(folder))
    assert {"ca.crt", "client.crt", "client.key"} <= {path.name for path in folder.iterdir()}
    assert "is not registered yet" in refused(line, "devices", "enroll", f"{device}-x")
