"""The real Mosquitto loads the containers' settings: each door lets in whom it should."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.identity import authority as authorities
from ingest.identity import broker, certificates, handing, issuing
from ingest.identity.authority import opened
from ingest.identity.index import Reason
from ingest.identity.issuing import Wanted
from ingest.readings import Vital
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
DEPLOY = Path(__file__).parents[2] / "deploy"
DEADLINE_SECONDS = 20.0
NOT_AUTHORISED = 0x87  # MQTT 5, reason code of PUBACK and CONNACK


@dataclass(frozen=True, slots=True)
class Doors:
    """The ports of the listeners, the authority's folder, and the one that the broker reads."""

    devices: int
    gateway: int
    certificates: int
    passwords: int
    authority: Path
    identity: Path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Run the containers' start script on their settings, with paths and ports replaced."""
    folder = tmp_path_factory.mktemp("mosquitto")
    devices, gateway, by_certificate, by_password = (free_port() for _ in range(4))
    found = Doors(
        devices, gateway, by_certificate, by_password, folder / "authority", folder / "identity"
    )
    authorities.create(found.authority, "Vigie")
    with opened(found.authority) as authority:
        authority.renew(spare=True)
    broker.copy(found.authority, found.identity)
    (folder / "secret").write_text("secret", encoding="ascii")
    (folder / "common").mkdir()
    places = {
        "listener 1883": f"listener {found.devices} 127.0.0.1",
        "listener 1884": f"listener {found.gateway} 127.0.0.1",
        "listener 8883": f"listener {found.certificates} 127.0.0.1",
        "listener 8884": f"listener {found.passwords} 127.0.0.1",
        "/tmp/passwords": str(folder / "passwords"),  # noqa: S108 (the container's own)
        "/run/secrets/mqtt_password": str(folder / "secret"),
        "/mosquitto/config/mosquitto.conf": str(folder / "mosquitto.conf"),
        "/mosquitto/config": str(DEPLOY / "mosquitto"),
        "/mosquitto/common": str(folder / "common"),
        "/mosquitto/identity": str(found.identity),
        "/mosquitto/data": str(folder),
    }
    for source, target in (
        (DEPLOY / "compose/mosquitto.conf", folder / "mosquitto.conf"),
        (DEPLOY / "compose/start-mosquitto.sh", folder / "start-mosquitto.sh"),
        (DEPLOY / "mosquitto/common.conf", folder / "common/common.conf"),
    ):
        text = source.read_text(encoding="utf-8")
        for old, new in places.items():
            text = text.replace(old, new)
        target.write_text(text, encoding="utf-8")
    if os.geteuid() == 0:  # else Mosquitto becomes a user who cannot read a test's folder
        with (folder / "mosquitto.conf").open("a", encoding="utf-8") as file:
            file.write("\nuser root\n")
    log = folder / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            ["/bin/sh", folder / "start-mosquitto.sh"],
            stdout=file,
            stderr=file,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
    try:
        wait_until(
            lambda: server.poll() is not None or answers(found.gateway),
            "Mosquitto on the containers' settings",
            DEADLINE_SECONDS,
        )
        assert server.poll() is None, log.read_text(encoding="utf-8")
        yield found
    finally:
        server.terminate()
        server.wait(DEADLINE_SECONDS)


def answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(0.2)
        return one.connect_ex(("127.0.0.1", port)) == 0


class Client:
    """A client of MQTT 5 that remembers what it was told."""

    def __init__(self, port: int, name: str, password: str | None = None) -> None:
        self.connected, self.answered, self.got = (threading.Event() for _ in range(3))
        self.refused_connection = self.refused = False
        self.message = b""
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        if password is not None:
            self._client.username_pw_set("gateway", password)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = lambda *_: self.answered.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.connected.wait(DEADLINE_SECONDS)

    def _on_connect(self, *arguments: object) -> None:
        self.refused_connection = getattr(arguments[3], "is_failure", True)
        self.connected.set()

    def _on_publish(self, *arguments: object) -> None:
        self.refused = getattr(arguments[3], "value", None) == NOT_AUTHORISED
        self.answered.set()

    def _on_message(self, *arguments: object) -> None:
        self.message = getattr(arguments[2], "payload", b"")
        self.got.set()

    def publish(self, topic: str, payload: bytes = b"{}") -> bool:
        """Publish with QoS 1 and say whether the broker took it."""
        self.answered.clear()
        self._client.publish(topic, payload, qos=1)
        assert self.answered.wait(DEADLINE_SECONDS)
        return not self.refused

    def subscribe(self, topic: str) -> None:
        self.answered.clear()
        self._client.subscribe(topic, qos=1)
        assert self.answered.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def device(doors: Doors) -> Iterator[Client]:
    client = Client(doors.devices, "dev-1")
    yield client
    client.close()


@pytest.fixture
def gateway(doors: Doors) -> Iterator[Client]:
    client = Client(doors.gateway, "gateway-1", "secret")
    yield client
    client.close()


def test_a_device_may_send_its_own_readings_and_nothing_else(device: Client) -> None:
    assert device.publish("vigie/v1/dev-1/readings")
    assert not device.publish("vigie/v1/dev-2/readings")
    assert not device.publish("vigie/v1/dev-1/receipts")
    assert not device.publish("vigie/v1/dev-10/readings")


def test_the_gateway_hears_devices_by_a_shared_subscription(
    device: Client, gateway: Client
) -> None:
    gateway.subscribe("$share/vigie/vigie/v1/+/readings")
    assert device.publish("vigie/v1/dev-1/readings", b"from the device")
    assert gateway.got.wait(DEADLINE_SECONDS)
    assert gateway.message == b"from the device"


def test_a_device_hears_its_receipts(device: Client, gateway: Client) -> None:
    device.subscribe("vigie/v1/dev-1/receipts")
    assert gateway.publish("vigie/v1/dev-1/receipts", b"safe")
    assert device.got.wait(DEADLINE_SECONDS)
    assert device.message == b"safe"


def test_the_gateway_does_not_pass_for_a_device(gateway: Client) -> None:
    assert not gateway.publish("vigie/v1/dev-1/readings")


@pytest.mark.parametrize("password", ["wrong", None], ids=["wrong password", "no password"])
def test_nobody_else_comes_in_by_the_gateways_door(doors: Doors, password: str | None) -> None:
    client = Client(doors.gateway, "somebody", password)
    assert client.refused_connection
    client.close()


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_an_enrolled_device_comes_in_over_tls_until_it_is_revoked(
    doors: Doors, gateway: Client, tmp_path: Path, by: str
) -> None:
    gateway.subscribe("vigie/v1/+/readings")
    device = f"dev-{by}"
    with opened(doors.authority) as authority:
        wanted = [Wanted(device, "any")]
        life = timedelta(days=397)
        given = issuing.sign(authority, wanted, life=life, password=by == "password")
        issuing.record(authority, given)
        handing.write(given, tmp_path, certificates.pem(authority.certificate))
        broker.copy(doors.authority, doors.identity)
    port = doors.passwords if by == "password" else doors.certificates
    said = handing.command(given[0], tmp_path, f"mqtts://127.0.0.1:{port}", Vital.SPO2)

    def comes_in() -> bool:
        return (
            subprocess.run(["bash", "-c", said], check=False, capture_output=True).returncode == 0
        )

    # The broker notices by itself: the authority cannot signal into another container.
    wait_until(comes_in, "the device comes in", DEADLINE_SECONDS)
    assert gateway.got.wait(DEADLINE_SECONDS)
    with opened(doors.authority) as authority:
        authority.revoke(device, Reason.RETIRED)
        broker.copy(doors.authority, doors.identity)
    wait_until(lambda: not comes_in(), "the device is refused", DEADLINE_SECONDS)
