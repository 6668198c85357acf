"""A device that knows only the MQTT contract: what the chaos and scenario tests send with.

Written apart from `simulators/bedside.py` on purpose: a mistake shared by the reference device and
the gateway would otherwise go unseen.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def instant(time: datetime, **vitals: object) -> dict[str, object]:
    """One element of `readings`, as a device sends it."""
    return {"time": time.isoformat().replace("+00:00", "Z"), **vitals}


class Outsider:
    """Publishes with QoS 1, keeps each message until its receipt, sends again when asked to."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.safe: set[int] = set()
        self.refused: list[dict[str, Any]] = []
        self.sent: dict[int, list[dict[str, object]]] = {}
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.on_connect = lambda *_: self._subscribe()
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._receipt
        self.client.reconnect_delay_set(min_delay=1, max_delay=2)
        address = urlsplit(url)
        self.client.connect(address.hostname or "127.0.0.1", address.port or 1883, keepalive=10)
        self.client.loop_start()
        assert self._subscribed.wait(30), f"{name}: no SUBACK"

    def publish(self, seq: int, readings: Sequence[dict[str, object]]) -> None:
        with self._lock:
            self.sent[seq] = list(readings)
        self._send(seq)

    def raw(self, payload: bytes, topic: str | None = None) -> mqtt.MQTTMessageInfo:
        return self.client.publish(topic or f"vigie/v1/{self.name}/readings", payload, qos=1)

    @property
    def pending(self) -> set[int]:
        """Messages without a receipt so far."""
        with self._lock:
            return self.sent.keys() - self.safe

    def repeat(self) -> None:
        """Send again what has no receipt, as a device does after a while."""
        for seq in sorted(self.pending):
            self._send(seq)

    def wait_for_receipts(self, seconds: float = 90) -> None:
        """Repeat until each message has its receipt."""
        wait_until(
            lambda: not self.pending,
            f"{self.name}: a receipt for each message",
            seconds,
            pause=2,
            meanwhile=self.repeat,
        )

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _subscribe(self) -> None:
        self.client.subscribe(f"vigie/v1/{self.name}/receipts", qos=1)

    def _send(self, seq: int) -> None:
        self.raw(json.dumps({"seq": seq, "readings": self.sent[seq]}).encode())

    def _receipt(self, _client: object, _userdata: object, message: mqtt.MQTTMessage) -> None:
        receipt = json.loads(message.payload)
        with self._lock:
            self.refused += receipt.get("refused", [])
            for first, last in receipt["safe"]:
                self.safe.update(range(first, last + 1))
