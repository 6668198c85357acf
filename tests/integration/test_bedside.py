"""The reference device on a real broker: its birth, its goodbye, and its Will."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulators import address
from simulators.bedside import Bedside
from tests.integration.broker import Broker
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

HERE, GONE, LOST = '{"state":"online"}', '{"state":"offline"}', '{"state":"lost"}'


class Watcher:
    """Hears what devices say of themselves, and whether the broker kept it."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bool]] = []
        subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, "watcher", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = lambda *told: self.heard.append(
            (told[2].payload.decode(), told[2].retain)
        )
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("vigie/v1/+/presence", qos=1)
        self._client.loop_start()
        assert subscribed.wait(20)

    @property
    def states(self) -> list[str]:
        return [state for state, _ in self.heard]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_subscribe = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def watcher(broker: Broker) -> Iterator[Watcher]:
    made = Watcher(broker.port)
    yield made
    made.close()


def cut(device: Bedside) -> None:
    """Break the connection, as a network does."""
    link = device._client.socket()
    assert isinstance(link, socket.socket)
    link.shutdown(socket.SHUT_RDWR)


def test_a_clean_end_is_said_and_is_no_loss(broker: Broker, watcher: Watcher) -> None:
    device = Bedside("d-1", broker.url, first_seq=1)
    wait_until(lambda: watcher.states == [HERE], "its birth message", 20)
    device.close()
    wait_until(lambda: watcher.states == [HERE, GONE], "its goodbye", 20)
    late = Watcher(broker.port)
    wait_until(lambda: late.heard == [(GONE, True)], "the broker remembers it", 20)
    late.close()


def test_a_device_that_does_not_come_back_is_lost_until_it_does(
    broker: Broker, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "LOST_AFTER_SECONDS", 1)
    device = Bedside("d-1", broker.url, first_seq=1)
    wait_until(lambda: watcher.states == [HERE], "its birth message", 20)
    device._client.loop_stop()  # as when its battery is empty
    cut(device)
    wait_until(lambda: watcher.states == [HERE, LOST], "its Will", 30)
    device.close()
    again = Bedside("d-1", broker.url, first_seq=1)
    wait_until(lambda: watcher.states == [HERE, LOST, HERE], "there again", 20)
    again.close()


def test_a_short_absence_is_no_loss(broker: Broker, watcher: Watcher) -> None:
    device = Bedside("d-1", broker.url, first_seq=1)
    wait_until(lambda: watcher.states == [HERE], "its birth message", 20)
    cut(device)
    wait_until(lambda: watcher.states == [HERE, HERE], "there again within the Will's delay", 30)
    device.close()
