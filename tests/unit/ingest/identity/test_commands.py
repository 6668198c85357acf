"""The commands of devices and authority that need no server, as an operator types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest.identity import authority as authorities
from ingest.identity import issuing
from ingest.identity.authority import opened
from ingest.identity.issuing import Wanted

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


class At:
    """A clock that stands still, some days from now."""

    def __init__(self, days: int) -> None:
        self._moment = datetime.now(UTC) + days * DAY

    def now(self) -> datetime:
        return self._moment


def vigie(
    folder: Path, *arguments: str, status: int = 0, passphrase: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the front door that must end with this status."""
    key = {"VIGIE_AUTHORITY_KEY_FILE": str(passphrase)} if passphrase else {}
    done = subprocess.run(
        [sys.executable, "-m", "vigie", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "VIGIE_AUTHORITY": str(folder), **key},
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_an_authority_is_made_shown_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    assert (
        "has a new authority" in vigie(folder, "authority", "init", "--host", "mqtt.example").stdout
    )
    before = (folder / "ca.crt").read_bytes()
    assert "keeps its authority" in vigie(folder, "authority", "init", "--if-missing").stdout
    assert (folder / "ca.crt").read_bytes() == before
    shown = json.loads(vigie(folder, "authority", "show", "--json").stdout)
    assert (shown["hosts"], shown["devices"]) == (["mqtt.example"], 0)
    assert json.loads(vigie(folder, "devices", "list", "--json").stdout) == []
    said = vigie(folder, "authority", "init", status=1).stderr
    assert "has an authority already" in " ".join(said.split())


def test_names_that_the_broker_was_given_since_stay(tmp_path: Path) -> None:
    """As the containers' authority says at each start: its names are for a new one."""
    folder = tmp_path / "authority"
    start = ("authority", "init", "--if-missing", "--host", "mosquitto")
    vigie(folder, *start)
    vigie(folder, "authority", "renew", "--host", "mqtt.example")
    vigie(folder, *start)
    assert json.loads(vigie(folder, "authority", "show", "--json").stdout)["hosts"] == [
        "mqtt.example"
    ]


def test_a_folder_that_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    beneath = str(tmp_path / "file" / "beneath")
    said = vigie(tmp_path / "file" / "authority", "authority", "init", status=1).stderr
    assert "cannot be used" in " ".join(said.split())
    folder = tmp_path / "authority"
    vigie(folder, "authority", "init")
    with opened(folder) as authority:
        given = issuing.sign(authority, [Wanted("dev-1", "m")], life=9 * DAY, password=False)
        issuing.record(authority, given)
    said = vigie(folder, "devices", "rotate", "dev-1", "--out", beneath, status=1).stderr
    assert f"{beneath} cannot be written to" in " ".join(said.split())
    with opened(folder) as authority:
        assert len(authority.of("dev-1")) == 1, "nothing was issued that nobody has"


def test_an_encrypted_key_is_asked_for_when_something_is_signed(tmp_path: Path) -> None:
    folder, secret = tmp_path / "authority", tmp_path / "passphrase"
    secret.write_text("open sesame\n", encoding="ascii")
    vigie(folder, "authority", "init", passphrase=secret)
    assert b"ENCRYPTED" in (folder / "ca.key").read_bytes()
    # As `make up` does each time: nothing is due, so nothing is signed.
    vigie(folder, "authority", "init", "--if-missing")
    said = vigie(folder, "authority", "renew", status=1).stderr
    assert "is encrypted: set VIGIE_AUTHORITY_KEY_FILE" in " ".join(said.split())
    assert (
        "renewed: the revocation list"
        in vigie(folder, "authority", "renew", passphrase=secret).stdout
    )


def test_what_ends_soon_is_said_where_devices_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    long_ago = At(-170)
    authorities.create(folder, "Vigie", clock=long_ago)
    with opened(folder, clock=long_ago) as authority:
        authority.renew(spare=True)
        wanted = [Wanted("dev-1", "m")]
        given = issuing.sign(authority, wanted, life=180 * DAY, password=False)
        issuing.record(authority, given)
    done = vigie(folder, "devices", "list", "--expiring", "30")
    assert "dev-1" in done.stdout
    assert "the list of revocations ends on" in done.stderr
    assert "`vigie authority renew`" in done.stderr
    vigie(folder, "authority", "renew")
    assert vigie(folder, "devices", "list").stderr == ""
    shown = vigie(folder, "devices", "show", "dev-1").stdout
    assert given[0].certificate is not None
    assert f"{given[0].certificate.serial_number:032x}" in shown
    assert "is not enrolled" in vigie(folder, "devices", "show", "dev-2", status=1).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("enroll",), id="no device"),
        pytest.param(("enroll", "dev-1", "--file", "devices.csv"), id="a device and a file"),
        pytest.param(("enroll", "--file", "devices.csv", "--model", "m"), id="a file and a model"),
        pytest.param(
            ("enroll", "dev-1", "--model", "m", "--csr", "c", "--password"), id="two proofs"
        ),
        pytest.param(("rotate", "dev-1", "--csr", "c", "--password"), id="two proofs again"),
        pytest.param(("rotate", "dev-1", "--overlap", "-1"), id="an overlap in the past"),
        pytest.param(("revoke", "dev-1"), id="no reason"),
        pytest.param(("rotate", "dev-1", "--overlap", "99999999"), id="an overlap for ever"),
        pytest.param(("list", "--expiring", "999999999"), id="after the last of all days"),
        pytest.param(("revoke", "dev-1", "--reason", "boredom"), id="no such reason"),
        pytest.param(("revoke", "dev-1", "--reason", "replaced"), id="that is a rotation"),
        pytest.param(("revoke", "dev-1", "--reason", "retired", "--by", ""), id="by nobody"),
    ],
)
def test_a_command_that_makes_no_sense_is_a_usage_error(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    vigie(tmp_path, "devices", *arguments, status=2)


@pytest.mark.parametrize("host", ["", "a b", "é.example", "x" * 65, "a/b"])
def test_a_broker_has_a_name_that_can_be_called(tmp_path: Path, host: str) -> None:
    vigie(tmp_path, "authority", "renew", "--host", host, status=2)


def test_a_request_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "authority"
    vigie(folder, "authority", "init")
    enroll = ("devices", "enroll", "dev-1", "--model", "m", "--csr", str(tmp_path / "none"))
    assert "cannot be read" in " ".join(vigie(folder, *enroll, status=1).stderr.split())
