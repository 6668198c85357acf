"""A broker with an authority of a test's own, and clients that come in as devices do."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.identity import broker, certificates, handing, issuing
from ingest.identity.authority import Authority, opened
from ingest.identity.issuing import Wanted
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.local.servers import Servers

HOST = "127.0.0.1"
LIFE = timedelta(days=397)
NOT_AUTHORISED = 0x87  # MQTT 5, reason code of PUBACK
DEADLINE_SECONDS = 30.0
T = TypeVar("T")


@dataclass(frozen=True)
class At:
    """A clock that stands still."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


def from_now(days: float) -> At:
    return At(datetime.now(UTC) + timedelta(days=days))


@dataclass
class Doors:
    """The broker, its authority, and the folder of what devices were given."""

    servers: Servers
    given: Path

    @property
    def authority(self) -> Path:
        return Path(self.servers.environment["VIGIE_AUTHORITY"])

    def port(self, door: str) -> int:
        return self.servers.state.record.ports[door]

    def work(self, act: Callable[[Authority], T], clock: At | None = None) -> T:
        """Do something with the authority, as a command would; returns when the broker knows."""
        folder = Path(self.servers.environment["VIGIE_MQTT_FOLDER"])
        with opened(self.authority, clock=clock) as authority:
            done = act(authority)
            if broker.copy(self.authority, folder):
                before = self.reloads()
                assert broker.reload(folder)
                wait_until(lambda: self.reloads() > before, "the broker has read its files again")
        return done

    def give(
        self,
        device: str,
        *,
        password: bool = False,
        clock: At | None = None,
        life: timedelta = LIFE,
    ) -> Path:
        """Let a device in, and return the folder of its files. The registry is not asked."""

        def act(authority: Authority) -> None:
            wanted = [Wanted(device, "any")]
            given = issuing.sign(authority, wanted, life=life, password=password)
            issuing.record(authority, given)
            handing.write(given, self.given, certificates.pem(authority.certificate))

        self.work(act, clock)
        return self.given / device

    def reloads(self) -> int:
        """Count how often the broker has read its files again."""
        log = self.servers.state.logs / "mosquitto.log"
        return log.read_text(encoding="utf-8").count("Reloading config")


def publish(
    doors: Doors,
    door: str,
    device: str,
    *proof: str | Path,
    topic: str | None = None,
    text: str = "{}",
    version: str = "5",
) -> subprocess.CompletedProcess[str]:
    """Publish with `mosquitto_pub`, as a device maker tries it first."""
    command = ["mosquitto_pub", "-V", version, "-h", HOST, "-p", str(doors.port(door)), "-q", "1"]
    command += ["-i", device, "-t", topic or f"vigie/v1/{device}/readings", "-m", text]
    return subprocess.run(
        [*command, *map(str, proof)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


def certificate(folder: Path) -> tuple[str | Path, ...]:
    """Give the options of `mosquitto_pub` for a device's certificate."""
    return (
        *("--cafile", folder / handing.AUTHORITY),
        *("--cert", folder / handing.CERTIFICATE),
        *("--key", folder / handing.KEY),
    )


def password(folder: Path, said: str | None = None) -> tuple[str | Path, ...]:
    """Give the options of `mosquitto_pub` for a device's password, or for another one."""
    text = said or (folder / handing.PASSWORD).read_text(encoding="utf-8").strip()
    return ("--cafile", folder / handing.AUTHORITY, "-u", folder.name, "-P", text)


class Client:
    """A client that stays connected, and remembers what it was told."""

    def __init__(self, port: int, name: str, version: int = MQTTProtocolVersion.MQTTv5) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.ends = 0
        self._port = port
        self._answered = threading.Event()
        self._connected = threading.Event()
        self._code = 0
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion(version)
        )
        self.client.on_connect = lambda *_: self._connected.set()
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = lambda *_: self._answered.set()
        self.client.on_message = self._on_message

    @classmethod
    def gateway(cls, doors: Doors, name: str = "watcher", *, stays: bool = False) -> Client:
        """Come in as a gateway does, on the loopback address; its session may stay."""
        address = urlsplit(doors.servers.environment["VIGIE_MQTT"])
        made = cls(address.port or 0, name)
        made.client.username_pw_set("gateway", address.password)
        if stays:
            kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho: untyped
            kept.SessionExpiryInterval = 60
            made.client.connect(HOST, made._port, clean_start=False, properties=kept)
            return made.started()
        return made.open()

    @classmethod
    def device(
        cls, doors: Doors, folder: Path, name: str = "", version: int = MQTTProtocolVersion.MQTTv5
    ) -> Client:
        """Come in by certificate or password, whichever the folder has; `name` is what it says."""
        has_password = (folder / handing.PASSWORD).exists()
        door = "mqtt-tls-by-password" if has_password else "mqtt-tls"
        made = cls(doors.port(door), name or folder.name, version)
        if has_password:
            said = (folder / handing.PASSWORD).read_text(encoding="utf-8").strip()
            made.client.username_pw_set(folder.name, said)
            made.client.tls_set(str(folder / handing.AUTHORITY))
        else:
            made.client.tls_set(
                str(folder / handing.AUTHORITY),
                str(folder / handing.CERTIFICATE),
                str(folder / handing.KEY),
            )
        return made.open()

    def open(self) -> Client:
        self.client.connect(HOST, self._port, keepalive=30)
        return self.started()

    def started(self) -> Client:
        self.client.loop_start()
        assert self._connected.wait(DEADLINE_SECONDS)
        return self

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic: str) -> None:
        self._answered.clear()
        self.client.subscribe(topic, qos=1)
        assert self._answered.wait(DEADLINE_SECONDS)

    def publish(self, topic: str, payload: bytes = b"{}") -> bool:
        """Publish with QoS 1 and say whether the broker took it, as far as it tells."""
        self._answered.clear()
        self.client.publish(topic, payload, qos=1)
        assert self._answered.wait(DEADLINE_SECONDS)
        return self._code != NOT_AUTHORISED

    def wait_for(self, payload: bytes) -> None:
        """Return once a message with this payload came."""
        wait_until(
            lambda: payload in [one for _, one in self.got], f"{payload!r} arrives", pause=0.02
        )

    def _on_disconnect(self, *_: object) -> None:
        self.ends += 1

    def _on_publish(self, *arguments: object) -> None:
        self._code = int(getattr(arguments[3], "value", 0))
        self._answered.set()

    def _on_message(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        self.got.append((message.topic, bytes(message.payload)))
