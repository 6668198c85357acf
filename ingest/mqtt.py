"""An MQTT 5 broker, on the `mqtt5` codec in one asyncio protocol: no thread, no task per message.

A whole read of the socket is parsed at once, and the PUBACKs of a flush leave in one write; that is
what makes it ten times as fast as a callback per packet (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import ssl
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import mqtt5  # noqa: TID251 (this is its one adapter)
import structlog

from ingest import reconnect, topics
from ingest.ports import BrokerUnavailable, SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = structlog.get_logger()

# The broker keeps the session of a gateway that is gone for so long: a restart resumes it, and one
# that is gone for good stops attracting messages.
SESSION_EXPIRY_SECONDS = 300
RECEIVE_MAX = 1000
KEEP_ALIVE_SECONDS = 30
ANSWER_SECONDS = 10.0
SUBSCRIBE_ID, UNSUBSCRIBE_ID = 1, 2
_PANIC = "PanicException"
# By packet number: 0x40 is PUBACK, 2 its length; without a reason code it means success (3.4).
_PUBACKS = tuple(b"\x40\x02" + packet.to_bytes(2, "big") for packet in range(1 << 16))
_FAILURE = 0x80  # reason codes from here on are failures
# By number: the codec's own codes cannot be keys.
_FATAL = {
    0x84: "the broker does not speak MQTT 5: write mqtt3:// in VIGIE_MQTT",
    0x85: "the broker refuses this gateway's name",
    0x86: "the broker refuses the user or password",
    0x87: "the broker refuses the user or password",
    0x8A: "the broker has banned this client",
}
_ENDED = {0x8E: "another gateway has taken this name: give each its own --name"}


class _Link(asyncio.Protocol):
    """One connection: bytes to packets, packets to the source."""

    def __init__(self, source: Mqtt5Source) -> None:
        self._source = source
        self._rest = b""
        self.transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[mqtt5.ConnAckPacket] = loop.create_future()
        self.subscribed: asyncio.Future[mqtt5.SubAckPacket] = loop.create_future()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.heard = monotonic()
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what create_connection gives)
        self.transport = transport
        transport.write(self._source.connect_packet())

    def data_received(self, data: bytes) -> None:
        self.heard = monotonic()
        view = memoryview(self._rest + data if self._rest else data)
        at, size = 0, len(view)
        take, publish = self._source.on_message, mqtt5.PublishPacket
        while at < size:
            try:
                packet, length = mqtt5.read(view[at:])
            except IndexError:
                break  # the packet is not complete yet
            except BaseException as error:
                # Text that is not UTF-8 makes the codec panic, with an exception that is no
                # Exception and that cannot be imported.
                if not isinstance(error, ValueError) and type(error).__name__ != _PANIC:
                    raise
                self.end(mqtt5.DisconnectReasonCode.MALFORMED_PACKET, "malformed packet")
                return
            at += length
            if type(packet) is publish:  # nearly all of them are
                take(packet.topic, packet.payload, packet.packet_id or 0)
            else:
                self._packet(packet)
        self._rest = bytes(view[at:])

    def connection_lost(self, exc: Exception | None) -> None:
        # Writing to a lost TLS connection raises in asyncio, to a lost plain one it does not.
        self.transport = None
        why = type(exc).__name__ if exc else "closed by the broker"
        for future in (self.connected, self.subscribed):
            if not future.done():
                future.set_exception(BrokerUnavailable(why))
                future.exception()  # somebody else may have given up waiting
        if not self.closed.done():
            self.closed.set_result(why)

    def end(self, reason: mqtt5.DisconnectReasonCode, why: str) -> None:
        """Say DISCONNECT with a reason and close."""
        if not self.closed.done():
            self.closed.set_result(why)
        if self.transport is not None:
            self.transport.write(mqtt5.DisconnectPacket(reason_code=reason).write())
            self.transport.close()

    def _packet(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.ConnAckPacket) and not self.connected.done():
            if int(packet.reason_code) < _FAILURE:
                # Before any message of this session: packet numbers of earlier ones are void.
                self._source.on_connected()
            self.connected.set_result(packet)
        elif isinstance(packet, mqtt5.SubAckPacket) and not self.subscribed.done():
            self.subscribed.set_result(packet)
            if self.paused and self.transport is not None:
                self.transport.pause_reading()
        elif isinstance(packet, mqtt5.DisconnectPacket) and not self.closed.done():
            code = int(packet.reason_code)
            self.closed.set_result(_ENDED.get(code, f"closed by the broker, reason {code:#04x}"))


class Mqtt5Source:
    """The broker named by `url` (mqtt:// or mqtts://), under a fixed client id; see `ports.Source`.

    `?ca=FILE` in an mqtts:// URL names the only authority that is trusted; `cert=` and `key=` are
    for a broker that wants a certificate of the gateway too.
    """

    def __init__(self, url: str, name: str, *, keep_alive: int = KEEP_ALIVE_SECONDS) -> None:
        address = urlsplit(url)
        self._host, self._tls = address.hostname or "127.0.0.1", _tls(url)
        self._port = address.port or (8883 if self._tls else 1883)
        self._user, self._password = address.username, unquote(address.password or "")
        self._name, self._keep_alive = name, keep_alive
        self._shared = topics.shared(url)
        self._link: _Link | None = None
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
        """Send PUBACKs in one write."""
        if self.connected and self._link is not None and self._link.transport is not None:
            self._link.transport.write(b"".join([_PUBACKS[packet] for packet in packets]))

    def publish(self, topic: str, payload: bytes) -> None:
        """Send one message with QoS 0."""
        if self.connected and self._link is not None and self._link.transport is not None:
            self._link.transport.write(mqtt5.PublishPacket(topic, payload).write())

    def pause(self) -> None:
        """Stop reading; keep-alive goes on from our side.

        Not before the broker has answered the subscription: it would count as no answer at all,
        and end the connection. What comes until then is at most RECEIVE_MAX messages.
        """
        link = self._link
        if link is not None and link.transport is not None and not link.paused:
            link.paused = True
            if link.subscribed.done():
                link.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        link = self._link
        if link is not None and link.transport is not None and link.paused:
            link.paused = False
            link.heard = monotonic()
            link.transport.resume_reading()

    async def close(self) -> None:
        """Say DISCONNECT and close; the session stays with the broker."""
        if self._link is not None:
            self._link.end(mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION, "closed by us")
        self.connected = False

    def connect_packet(self) -> bytes:
        """Make the CONNECT packet."""
        return mqtt5.ConnectPacket(
            client_id=self._name,
            username=self._user,
            password=self._password.encode() if self._user else None,
            clean_start=False,
            session_expiry_interval=SESSION_EXPIRY_SECONDS,
            receive_max=RECEIVE_MAX,
            keep_alive=self._keep_alive,
        ).write()

    async def _session(self) -> str:
        """Connect and stay; returns why the connection ended."""
        link = await self._open()
        log.info("connected to the broker")
        return await self._stay(link)

    async def _open(self) -> _Link:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ANSWER_SECONDS):
            _, link = await loop.create_connection(
                lambda: _Link(self), self._host, self._port, ssl=self._tls
            )
            self._link = link
            try:
                _check((await link.connected).reason_code)
                self.connected = True
                # Also in a resumed session: a broker that lost its disk has no subscription.
                await self._subscribe(link)
            except BaseException:
                self.connected = False
                link.end(mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION, "given up")
                raise
        return link

    async def _subscribe(self, link: _Link) -> None:
        if link.transport is None:
            raise BrokerUnavailable("lost at once")
        wanted = (*self._shared, *topics.HEARD)
        filters = [
            mqtt5.TopicFilter(topic, max_qos=mqtt5.QoS.AT_LEAST_ONCE) for topic in self._shared
        ] + [mqtt5.TopicFilter(topic, max_qos=mqtt5.QoS.AT_MOST_ONCE) for topic in topics.HEARD]
        link.transport.write(mqtt5.SubscribePacket(SUBSCRIBE_ID, filters).write())
        granted = await link.subscribed
        for topic, code in zip(wanted, granted.reason_codes, strict=False):
            if int(code) >= _FAILURE and topic in self._shared:
                raise SettingError(f"VIGIE_MQTT: the broker does not let us subscribe to {topic}")
            if int(code) >= _FAILURE:
                log.warning("the broker does not let us hear a topic", topic=topic)
        if self._shared != topics.OPEN_GROUP and link.transport is not None:
            # A session of Vigie 0.1 that is resumed would hear each message twice.
            old = mqtt5.UnsubscribePacket(UNSUBSCRIBE_ID, list(topics.OPEN_GROUP))
            link.transport.write(old.write())

    async def _stay(self, link: _Link) -> str:
        """Keep the connection alive until it ends; returns why."""
        try:
            while True:
                done, _ = await asyncio.wait([link.closed], timeout=self._keep_alive / 2)
                if done:
                    return link.closed.result()
                if link.transport is not None:
                    link.transport.write(mqtt5.PingReqPacket().write())
                # While we do not read, we cannot hear: silence is ours then.
                if not link.paused and monotonic() - link.heard > 2 * self._keep_alive:
                    link.end(mqtt5.DisconnectReasonCode.KEEP_ALIVE_TIMEOUT, "the broker is silent")
        finally:
            self.connected = False
            if link.transport is not None:
                link.transport.close()


def _check(code: mqtt5.ConnAckReasonCode) -> None:
    if int(code) in _FATAL:
        raise SettingError(f"VIGIE_MQTT: {_FATAL[int(code)]}")
    if int(code) >= _FAILURE:
        raise BrokerUnavailable(f"reason code {int(code):#04x}")


def _tls(url: str) -> ssl.SSLContext | None:
    address = urlsplit(url)
    if address.scheme != "mqtts":
        return None
    named = {name: values[0] for name, values in parse_qs(address.query).items()}
    try:
        context = ssl.create_default_context(cafile=named.get("ca"))
        if "cert" in named:
            # A password, so that nobody is asked for one on the terminal.
            context.load_cert_chain(named["cert"], named.get("key"), password="")
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise SettingError(
            f"VIGIE_MQTT: a file of its certificates cannot be read: {what}"
        ) from None
    return context
