"""A broker that speaks only MQTT 3.1.1, by paho-mqtt in our own loop, behind the same port.

Shared subscriptions are an MQTT 5 thing, and so is a session's expiry: one gateway per such broker,
and the session stays until the broker forgets it. paho's thread is not used.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt  # noqa: TID251 (this is its one adapter)
import structlog
from paho.mqtt.enums import (  # noqa: TID251 (as above)
    CallbackAPIVersion,
    MQTTErrorCode,
    MQTTProtocolVersion,
)

from ingest import reconnect, topics
from ingest.ports import BrokerUnavailable, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.reasoncodes import ReasonCode  # noqa: TID251 (as above)

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 30
ANSWER_SECONDS = 10.0
MISC_SECONDS = 0.1
# Nobody subscribes to it: to unsubscribe from it is a sign of life and nothing else.
NOWHERE = "vigie/v1/-/nowhere"
_REFUSED = {"Bad user name or password", "Not authorized", "Client identifier not valid"}


class PahoSource:
    """The broker named by `url` (mqtt3://), under a fixed client id; see `ports.Source`."""

    def __init__(self, url: str, name: str, *, keep_alive: int = KEEP_ALIVE_SECONDS) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 1883
        self._user, self._password = address.username, unquote(address.password or "")
        self._name, self._keep_alive = name, keep_alive
        self._client: mqtt.Client | None = None
        # The socket's number, while it is read in our loop: paho closes the socket by itself.
        self._reading: int | None = None
        self._socket: int | None = None
        self._paused = False
        # Since a pause nothing was read: paho would take the silence, which is ours, for the end.
        self._deaf = False
        self.connected = False
        self.on_message: Callable[[str, bytes, int], None] = lambda *_: None
        self.on_connected: Callable[[], None] = lambda: None

    async def run(
        self,
        on_message: Callable[[str, bytes, int], None],
        on_connected: Callable[[], None],
    ) -> None:
        """Stay connected until cancelled; see `ports.Source`."""
        self.on_message, self.on_connected = on_message, on_connected
        await reconnect.for_ever(self._session)

    def acknowledge(self, packets: Sequence[int]) -> None:
        """Send PUBACKs, in this order."""
        if self.connected and self._client is not None:
            for packet in packets:
                self._client.ack(packet, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one message with QoS 0."""
        if self.connected and self._client is not None:
            self._client.publish(topic, payload, qos=0)

    def pause(self) -> None:
        """Stop reading; keep-alive goes on from our side."""
        if not self._paused:
            self._stop_reading()
        self._paused = self._deaf = True

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._socket is not None and self._client is not None:
            self._read_from(self._client, self._socket)
        self._paused = False

    async def close(self) -> None:
        """Say DISCONNECT and close; the session stays with the broker."""
        if self._client is not None:
            self._client.disconnect()
        self.connected = False

    async def _session(self) -> str:
        """Connect and stay; returns why the connection ended."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        answered: asyncio.Future[ReasonCode] = loop.create_future()
        client = self._new_client(ended, answered)
        try:
            # paho's connect blocks: only there does a thread help.
            await asyncio.to_thread(client.connect, self._host, self._port, self._keep_alive)
            sock = client.socket()
            if sock is None:
                raise BrokerUnavailable("no connection")
            self._client, self._socket = client, sock.fileno()
            self._paused = self._deaf = False
            self._read_from(client, self._socket)
            misc = asyncio.create_task(self._misc(client))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    code = await answered
                if code.is_failure:
                    _refused(str(code))
                self.connected = True
                log.info("connected to the broker")
                return await ended
            finally:
                misc.cancel()
        finally:
            self.connected = False
            self._stop_reading()
            self._socket = None
            client.disconnect()

    def _new_client(
        self, ended: asyncio.Future[str], answered: asyncio.Future[ReasonCode]
    ) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        if self._user:
            client.username_pw_set(self._user, self._password)

        def connected(*found: object) -> None:
            code: ReasonCode = found[3]  # type: ignore[assignment]  # client, userdata, flags, code
            if not code.is_failure:
                self.connected = True
                self.on_connected()
                client.subscribe(
                    [(topic, 1) for topic in topics.MESSAGES]
                    + [(topic, 0) for topic in topics.HEARD]
                )
            if not answered.done():
                answered.set_result(code)

        def disconnected(*_: object) -> None:
            if not ended.done():
                ended.set_result("closed by the broker")
            if not answered.done():
                answered.set_exception(BrokerUnavailable("closed by the broker"))

        def subscribed(*found: object) -> None:
            codes: list[ReasonCode] = found[3]  # type: ignore[assignment]  # client, userdata, mid, codes
            refused = [topic for topic, code in zip(topics.MESSAGES, codes) if code.is_failure]  # noqa: B905 (what is only heard may be refused)
            if refused and not ended.done():
                why = f"VIGIE_MQTT: the broker does not let us subscribe to {refused[0]}"
                ended.set_exception(SettingError(why))

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_disconnect = disconnected
        client.on_socket_close = lambda *_: self._stop_reading()
        client.on_message = lambda _client, _data, message: self.on_message(
            message.topic, bytes(message.payload), message.mid if message.qos else 0
        )
        return client

    def _read_from(self, client: mqtt.Client, number: int) -> None:
        def read() -> None:
            self._deaf = False
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._stop_reading()

        asyncio.get_running_loop().add_reader(number, read)
        self._reading = number

    def _stop_reading(self) -> None:
        if self._reading is not None:
            asyncio.get_running_loop().remove_reader(self._reading)
            self._reading = None

    async def _misc(self, client: mqtt.Client) -> None:
        """Give paho its turns: keep-alive, and what its socket would not take at once."""
        told = monotonic()
        while True:
            if not self._deaf:
                client.loop_misc()
            elif self.connected and monotonic() - told > self._keep_alive / 2:
                told = monotonic()
                client.unsubscribe(NOWHERE)
            if client.want_write():
                client.loop_write()
            await asyncio.sleep(MISC_SECONDS)


def _refused(code: str) -> None:
    if code in _REFUSED:
        raise SettingError(f"VIGIE_MQTT: the broker says: {code}")
    raise BrokerUnavailable(code)
