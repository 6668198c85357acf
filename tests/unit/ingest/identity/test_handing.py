"""What a device is given, and what the broker is handed."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from ingest.formats import vigie_json
from ingest.identity import authority as authorities
from ingest.identity import broker, certificates, handing, issuing, passwords
from ingest.identity.authority import Authority, opened
from ingest.identity.errors import EnrolmentRefused
from ingest.identity.issuing import Wanted
from ingest.readings import Vital

if TYPE_CHECKING:
    from pathlib import Path

LIFE = timedelta(days=397)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    authorities.create(folder, "Vigie")
    with opened(folder) as made:
        made.renew(spare=True)
        return made


def test_a_device_s_files_are_for_its_owner_alone(authority: Authority, tmp_path: Path) -> None:
    given = issuing.sign(authority, [Wanted("d-1", "m")], life=LIFE, password=False)
    given += issuing.sign(authority, [Wanted("d-2", "m")], life=LIFE, password=True)
    handing.write(given, tmp_path / "out", certificates.pem(authority.certificate))
    files = {str(p.relative_to(tmp_path / "out")): p for p in (tmp_path / "out").rglob("*.*")}
    files |= {"d-2/password": tmp_path / "out/d-2/password"}
    assert set(files) == {
        *("d-1/ca.crt", "d-1/client.crt", "d-1/client.key"),
        *("d-2/ca.crt", "d-2/password"),
    }
    for path in files.values():
        assert path.stat().st_mode & 0o177 == 0, path
        assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("by", ["certificate", "password"])
@pytest.mark.parametrize("vital", Vital)
def test_the_printed_command_publishes_what_the_gateway_takes(
    authority: Authority, tmp_path: Path, vital: Vital, by: str
) -> None:
    password = by == "password"
    (given,) = issuing.sign(authority, [Wanted("d-1", "m")], life=LIFE, password=password)
    folder = tmp_path / "with a blank"
    said = handing.command(given, folder, "mqtts://broker:8883", vital)
    handing.write([given], folder, certificates.pem(authority.certificate))
    # A shell reads it, as it reads what a person pastes; only the program is another one.
    script = f"mosquitto_pub() {{ printf '%s\\n' \"$@\"; }}\n{said}"
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert (options["-h"], options["-p"], options["-i"]) == ("broker", "8883", "d-1")
    assert options["--cafile"] == str(folder / "d-1" / "ca.crt")
    assert ("-P" in options, "--cert" in options) == (password, not password)
    assert options.get("-P") == given.password
    message = msgspec.json.decode(options["-m"])
    assert list(message["readings"][0]) == ["time", vital]
    decoded = vigie_json.decode(options["-m"].encode(), "d-1", datetime.now(UTC))
    assert not decoded.refused


def test_a_file_of_devices_is_read(tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text("id,model,version\nd-1,m,2.1\nd-2, m ,\n", encoding="utf-8-sig")
    assert handing.wanted(file) == [Wanted("d-1", "m", "2.1"), Wanted("d-2", "m")]
    file.write_text("id,model\nd-1,m\n", encoding="utf-8")
    assert handing.wanted(file) == [Wanted("d-1", "m")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "the first line must be `id,model,version`", id="empty"),
        pytest.param("device;model\n", "the first line must be", id="other columns"),
        pytest.param("id,model\n", "names no device", id="no line"),
        pytest.param("id,model\nd-1,m\nd-2\n", "line 3: it needs 2 columns", id="a short line"),
        pytest.param("id,model\nd-1,m,x\n", "line 2: it needs 2 columns", id="a long line"),
        pytest.param("id,model\n\xff,m\n", "not CSV in UTF-8", id="another encoding"),
    ],
)
def test_a_file_of_devices_that_is_wrong_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "devices.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(EnrolmentRefused, match=why):
        handing.wanted(file)
    with pytest.raises(EnrolmentRefused, match="cannot be read"):
        handing.wanted(tmp_path / "nothing.csv")


def test_of_many_faults_the_first_ten_are_told() -> None:
    said = str(EnrolmentRefused([f"fault {n}" for n in range(12)])).splitlines()
    assert len(said) == 12
    assert said[-1].strip() == "and 2 more"


def test_a_password_is_hashed_as_mosquitto_does() -> None:
    kind, iterations, salt, digest = passwords.hashed("secret").split("$")[1:]
    assert kind == "7"
    made = hashlib.pbkdf2_hmac("sha512", b"secret", base64.b64decode(salt), int(iterations))
    assert base64.b64decode(digest) == made
    assert passwords.hashed("secret") != passwords.hashed("secret"), "each has its own salt"


def test_the_broker_is_handed_what_it_reads_and_never_the_authority_s_key(
    authority: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "broker"
    assert broker.copy(authority.folder, folder)
    assert {path.name for path in folder.iterdir()} == set(broker.HANDED.values())
    secret = (authority.folder / "ca.key").read_bytes()
    assert secret not in {path.read_bytes() for path in folder.iterdir()}
    assert not broker.copy(authority.folder, folder), "nothing has changed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_hands_over_belongs_to_the_broker_s_account(
    authority: Authority, tmp_path: Path
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65_534, 65_534)
    broker.copy(authority.folder, folder)
    assert {path.stat().st_uid for path in folder.iterdir()} == {65_534}


def test_only_a_broker_is_told_to_read_again(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    assert "is not seen from here" in broker.hand_over(authority.folder, str(folder))
    # Another program has the number by now: SIGHUP would end it.
    with subprocess.Popen([str(shutil.which("cat"))], stdin=subprocess.PIPE) as other:
        (folder / broker.PID_FILE).write_text(f"{other.pid}\n", encoding="ascii")
        assert not broker.reload(folder)
        assert other.poll() is None
        other.send_signal(signal.SIGTERM)
    assert "copy ca.crl and passwords" in broker.hand_over(authority.folder, "")
    assert broker.hand_over(authority.folder, str(folder)) == "the broker knows already"
