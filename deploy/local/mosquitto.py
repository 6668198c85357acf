"""Mosquitto: one listener for devices, one for the gateway, both on the loopback address only."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from deploy.local import accounts, tcp
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
USUAL_DEVICES, USUAL_GATEWAY = 1883, 1884
DOORS = ("mqtt-devices", "mqtt-gateway")
# Devices on the loopback address are who they say they are: this is for one machine, where the
# client id is the device id. Certificates belong to a broker that is reachable from elsewhere.
LISTENERS = """\
listener {devices} {host}
allow_anonymous true
acl_file {folder}/acl-devices

listener {gateway} {host}
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl-gateway

persistence_location {folder}/data/
"""


def broker_settings(folder: Path, *, devices: int, gateway: int) -> str:
    """Give the broker's whole settings file: the shared part, then two listeners."""
    common = (DEPLOY / "mosquitto" / "common.conf").read_text(encoding="utf-8")
    rest = LISTENERS.format(devices=devices, gateway=gateway, folder=folder, host=LOOPBACK)
    return f"{common}\n{rest}"


class Mosquitto:
    """The MQTT broker between devices and gateways."""

    name = "mosquitto"
    settings: tuple[str, ...] = ("VIGIE_MQTT", "VIGIE_MQTT_DEVICES")

    def programs(self, state: State, software: Software) -> list[Program]:
        """Write settings, rules and the gateway's hashed password."""
        del software
        folder = accounts.own_folder(state.home / self.name)
        accounts.own_folder(folder / "data")
        ports = {
            "devices": state.port("mqtt-devices", USUAL_DEVICES),
            "gateway": state.port("mqtt-gateway", USUAL_GATEWAY),
        }
        for rules in ("acl-devices", "acl-gateway"):
            _write(folder / rules, (DEPLOY / "mosquitto" / rules).read_text(encoding="utf-8"))
        # Hashed in place, as a file, because a command line is public.
        passwords = _write(folder / "passwords", f"{GATEWAY}:{_password(state)}\n")
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        accounts.give(passwords)
        file = _write(folder / "mosquitto.conf", broker_settings(folder, **ports))
        return [Program(self.name, (_executable(), "-c", str(file)), folder)]

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether both doors accept an MQTT 5 client, the gateway's with its password."""
        del software
        doors = (
            ("mqtt-devices", connect_packet("", "")),
            ("mqtt-gateway", connect_packet(GATEWAY, _password(state))),
        )
        for port, packet in doors:
            # CONNACK: its type, its length, no session, and the reason code 0 for success.
            try:
                answer = tcp.exchange(state.record.ports[port], packet, length_prefix=False)
            except OSError:
                return False
            if answer[0] != CONNACK or answer[3] != SUCCESS:
                return False
        return True

    def environment(self, state: State) -> Mapping[str, str]:
        """Give the gateway's way in, with its password, and the devices'."""
        at = {name: f"{LOOPBACK}:{state.record.ports[name]}" for name in DOORS}
        return {
            "VIGIE_MQTT": f"mqtt://{GATEWAY}:{_password(state)}@{at['mqtt-gateway']}",
            "VIGIE_MQTT_DEVICES": f"mqtt://{at['mqtt-devices']}",
        }


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
