"""Mosquitto: one listener for devices, one for the gateway, both on the loopback address only."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from deploy.local import accounts, tcp
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.site import DEPLOY, Site
from deploy.local.state import write_private

if TYPE_CHECKING:
    from pathlib import Path

GATEWAY = "gateway"
CONNACK = 0x20
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


def settings(folder: Path, *, devices: int, gateway: int) -> str:
    """Give the broker's whole settings file: the shared part, then two listeners."""
    common = (DEPLOY / "mosquitto" / "common.conf").read_text(encoding="utf-8")
    rest = LISTENERS.format(devices=devices, gateway=gateway, folder=folder, host=LOOPBACK)
    return f"{common}\n{rest}"


class Mosquitto:
    """The MQTT broker between devices and gateways."""

    name = "mosquitto"
    settings = ("VIGIE_MQTT", "VIGIE_MQTT_DEVICES")

    def __init__(self, site: Site) -> None:
        self._state = site.state

    @property
    def _folder(self) -> Path:
        return self._state.home / "mosquitto"

    @property
    def _devices(self) -> int:
        return self._state.record.ports["mqtt-devices"]

    @property
    def _gateway(self) -> int:
        return self._state.record.ports["mqtt-gateway"]

    def prepare(self) -> list[Program]:
        """Write settings, rules and the gateway's hashed password."""
        folder = accounts.own_folder(self._folder)
        accounts.own_folder(folder / "data")
        devices = self._state.port("mqtt-devices", 1883)
        gateway = self._state.port("mqtt-gateway", 1884)
        for rules in ("acl-devices", "acl-gateway"):
            write_private(folder / rules, (DEPLOY / "mosquitto" / rules).read_text("utf-8"))
            accounts.give(folder / rules)
        passwords = folder / "passwords"
        write_private(passwords, f"{GATEWAY}:{self._state.password('mqtt-gateway')}\n")
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        accounts.give(passwords)
        file = folder / "mosquitto.conf"
        write_private(file, settings(folder, devices=devices, gateway=gateway))
        accounts.give(file)
        command = (_executable(), "-c", str(file))
        return [Program(self.name, command, folder)]

    def programs(self) -> list[str]:
        """Name the one program."""
        return [self.name]

    def complaint(self) -> str | None:
        """Connect to both listeners as MQTT 5 clients do, with the gateway's password on one."""
        password = self._state.password("mqtt-gateway")
        for port, user, word in ((self._devices, "", ""), (self._gateway, GATEWAY, password)):
            try:
                answer = tcp.exchange(port, connect_packet(user, word), length_prefix=False)
            except OSError:
                return f"nothing answers MQTT on port {port}"
            if answer[0] != CONNACK or answer[3] != 0:
                return f"port {port} refuses an MQTT connection (reason {answer[3]:#04x})"
        return None

    def finish(self) -> None:
        """Nothing is left to do."""

    def addresses(self) -> dict[str, str]:
        """Give the gateway's way in, with its password, and the devices'."""
        password = self._state.password("mqtt-gateway")
        return {
            "VIGIE_MQTT": f"mqtt://{GATEWAY}:{password}@{LOOPBACK}:{self._gateway}",
            "VIGIE_MQTT_DEVICES": f"mqtt://{LOOPBACK}:{self._devices}",
        }

    def version(self) -> str:
        """Ask the installed broker."""
        done = subprocess.run([_executable(), "-h"], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[0].removeprefix("mosquitto version ")


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


def _executable() -> str:
    """Find the broker: Debian keeps it where only root's PATH looks."""
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"
