"""Simulated devices on a real Mosquitto: each message has its receipt, whatever is lost between."""

from __future__ import annotations

import gc
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulators.bedside import Bedside
from simulators.play import Feed, Outcome, Pace, Player
from simulators.series import bed
from simulators.ward import Stay
from tests.integration.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.pending import Tally

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
DEVICES = 5


class StandIn:
    """Takes messages as the gateway does, without a log; does not answer each `deaf`-th new one."""

    def __init__(self, port: int, deaf: int = 0) -> None:
        self.instants: dict[tuple[str, str], dict[str, Any]] = {}
        self.messages = 0
        self._deaf = deaf
        ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="gateway", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("vigie/v1/+/readings", qos=1)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(20)

    def _take(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.messages += 1
        device, content = message.topic.split("/")[2], json.loads(message.payload)
        new = (device, content["readings"][0]["time"]) not in self.instants
        for reading in content["readings"]:
            self.instants[device, reading["time"]] = reading
        if new and self._deaf and self.messages % self._deaf == 0:
            return
        receipt = {"safe": [[content["seq"]] * 2], "refused": []}
        client.publish(f"vigie/v1/{device}/receipts", json.dumps(receipt))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.kill()


def stays(seconds: float) -> list[Stay]:
    beds = [bed(f"sim-1-{number}", number, profile="ward") for number in range(DEVICES)]
    return [Stay(b, 1, START, seconds=seconds) for b in beds]


def play(
    url: str,
    played: list[Stay],
    per_message: int,
    watch: Callable[[Tally], object] = lambda _: None,
) -> Outcome:
    """Play the stays as fast as receipts come."""

    def connect(device: str, on_receipt: Callable[[], object]) -> Bedside:
        return Bedside(device, url, first_seq=1, on_receipt=on_receipt, window=20)

    player = Player(connect, connections=DEVICES, patience_seconds=60)
    feeds = [Feed(stay.bed.device, stay.samples(), per_message) for stay in played]
    return player.run(feeds, Pace(START, START, None), watch)


def expected(played: list[Stay]) -> dict[tuple[str, str], dict[str, Any]]:
    instants = [(s.bed.device, sample.instant()) for s in played for sample in s.samples()]
    return {(device, str(instant["time"])): instant for device, instant in instants}


def test_every_instant_arrives_and_has_its_receipt_though_receipts_are_lost(broker: Broker) -> None:
    gateway, played = StandIn(broker.port, deaf=7), stays(seconds=120)
    try:
        outcome = play(broker.url, played, per_message=10)
    finally:
        gateway.close()
    assert outcome.whole
    assert outcome.tally.safe == outcome.tally.sent == DEVICES * 12
    assert outcome.tally.repeated > 0
    assert gateway.instants == expected(played)


def test_devices_outlive_a_broker_that_is_killed(broker: Broker) -> None:
    gateway, played = StandIn(broker.port), stays(seconds=1200)
    killed = threading.Event()

    def kill_in_the_middle(tally: Tally) -> None:
        if tally.safe >= DEVICES * 20 and not killed.is_set():
            killed.set()
            broker.kill()
            broker.start()

    try:
        outcome = play(broker.url, played, 1, kill_in_the_middle)
    finally:
        gateway.close()
    assert killed.is_set()
    assert outcome.whole
    assert outcome.tally.instants == DEVICES * 1200
    assert gateway.instants == expected(played)


def test_devices_that_come_and_go_leave_no_descriptor_behind(broker: Broker) -> None:
    descriptors = Path("/proc/self/fd")
    gc.disable()  # so that what is left to the garbage collector is seen
    try:
        before = len(list(descriptors.iterdir()))
        for number in range(30):
            Bedside(f"d-{number}", broker.url, first_seq=1).close()
        assert len(list(descriptors.iterdir())) <= before + 3
    finally:
        gc.enable()
