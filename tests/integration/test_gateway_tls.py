"""The gateway's own way to the broker over TLS."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from deploy.local import servers
from ingest import topics
from ingest.identity import authority as authorities
from ingest.identity import handing
from ingest.mqtt import Mqtt5Source
from ingest.ports import SettingError
from tests.integration.identities import (
    DEADLINE_SECONDS,
    HOST,
    Client,
    Doors,
    certificate,
    publish,
)
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Run a broker of this module's own: its tests revoke, reload, and let its lists expire."""
    folder = tmp_path_factory.mktemp("identity")
    running = servers.start(folder, ("mosquitto",), throwaway=True, say=lambda _: None)
    yield Doors(running, folder / "given")
    running.stop()


@pytest.fixture
def name() -> str:
    return f"dev-{uuid.uuid4().hex[:8]}"


def forget(doors: Doors, gateway: str) -> None:
    """End the session that a gateway has left: it would go on being given its turn."""
    Client.gateway(doors, gateway).close()


async def test_a_gateway_comes_in_over_tls_by_its_password(doors: Doors, name: str) -> None:
    folder, secret = doors.give(name), urlsplit(doors.servers.environment["VIGIE_MQTT"]).password
    door = f"mqtts://gateway:{{}}@{HOST}:{doors.port('mqtt-tls-gateway')}"
    source = Mqtt5Source(f"{door.format(secret)}?ca={folder / handing.AUTHORITY}", "gateway-9")
    got: list[bytes] = []
    ready = asyncio.Event()

    def take(_topic: str, payload: bytes, packet: int) -> None:
        got.append(payload)
        if packet:
            source.acknowledge([packet])

    running = asyncio.create_task(source.run(take, ready.set))
    await asyncio.wait_for(ready.wait(), DEADLINE_SECONDS)

    def heard() -> bool:
        done = publish(doors, "mqtt-tls", name, *certificate(folder), text="to TLS")
        return not done.returncode and b"to TLS" in got

    await asyncio.to_thread(wait_until, heard, "the gateway hears the device")
    await source.close()
    running.cancel()
    wrong = Mqtt5Source(f"{door.format('wrong')}?ca={folder / handing.AUTHORITY}", "gateway-9")
    with pytest.raises(SettingError, match="refuses the user or password"):
        await wrong.run(lambda *_: None, lambda: None)
    forget(doors, "gateway-9")


async def test_a_device_gets_no_turn_of_what_the_gateways_share(doors: Doors, name: str) -> None:
    url = doors.servers.environment["VIGIE_MQTT"]
    assert topics.shared(url) != topics.OPEN_GROUP
    # A session of Vigie 0.1, whose gateways had the open group: the gateway resumes it.
    old = Client.gateway(doors, f"gateway-{name}", stays=True)
    for topic in topics.OPEN_GROUP:
        old.subscribe(topic)
    old.close()
    source = Mqtt5Source(url, f"gateway-{name}")
    got: list[bytes] = []

    def take(_topic: str, payload: bytes, packet: int) -> None:
        got.append(payload)
        if packet:
            source.acknowledge([packet])

    source.on_message = take
    await source._open()
    thief = Client.device(doors, doors.give(f"{name}-thief"))
    for topic in topics.OPEN_GROUP:
        thief.subscribe(topic)
    device = Client.device(doors, doors.give(name))
    sent = [f"{name} {number}".encode() for number in range(10)]
    for payload in sent:
        assert await asyncio.to_thread(device.publish, f"vigie/v1/{name}/readings", payload)
    await asyncio.to_thread(wait_until, lambda: set(sent) <= set(got), "all of them arrive")
    assert [payload for payload in got if payload in sent] == sent, "each once, and in order"
    assert thief.got == []
    for client in (device, thief):
        client.close()
    await source.close()
    forget(doors, f"gateway-{name}")


async def test_a_gateway_whose_tls_connection_is_lost_can_still_be_ended(
    doors: Doors, name: str
) -> None:
    secret = urlsplit(doors.servers.environment["VIGIE_MQTT"]).password
    door = f"mqtts://gateway:{secret}@{HOST}:{doors.port('mqtt-tls-gateway')}"
    source = Mqtt5Source(f"{door}?ca={doors.give(name) / handing.AUTHORITY}", f"gateway-{name}")
    link = await source._open()
    source.acknowledge([0])  # which is no packet's number: the broker closes the connection
    await asyncio.wait_for(link.closed, DEADLINE_SECONDS)
    source.acknowledge([1])
    source.publish(f"vigie/v1/{name}/receipts", b"{}")
    await source.close()
    forget(doors, f"gateway-{name}")


async def test_a_gateway_does_not_speak_to_a_broker_of_a_foreign_authority(
    doors: Doors, tmp_path: Path
) -> None:
    authorities.create(tmp_path / "foreign", "Vigie")
    url = f"mqtts://gateway:secret@{HOST}:{doors.port('mqtt-tls-gateway')}"
    source = Mqtt5Source(f"{url}?ca={tmp_path / 'foreign' / 'ca.crt'}", "gateway-9")
    with pytest.raises(ssl.SSLCertVerificationError):
        await source._session()


async def test_a_gateway_shows_its_own_certificate_where_the_broker_wants_one(
    doors: Doors, name: str
) -> None:
    folder = doors.give(name)
    url = f"mqtts://{HOST}:{doors.port('mqtt-tls')}?ca={folder / handing.AUTHORITY}"
    own = f"&cert={folder / handing.CERTIFICATE}&key={folder / handing.KEY}"
    source = Mqtt5Source(url + own, name)
    ready = asyncio.Event()
    running = asyncio.create_task(source.run(lambda *_: None, ready.set))
    await asyncio.wait_for(ready.wait(), DEADLINE_SECONDS)
    running.cancel()
    with pytest.raises(SettingError, match="certificates cannot be read"):
        Mqtt5Source(f"{url}&cert={folder / 'none.crt'}", name)
