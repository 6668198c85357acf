"""The reference device: all that a device owes Vigie, over MQTT 5, from top to bottom.

What it may not forget is in `simulators/pending.py`; `docs/devices.md` tells the rules in words.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog

from simulators.address import address, lasting
from simulators.metrics import MESSAGES, RECEIPTS
from simulators.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from simulators.series import Value

KEEPALIVE_SECONDS = 30
HERE, GONE, LOST = b'{"state":"online"}', b'{"state":"offline"}', b'{"state":"lost"}'


class Bedside:
    """One device, connected from its construction on, with a network thread of its own.

    `url`, `credentials`: see `address`, and what it raises; `first_seq`, `window`: see Pending.
    `on_receipt` runs in the network thread and must not block. An absent broker is awaited.
    """

    def __init__(
        self,
        device: str,
        url: str,
        *,
        first_seq: int,
        credentials: Path | None = None,
        on_receipt: Callable[[], object] = lambda: None,
        window: int = 200,
    ) -> None:
        self.device, self._base = device, f"vigie/v1/{device}"
        self.pending, self._on_receipt = Pending(first_seq, window), on_receipt
        self._lock, self._hearing = threading.Lock(), threading.Event()
        broker, (session, will) = address(url, credentials), lasting()
        client = self._client = broker.client(device)  # its client id is the device's own name
        client.will_set(f"{self._base}/presence", LOST, qos=1, retain=True, properties=will)
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_message, client.on_disconnect = self._receipt, lambda *_: self._hearing.clear()
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        client.connect_async(broker.host, broker.port, KEEPALIVE_SECONDS, properties=session)
        client.loop_start()

    def _connected(self, client: Any, _data: object, _flags: object, *told: Any) -> None:
        if (reason := told[0]).is_failure:
            log = structlog.get_logger()
            log.warning("the broker refuses the device", device=self.device, reason=str(reason))
        else:
            client.publish(f"{self._base}/presence", HERE, qos=1, retain=True)
            client.subscribe(f"{self._base}/receipts", qos=1)

    def _subscribed(self, *_: object) -> None:
        with self._lock:
            self.pending.hurry(monotonic())  # receipts may have been lost while we were away
            self._hearing.set()
        self._on_receipt()

    def send(self, readings: Sequence[dict[str, Value]]) -> None:
        """Keep the instants as one message, and publish it as soon as there is a connection."""
        with self._lock:
            self.pending.add(readings, monotonic())
        MESSAGES.inc()
        self.pump()

    def pump(self) -> None:
        """Publish what is due: call it a few times a second. Never blocks on the network."""
        if self._hearing.is_set():  # else no receipt could reach us, and paho would pile it all up
            with self._lock:
                payloads = self.pending.due(monotonic())
            for payload in payloads:
                self._client.publish(f"{self._base}/readings", payload, qos=1)

    def _receipt(self, _client: object, _data: object, message: Any) -> None:
        with self._lock:  # what the receipt names may be forgotten now, and not before
            RECEIPTS.inc(self.pending.receipt(bytes(message.payload)))
        self._on_receipt()

    def close(self) -> None:
        """Say goodbye and disconnect: no alarm. What has no receipt is given up."""
        if (client := self._client).is_connected():
            client.publish(f"{self._base}/presence", GONE, qos=1, retain=True)
        client.disconnect()  # leaves after the goodbye
        client.loop_stop()
        # Untied from us, the client's descriptors are closed now, not at some later collection.
        client.on_connect = client.on_subscribe = client.on_message = client.on_disconnect = None
