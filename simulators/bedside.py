"""The reference device: the MQTT contract of Vigie, spoken with paho-mqtt.

A device maker can read it as an example: QoS 1, client id = device id, every message kept until
its receipt, sent again without one.
"""

from __future__ import annotations

import ssl
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt  # noqa: TID251 (the simulated device is the one user of paho here)
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: TID251 (as above)

from ingest.ports import SettingError
from simulators.metrics import MESSAGES, RECEIPTS
from simulators.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from simulators.series import Value

_log = structlog.get_logger()

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_SECONDS = 30


class Bedside:
    """One device, connected from its construction on, with a network thread of its own.

    `first_seq`: see Pending. `credentials` holds `ca.crt`, `client.crt`, `client.key` for mqtts://.
    `on_receipt` is called in the network thread and must not block. Raises SettingError for an
    address or certificates that cannot be used; a broker that is away is tried again for ever.
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
        self.device = device
        self.pending = Pending(first_seq, window)
        self._on_receipt = on_receipt
        self._lock = threading.Lock()
        self._listening = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=device, protocol=MQTTProtocolVersion.MQTTv5
        )
        address = urlsplit(url)
        if address.scheme not in PORTS or not address.hostname:
            raise SettingError("the devices' broker must be mqtt://host:port or mqtts://host:port")
        if address.username:
            self._client.username_pw_set(address.username, address.password)
        if address.scheme == "mqtts":
            self._present(credentials)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._receipt
        self._client.reconnect_delay_set(min_delay=1, max_delay=10)
        port = address.port or PORTS[address.scheme]
        self._client.connect_async(address.hostname, port, KEEPALIVE_SECONDS)
        self._client.loop_start()

    def send(self, readings: Sequence[dict[str, Value]]) -> None:
        """Keep the instants as one message, and publish it as soon as there is a connection."""
        with self._lock:
            self.pending.add(readings, monotonic())
        MESSAGES.inc()
        self.pump()

    def pump(self) -> None:
        """Publish what is due: call it a few times a second. Never blocks on the network."""
        if not self._listening:
            return  # a receipt could not reach us yet, and paho would pile up what we keep anyway
        with self._lock:
            payloads = self.pending.due(monotonic())
        for payload in payloads:
            self._client.publish(f"vigie/v1/{self.device}/readings", payload, qos=1)

    def close(self) -> None:
        """Disconnect; what has no receipt is given up."""
        self._client.disconnect()
        self._client.loop_stop()
        # The callbacks tie client and device into a cycle; untied, the client's three descriptors
        # are closed now and not at some later garbage collection.
        self._client.on_connect = self._client.on_disconnect = None
        self._client.on_subscribe = self._client.on_message = None

    def _present(self, credentials: Path | None) -> None:
        if credentials is None:
            raise SettingError("mqtts:// needs a folder with each device's certificate")
        authority, certificate, key = (
            str(credentials / name) for name in ("ca.crt", "client.crt", "client.key")
        )
        try:
            self._client.tls_set(authority, certificate, key, cert_reqs=ssl.CERT_REQUIRED)
        except OSError as error:
            raise SettingError(f"{credentials}: {error.strerror or 'no certificate'}") from None

    def _connected(self, client: mqtt.Client, _data: object, _flags: object, *rest: Any) -> None:
        if rest[0].is_failure:
            _log.warning("the broker refuses the device", device=self.device, reason=str(rest[0]))
            return
        client.subscribe(f"vigie/v1/{self.device}/receipts", qos=1)

    def _subscribed(self, *_: object) -> None:
        with self._lock:
            self.pending.hurry(monotonic())
            self._listening = True
        self._on_receipt()

    def _disconnected(self, *_: object) -> None:
        self._listening = False

    def _receipt(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            settled = self.pending.receipt(bytes(message.payload))
        RECEIPTS.inc(settled)
        self._on_receipt()
