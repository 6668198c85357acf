"""Births, goodbyes and Last Wills on a real Mosquitto, as each gateway hears them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ingest import metrics
from ingest.conduct import Conduct
from ingest.mqtt import Mqtt5Source
from ingest.mqtt_paho import PahoSource
from tests.integration.broker import Broker
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path, "sys_interval 1\n")
    made.start()
    yield made
    made.kill()


class Device:
    """A device with a birth message and a Will, both retained."""

    def __init__(self, name: str, port: int) -> None:
        self.topic = f"vigie/v1/{name}/presence"
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.will_set(self.topic, b'{"state": "lost"}', qos=1, retain=True)
        self.client.connect("127.0.0.1", port, keepalive=10)
        self.client.loop_start()
        self.say(b'{"state": "online"}')

    def say(self, payload: bytes) -> None:
        self.client.publish(self.topic, payload, qos=1, retain=True).wait_for_publish(30)

    def leave(self) -> None:
        self.say(b'{"state": "offline"}')
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self) -> None:
        """Break the connection without a word."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()


class Gateway:
    """As much of a gateway as hears of presence."""

    def __init__(self, source: Mqtt5Source | PahoSource) -> None:
        self.source, self.conduct = source, Conduct(quota=1.0)
        self.foreign: list[str] = []

    def take(self, topic: str, payload: bytes, packet: int) -> None:
        if packet or not self.conduct.heard(topic, payload):
            self.foreign.append(topic)

    def count(self) -> tuple[float, float]:
        self.conduct.tell(0.0)
        return metrics.DEVICES_CONNECTED._value.get(), metrics.DEVICES_LOST._value.get()

    async def until(self, *expected: float) -> None:
        await until(lambda: self.count() == expected, f"{expected} connected and lost")


async def until(holds: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, holds, what, 30, pause=0.05)


@pytest.fixture(params=[Mqtt5Source, PahoSource], ids=["mqtt5", "paho, 3.1.1"])
async def gateway(broker: Broker, request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    made = Gateway(request.param(broker.url, "gateway-1"))
    work = asyncio.create_task(made.source.run(made.take, lambda: None))
    yield made
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_who_is_there_who_left_and_who_was_lost(broker: Broker, gateway: Gateway) -> None:
    leaving, lost, staying = (Device(f"dev-{n}", broker.port) for n in range(3))
    await gateway.until(3, 0)
    leaving.leave()
    await gateway.until(2, 0)
    lost.vanish()
    await gateway.until(1, 1)
    back = Device("dev-1", broker.port)
    await gateway.until(2, 0)
    for device in (back, staying):
        device.leave()
    await gateway.until(0, 0)
    assert gateway.foreign == []


async def test_a_gateway_that_starts_later_hears_of_those_who_are_there(broker: Broker) -> None:
    device = Device("dev-1", broker.port)
    for name in ("gateway-1", "gateway-2"):
        late = Gateway(Mqtt5Source(broker.url, name))
        work = asyncio.create_task(late.source.run(late.take, lambda: None))
        await late.until(1, 0)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    device.leave()


async def test_what_waits_in_the_broker_is_seen_before_anything_is_dropped(
    broker: Broker, gateway: Gateway
) -> None:
    device = Device("dev-1", broker.port)
    await gateway.until(1, 0)  # it hears, so it has subscribed
    metrics.BROKER_STORED.set(0)
    for number in range(500):  # nobody acknowledges them
        device.client.publish("vigie/v1/dev-1/readings", str(number), qos=1)
    await until(lambda: metrics.BROKER_STORED._value.get() >= 400, "the queue in a metric")
    assert metrics.BROKER_DROPPED._value.get() == 0
    device.leave()
