"""Who gets in at the real broker, and what each may do there; with real clients."""

from __future__ import annotations

import shutil
import socket
import ssl
import uuid
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from deploy.local import servers
from ingest.identity import authority as authorities
from ingest.identity import certificates, handing, issuing
from ingest.identity.index import Reason
from tests.integration.identities import (
    HOST,
    LIFE,
    At,
    Client,
    Doors,
    certificate,
    from_now,
    password,
    publish,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Run a broker of this module's own: its tests revoke, reload, and let its lists expire."""
    folder = tmp_path_factory.mktemp("identity")
    running = servers.start(folder, ("mosquitto",), throwaway=True, say=lambda _: None)
    yield Doors(running, folder / "given")
    running.stop()


@pytest.fixture
def watcher(doors: Doors) -> Iterator[Client]:
    """See all that devices publish, as the gateway does."""
    client = Client.gateway(doors)
    client.subscribe("vigie/v1/#")
    yield client
    client.close()


@pytest.fixture
def name() -> str:
    return f"dev-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def arrived(doors: Doors, watcher: Client) -> Iterator[list[tuple[str, bytes]]]:
    """Give what the gateway has seen; at the test's end, when a last message has come through."""
    witness = doors.give(f"witness-{uuid.uuid4().hex[:8]}")
    yield watcher.got
    client = Client.device(doors, witness)
    mark = uuid.uuid4().hex.encode()
    assert client.publish(f"vigie/v1/{witness.name}/readings", mark)
    watcher.wait_for(mark)
    client.close()
    assert [one for one in watcher.got if one[1] != mark] == [], "what was refused did not arrive"


Nothing = list[tuple[str, bytes]]


def test_a_device_with_its_certificate_publishes_and_hears_its_receipt(
    doors: Doors, watcher: Client, name: str
) -> None:
    folder = doors.give(name)
    done = publish(doors, "mqtt-tls", name, *certificate(folder), text="by certificate")
    assert done.returncode == 0, done.stderr
    watcher.wait_for(b"by certificate")
    device = Client.device(doors, folder)
    device.subscribe(f"vigie/v1/{name}/receipts")
    assert watcher.publish(f"vigie/v1/{name}/receipts", b"safe")
    device.wait_for(b"safe")
    device.close()


def test_a_device_with_its_password_publishes_and_hears_its_receipt(
    doors: Doors, watcher: Client, name: str
) -> None:
    folder = doors.give(name, password=True)
    done = publish(doors, "mqtt-tls-by-password", name, *password(folder), text="by password")
    assert done.returncode == 0, done.stderr
    watcher.wait_for(b"by password")
    device = Client.device(doors, folder)
    device.subscribe(f"vigie/v1/{name}/receipts")
    assert watcher.publish(f"vigie/v1/{name}/receipts", b"safe")
    device.wait_for(b"safe")
    device.close()


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_a_device_writes_below_its_own_topics_only(
    doors: Doors, watcher: Client, name: str, by: str
) -> None:
    folder = doors.give(name, password=by == "password")
    device = Client.device(doors, folder)
    for own in ("readings", "fhir", "omh", "gatt", "raw/acme", "presence"):
        assert device.publish(f"vigie/v1/{name}/{own}", own.encode()), own
        watcher.wait_for(own.encode())
    for other in (
        f"vigie/v1/{name}/receipts",
        f"vigie/v1/{name}/raw",
        f"vigie/v1/{name}/raw/a/b",
        f"vigie/v1/{name}0/readings",
        "vigie/v1/somebody/readings",
        "vigie/v1/somebody/presence",
        "elsewhere",
    ):
        assert not device.publish(other), other
    device.close()


def test_what_an_older_client_sends_as_another_device_is_acknowledged_and_vanishes(
    doors: Doors, arrived: Nothing, name: str
) -> None:
    device = Client.device(doors, doors.give(name), version=MQTTProtocolVersion.MQTTv311)
    assert device.publish("vigie/v1/somebody/readings"), "MQTT 3.1.1 has no way to say no"
    device.close()
    assert not arrived


def test_a_device_does_not_hear_another_one_s_receipts(
    doors: Doors, watcher: Client, name: str
) -> None:
    curious, other = doors.give(name), doors.give(f"{name}-other")
    device, owner = Client.device(doors, curious), Client.device(doors, other)
    for topic in (f"vigie/v1/{other.name}/receipts", "vigie/v1/+/receipts", "#", "$SYS/#"):
        device.subscribe(topic)
    device.subscribe(f"vigie/v1/{name}/receipts")
    owner.subscribe(f"vigie/v1/{other.name}/receipts")
    watcher.publish(f"vigie/v1/{other.name}/receipts", b"for the other")
    owner.wait_for(b"for the other")
    watcher.publish(f"vigie/v1/{name}/receipts", b"its own")
    device.wait_for(b"its own")
    assert {topic for topic, _ in device.got} == {f"vigie/v1/{name}/receipts"}
    device.close()
    owner.close()


def test_without_a_certificate_nobody_comes_in(doors: Doors, arrived: Nothing, name: str) -> None:
    folder = doors.give(name)
    proof = ("--cafile", folder / handing.AUTHORITY)
    assert publish(doors, "mqtt-tls", name, *proof).returncode != 0
    assert publish(doors, "mqtt-tls", name).returncode != 0, "nor without TLS"
    assert not arrived


def test_an_expired_certificate_lets_nobody_in(doors: Doors, arrived: Nothing, name: str) -> None:
    # Given thirty days ago for 29; the list of that day is renewed, as each command does.
    folder = doors.give(name, clock=from_now(-30), life=29 * DAY)
    doors.work(lambda authority: authority.save())
    assert publish(doors, "mqtt-tls", name, *certificate(folder)).returncode != 0
    assert not arrived


def test_a_certificate_of_a_foreign_authority_lets_nobody_in(
    doors: Doors, arrived: Nothing, name: str, tmp_path: Path
) -> None:
    folder = doors.give(name)
    authorities.create(tmp_path / "foreign", "Vigie")
    with authorities.opened(tmp_path / "foreign") as foreign:
        wanted = [issuing.Wanted(name, "any")]
        given = issuing.sign(foreign, wanted, life=LIFE, password=False)
        handing.write(given, tmp_path, certificates.pem(foreign.certificate))
    shutil.copy(folder / handing.AUTHORITY, tmp_path / name / handing.AUTHORITY)
    assert publish(doors, "mqtt-tls", name, *certificate(tmp_path / name)).returncode != 0
    assert not arrived


def test_a_wrong_password_or_none_lets_nobody_in(doors: Doors, arrived: Nothing, name: str) -> None:
    folder, other = doors.give(name, password=True), doors.give(f"{name}-other", password=True)
    door = "mqtt-tls-by-password"
    others = (other / handing.PASSWORD).read_text(encoding="utf-8").strip()
    assert publish(doors, door, name, *password(folder, "wrong")).returncode != 0
    assert publish(doors, door, name, *password(folder, others)).returncode != 0
    assert publish(doors, door, name, "--cafile", folder / handing.AUTHORITY).returncode != 0
    assert publish(doors, "mqtt-tls", name, *password(folder)).returncode != 0
    assert not arrived


def test_a_certificate_opens_neither_the_password_s_door_nor_the_gateway_s(
    doors: Doors, arrived: Nothing, name: str
) -> None:
    proof = certificate(doors.give(name))
    for door in ("mqtt-tls-by-password", "mqtt-tls-gateway"):
        assert publish(doors, door, name, *proof).returncode != 0
    assert not arrived


def test_a_device_s_password_does_not_open_the_gateway_s_door(
    doors: Doors, arrived: Nothing, name: str
) -> None:
    folder = doors.give(name, password=True)
    assert publish(doors, "mqtt-tls-gateway", name, *password(folder)).returncode != 0
    assert not arrived


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_a_revoked_device_is_refused_once_the_broker_has_read_it(
    doors: Doors, watcher: Client, name: str, by: str
) -> None:
    folder = doors.give(name, password=by == "password")
    door, proof = ("mqtt-tls", certificate(folder))
    if by == "password":
        door, proof = ("mqtt-tls-by-password", password(folder))
    assert publish(doors, door, name, *proof, text=f"before {name}").returncode == 0
    watcher.wait_for(f"before {name}".encode())
    doors.work(lambda authority: authority.revoke(name, Reason.COMPROMISED))
    assert publish(doors, door, name, *proof, text=f"after {name}").returncode != 0
    test_a_device_with_its_certificate_publishes_and_hears_its_receipt(doors, watcher, f"{name}-1")
    assert f"after {name}".encode() not in [payload for _, payload in watcher.got]


def test_who_is_connected_when_revoked_stays_until_the_next_connect(
    doors: Doors, watcher: Client, name: str
) -> None:
    device = Client.device(doors, doors.give(name))
    doors.work(lambda authority: authority.revoke(name, Reason.COMPROMISED))
    # The gateway refuses what it sends, by the registry; the broker looks at connects only.
    assert device.publish(f"vigie/v1/{name}/readings", name.encode())
    watcher.wait_for(name.encode())
    assert device.ends == 0
    device.close()


def test_who_is_connected_by_a_password_that_is_revoked_is_sent_away_at_once(
    doors: Doors, watcher: Client, name: str
) -> None:
    device = Client.device(doors, doors.give(name, password=True))
    doors.work(lambda authority: authority.revoke(name, Reason.COMPROMISED))
    wait_until(lambda: device.ends, "the broker ends the connection")
    device.close()
    assert watcher.ends == 0


def test_a_reload_ends_nobody_s_connection(doors: Doors, watcher: Client, name: str) -> None:
    folders = [doors.give(name), doors.give(f"{name}-p", password=True)]
    clients = [Client.device(doors, folder) for folder in folders]
    doors.give(f"{name}-new")
    for client, folder in zip(clients, folders, strict=True):
        assert client.publish(f"vigie/v1/{folder.name}/readings", folder.name.encode())
        watcher.wait_for(folder.name.encode())
        client.close()
    # Each has said goodbye itself, once.
    assert [client.ends for client in clients] == [1, 1]
    assert watcher.ends == 0


@pytest.mark.parametrize("by", ["certificate", "password"])
def test_nobody_takes_over_another_device_s_session(
    doors: Doors, watcher: Client, name: str, by: str
) -> None:
    owner, thief = doors.give(name), doors.give(f"{name}-thief", password=by == "password")
    device = Client.device(doors, owner)
    other = Client.device(doors, thief, name=name)
    assert not other.publish(f"vigie/v1/{name}/readings", b"stolen")
    assert other.publish(f"vigie/v1/{thief.name}/readings", b"its own")
    assert device.publish(f"vigie/v1/{name}/readings", b"still here")
    watcher.wait_for(b"still here")
    assert device.ends == 0
    device.close()
    other.close()


def test_a_rotated_certificate_counts_until_the_overlap_ends(doors: Doors, name: str) -> None:
    folder = doors.give(name)
    old = shutil.copytree(folder, folder.with_name(f"{name}-old"))

    def rotate(authority: authorities.Authority) -> None:
        given = issuing.rotate(authority, name, life=LIFE, overlap=7 * DAY)
        handing.write([given], doors.given, certificates.pem(authority.certificate))

    doors.work(rotate)
    for both in (old, folder):
        assert publish(doors, "mqtt-tls", name, *certificate(both)).returncode == 0
    # A week later: the daily renewal. Its list is of a moment that is still to come, so a list made
    # then would not be valid yet; what counts is which certificates it names.
    with authorities.opened(doors.authority, clock=from_now(8)) as authority:
        assert authority.renew(spare=True) == ["the revocation list"]
        serials = {one.serial_number for one in authority.revocations}
        (first, second) = [int(one.serial or "", 16) for one in authority.of(name)]
    assert first in serials
    assert second not in serials
    doors.work(lambda authority: authority.save())


def test_an_overlap_of_no_days_ends_the_old_certificate_at_once(doors: Doors, name: str) -> None:
    folder = doors.give(name)
    old = shutil.copytree(folder, folder.with_name(f"{name}-old"))

    def rotate(authority: authorities.Authority) -> None:
        given = issuing.rotate(authority, name, life=LIFE, overlap=0 * DAY)
        handing.write([given], doors.given, certificates.pem(authority.certificate))

    doors.work(rotate)
    assert publish(doors, "mqtt-tls", name, *certificate(old)).returncode != 0
    assert publish(doors, "mqtt-tls", name, *certificate(folder)).returncode == 0


def test_an_expired_list_locks_everybody_out_until_it_is_renewed(doors: Doors, name: str) -> None:
    folder = doors.give(name)
    long_ago = At(from_now(0).moment - authorities.LIST_LIFE - DAY)
    doors.work(lambda authority: authority.save(), long_ago)
    assert publish(doors, "mqtt-tls", name, *certificate(folder)).returncode != 0
    assert doors.work(lambda authority: authority.renew(spare=True)) == ["the revocation list"]
    assert publish(doors, "mqtt-tls", name, *certificate(folder)).returncode == 0


def test_the_broker_speaks_tls_1_3_and_nothing_before_1_2(doors: Doors, name: str) -> None:
    folder = doors.give(name)
    for door in ("mqtt-tls", "mqtt-tls-by-password", "mqtt-tls-gateway"):
        assert handshake(doors.port(door), folder, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        assert handshake(doors.port(door), folder, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert handshake(doors.port(door), folder, ssl.TLSVersion.TLSv1_1) is None


def handshake(port: int, folder: Path, version: ssl.TLSVersion) -> str | None:
    """Shake hands in this version only; None when the broker does not want to."""
    context = ssl.create_default_context(cafile=folder / handing.AUTHORITY)
    context.load_cert_chain(folder / handing.CERTIFICATE, folder / handing.KEY)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection((HOST, port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            return secured.version()
    except (ssl.SSLError, ConnectionResetError):
        return None
