"""Mosquitto: doors for devices and for gateways, all on the loopback address only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from deploy.local import accounts, tcp
from deploy.local.errors import NotReady
from deploy.local.install import DEPLOY
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.install import Software
    from deploy.local.state import State

GATEWAY = "gateway"
CONNACK, SUCCESS = 0x20, 0x00
# Each door's usual port. 8883 is MQTT over TLS (IANA); the others follow it.
USUAL = {
    "mqtt-devices": 1883,
    "mqtt-gateway": 1884,
    "mqtt-tls": 8883,
    "mqtt-tls-by-password": 8884,
    "mqtt-tls-gateway": 8885,
}
ANONYMOUS = "mqtt-devices"
PASSPHRASE = ("VIGIE_AUTHORITY_KEY", "VIGIE_AUTHORITY_KEY_FILE")
# Devices on the loopback address are who they say they are: this is for one machine, where the
# client id is the device id. Whoever may use this machine may so pass for any device: where devices
# come from elsewhere, or people who are not trusted work here, VIGIE_MQTT_ANONYMOUS=off closes it.
ANONYMOUS_DOOR = """\
listener {mqtt-devices} {host}
allow_anonymous true
acl_file {folder}/acl-devices
"""
DOORS = """\
# The gateway, by password.
listener {mqtt-gateway} {host}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl-gateway

# Devices with a certificate. Its common name becomes user name and client id, whatever the device
# says, so that nobody takes over another one's session.
listener {mqtt-tls} {host}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
crlfile {folder}/ca.crl
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl-devices

# Devices with a password; the user name becomes the client id.
listener {mqtt-tls-by-password} {host}
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
use_username_as_clientid true
allow_anonymous false
password_file {folder}/device-passwords
acl_file {folder}/acl-devices

# The gateway on another machine, by password. Each gateway keeps its own client id, so this is not
# the devices' door.
listener {mqtt-tls-gateway} {host}
certfile {folder}/server.crt
keyfile {folder}/server.key
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl-gateway

pid_file {folder}/mosquitto.pid
persistence_location {folder}/data/
"""


def broker_settings(folder: Path, ports: Mapping[str, int]) -> str:
    """Give the broker's whole settings file: the shared part, then a listener for each port.

    Without a port for anonymous devices there is no door for them.
    """
    common = (DEPLOY / "mosquitto" / "common.conf").read_text(encoding="utf-8")
    doors = f"{ANONYMOUS_DOOR}\n{DOORS}" if ANONYMOUS in ports else DOORS
    for name, value in {**ports, "folder": folder, "host": LOOPBACK}.items():
        doors = doors.replace(f"{{{name}}}", str(value))
    return f"{common}\n{doors}"


class Mosquitto:
    """The MQTT broker between devices and gateways.

    Parameters
    ----------
    authority : str or None
        Folder of the site's own authority for devices; None for one in the state folder.
    anonymous : bool
        Whether devices on this machine may come in without certificate or password.
    """

    name = "mosquitto"

    def __init__(self, authority: str | None = None, *, anonymous: bool = True) -> None:
        self._authority = authority
        self._anonymous = anonymous
        self.settings: tuple[str, ...] = (
            "VIGIE_MQTT",
            "VIGIE_MQTT_DEVICES",
            "VIGIE_MQTT_TLS",
            "VIGIE_MQTT_TLS_BY_PASSWORD",
            "VIGIE_MQTT_FOLDER",
            *(() if authority else ("VIGIE_AUTHORITY",)),
        )

    def programs(self, state: State, software: Software) -> list[Program]:
        """Write settings, rules and the gateway's hashed password; have certificates made."""
        del software
        folder = accounts.own_folder(state.home / self.name)
        accounts.own_folder(folder / "data")
        if not self._anonymous:
            state.record.ports.pop(ANONYMOUS, None)
        ports = {name: state.port(name, USUAL[name]) for name in sorted(self._doors())}
        for rules in ("acl-devices", "acl-gateway"):
            _write(folder / rules, (DEPLOY / "mosquitto" / rules).read_text(encoding="utf-8"))
        # Hashed in place, as a file, because a command line is public.
        passwords = _write(folder / "passwords", f"{GATEWAY}:{_password(state)}\n")
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        accounts.give(passwords)
        _certificates(self._folder(state), folder)
        file = _write(folder / "mosquitto.conf", broker_settings(folder, ports))
        return [Program(self.name, (_executable(), "-c", str(file)), folder)]

    def has_its_doors(self, state: State) -> bool:
        """Whether one that runs has the doors it should have.

        That of an earlier Vigie has fewer, and VIGIE_MQTT_ANONYMOUS may have changed since.
        """
        return self._doors() == state.record.ports.keys() & USUAL.keys()

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether the doors accept an MQTT 5 client, the gateway's with its password."""
        del software
        doors = {
            ANONYMOUS: connect_packet("", ""),
            "mqtt-gateway": connect_packet(GATEWAY, _password(state)),
        }
        for name, packet in doors.items():
            if name not in state.record.ports:
                continue
            # CONNACK: its type, its length, no session, and the reason code 0 for success.
            try:
                answer = tcp.exchange(state.record.ports[name], packet, length_prefix=False)
            except OSError:
                return False
            if answer[0] != CONNACK or answer[3] != SUCCESS:
                return False
        return True

    def environment(self, state: State) -> Mapping[str, str]:
        """Give the gateway's way in, with its password, the devices' ways, and the authority."""
        at = {
            name: f"{LOOPBACK}:{state.record.ports[name]}"
            for name in USUAL
            if name in state.record.ports
        }
        anonymous = {"VIGIE_MQTT_DEVICES": f"mqtt://{at[ANONYMOUS]}"} if ANONYMOUS in at else {}
        return {
            "VIGIE_MQTT": f"mqtt://{GATEWAY}:{_password(state)}@{at['mqtt-gateway']}",
            **anonymous,
            "VIGIE_MQTT_TLS": f"mqtts://{at['mqtt-tls']}",
            "VIGIE_MQTT_TLS_BY_PASSWORD": f"mqtts://{at['mqtt-tls-by-password']}",
            "VIGIE_MQTT_FOLDER": str(state.home / self.name),
            "VIGIE_AUTHORITY": self._folder(state),
        }

    def _doors(self) -> set[str]:
        return {name for name in USUAL if self._anonymous or name != ANONYMOUS}

    def _folder(self, state: State) -> str:
        return self._authority or str(state.folder / "authority")


def _certificates(authority: str, folder: Path) -> None:
    """Make the authority if there is none, and give the broker's folder what it reads of it.

    By the front door, as a site would: this folder imports nothing of ours. Raises NotReady.
    """
    # Other settings, of servers that are not there yet perhaps, are not its business.
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("VIGIE_") or key in PASSPHRASE
    }
    done = subprocess.run(
        [sys.executable, "-m", "vigie", "authority", "init", "--if-missing"],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "VIGIE_AUTHORITY": authority, "VIGIE_MQTT_FOLDER": str(folder)},
    )
    if done.returncode:
        raise NotReady("The broker has no certificate.", tail=done.stdout + done.stderr)


def connect_packet(user: str, password: str) -> bytes:
    """Encode an MQTT 5 CONNECT of a fleeting client (OASIS MQTT 5.0, section 3.1).

    Everything together stays below 128 bytes, so that one byte holds the length.
    """
    flags = 0x02 | (0xC0 if user else 0)
    payload = _text("vigie-servers-probe")
    if user:
        payload += _text(user) + _text(password)
    body = _text("MQTT") + bytes([5, flags, 0, 30, 0]) + payload
    return bytes([0x10, len(body)]) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _password(state: State) -> str:
    return state.password("mqtt-gateway")


def _write(path: Path, text: str) -> Path:
    write_private(path, text)
    return accounts.give(path)


def _executable() -> str:
    """Find the broker: Debian keeps it where only root's PATH looks."""
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"
