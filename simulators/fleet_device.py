"""One device of a fleet: the MQTT contract of Vigie on the `mqtt5` codec, without a thread.

`simulators/bedside.py` is the example for device makers, and takes a thread and three descriptors;
thousands of these share one loop, with one descriptor each.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import mqtt5  # noqa: TID251 (paho knows a thousand descriptors at most, and the fleet is larger)
import msgspec

from ingest.ports import SettingError
from simulators.pending import Pending, Receipt

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence
    from pathlib import Path

    from simulators.series import Value

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEP_ALIVE_SECONDS = 60
# The broker hangs up after 1.5 times the keep-alive without a packet (MQTT 5, 3.1.2.10).
PING_SECONDS = 20.0
ANSWER_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
# A device stores what it cannot send: an hour of messages, one a second.
WINDOW = 3600
_FAILURE = 0x80  # reason codes from here on are failures
_PACKET_IDS = 65_535
_decode = msgspec.json.Decoder(Receipt).decode


class Devices:
    """What a fleet's devices note together; `array` of seconds from a publish to its receipt.

    `ended` counts connections that ended while the device wanted to stay, by why; `turned_away`
    counts messages that the broker did not take, by its reason code.
    """

    def __init__(self, receipts: array[float]) -> None:
        self.receipts = receipts
        self.ended: Counter[str] = Counter()
        self.turned_away: Counter[int] = Counter()
        self.connected = 0


class FleetDevice:
    """A device that stays connected while `run` runs, and keeps each message until its receipt.

    `first_seq`: see Pending. `credentials` holds `ca.crt`, `client.crt`, `client.key` for mqtts://.
    Raises SettingError for an address or certificates that cannot be used.
    """

    def __init__(
        self,
        name: str,
        url: str,
        notes: Devices,
        *,
        first_seq: int,
        credentials: Path | None = None,
    ) -> None:
        self.name, self.notes = name, notes
        self.pending = Pending(first_seq, WINDOW)
        address = urlsplit(url)
        if address.scheme not in PORTS or not address.hostname:
            raise SettingError("the devices' broker must be mqtt://host:port or mqtts://host:port")
        self._host, self._port = address.hostname, address.port or PORTS[address.scheme]
        self._tls = context(credentials) if address.scheme == "mqtts" else None
        self._since: dict[int, float] = {}
        self._link: _Link | None = None
        self._packet = 0
        self._sent_at = 0.0

    @property
    def is_there(self) -> bool:
        """Whether it is connected and its receipts can reach it."""
        return self._link is not None and self._link.listening

    async def run(self, gate: asyncio.Semaphore) -> None:
        """Connect, through the gate, and again when the connection ends, until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                async with gate:
                    link = await self._connect()
                pause = FIRST_PAUSE_SECONDS
                why = await self._stay(link)
            except (OSError, TimeoutError, _TurnedAway) as error:
                why = str(error) if isinstance(error, _TurnedAway) else type(error).__name__
            self.notes.ended[why] += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def send(self, readings: Sequence[dict[str, Value]]) -> bool:
        """Keep the instants as one message and publish it; False when there is no room for it."""
        if not self.pending.room:
            return False
        now = monotonic()
        self._since[self.pending.add(readings, now)] = now
        self.pump(now)
        return True

    def pump(self, now: float) -> None:
        """Publish what is due, and show that we are there: call it every second. Never blocks."""
        link = self._link
        if link is None or not link.listening:
            return
        for payload in self.pending.due(now):
            self._packet = self._packet % _PACKET_IDS + 1
            link.write(
                mqtt5.PublishPacket(
                    f"vigie/v1/{self.name}/readings",
                    payload,
                    qos=mqtt5.QoS.AT_LEAST_ONCE,
                    packet_id=self._packet,
                )
            )
            self._sent_at = now
        if now - self._sent_at > PING_SECONDS:
            link.write(mqtt5.PingReqPacket())
            self._sent_at = now

    def leave(self) -> None:
        """Say goodbye and disconnect; what has no receipt is given up."""
        link, self._link = self._link, None
        if link is not None:
            link.write(self._presence("offline"))
            link.write(mqtt5.DisconnectPacket())
            link.close()

    def receipt(self, payload: bytes) -> None:
        """Take a receipt in, and note how long its messages have waited."""
        if not self.pending.receipt(payload):
            return
        now = monotonic()
        for first, last in _decode(payload).safe:
            for seq in range(first, last + 1) if last - first < WINDOW else ():
                since = self._since.pop(seq, None)
                if since is not None:
                    self.notes.receipts.append(now - since)

    async def _connect(self) -> _Link:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ANSWER_SECONDS):
            _, link = await loop.create_connection(
                lambda: _Link(self), self._host, self._port, ssl=self._tls
            )
            try:
                link.write(self._hello())
                await link.answered("CONNACK")
                wanted = mqtt5.TopicFilter(f"vigie/v1/{self.name}/receipts")
                link.write(mqtt5.SubscribePacket(1, [wanted]))
                await link.answered("SUBACK")
                link.write(self._presence("online"))
            except BaseException:
                link.close()
                raise
        return link

    async def _stay(self, link: _Link) -> str:
        self._link, link.listening = link, True
        self.notes.connected += 1
        self.pending.hurry(monotonic())
        self.pump(monotonic())
        try:
            return await link.ended
        finally:
            self.notes.connected -= 1
            link.listening = False
            link.close()

    def _hello(self) -> mqtt5.ConnectPacket:
        topic = f"vigie/v1/{self.name}/presence"
        will = mqtt5.Will(
            topic, payload=b'{"state":"lost"}', qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True
        )
        # No session: what has no receipt is sent again anyway.
        return mqtt5.ConnectPacket(
            self.name, clean_start=True, keep_alive=KEEP_ALIVE_SECONDS, will=will
        )

    def _presence(self, state: str) -> mqtt5.PublishPacket:
        topic = f"vigie/v1/{self.name}/presence"
        return mqtt5.PublishPacket(topic, f'{{"state":"{state}"}}'.encode(), retain=True)


class _TurnedAway(Exception):
    """The broker refuses this device, with a reason code."""


class _Link(asyncio.Protocol):
    """One connection: bytes to packets, packets to the device."""

    def __init__(self, device: FleetDevice) -> None:
        self._device, self._rest = device, b""
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.listening = False

    async def answered(self, what: str) -> None:
        """Wait for CONNACK or SUBACK. Raises _TurnedAway, also when the connection has ended."""
        either: list[asyncio.Future[Any]] = [self._answer, self.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._answer.done():
            raise _TurnedAway(f"no {what}: {self.ended.result()}")
        code = self._answer.result()
        self._answer = asyncio.get_running_loop().create_future()
        if code >= _FAILURE:
            raise _TurnedAway(f"{what} with reason {code:#04x}")

    def write(self, packet: mqtt5.Packet) -> None:
        """Write a packet; one to a connection that is closing is lost, and sent again later."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet.write())

    def close(self) -> None:
        """Close; the device does not count this as an end."""
        if not self.ended.done():
            self.ended.set_result("closed by the device")
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what create_connection gives)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(type(exc).__name__ if exc else "closed by the broker")

    def data_received(self, data: bytes) -> None:
        view = memoryview(self._rest + data if self._rest else data)
        at = 0
        while at < len(view):
            try:
                packet, size = mqtt5.read(view[at:])
            except IndexError:
                break  # the packet is not complete yet
            at += size
            self._packet(packet)
        self._rest = bytes(view[at:])

    def _packet(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket):
            self._device.receipt(bytes(packet.payload))
        elif isinstance(packet, mqtt5.PubAckPacket):
            if int(packet.reason_code) >= _FAILURE:
                self._device.notes.turned_away[int(packet.reason_code)] += 1
        elif isinstance(packet, mqtt5.ConnAckPacket | mqtt5.SubAckPacket):
            codes = (
                packet.reason_codes
                if isinstance(packet, mqtt5.SubAckPacket)
                else [packet.reason_code]
            )
            if not self._answer.done():
                self._answer.set_result(max(int(code) for code in codes))
        elif isinstance(packet, mqtt5.DisconnectPacket) and not self.ended.done():
            self.ended.set_result(f"DISCONNECT with reason {int(packet.reason_code):#04x}")


def context(credentials: Path | None) -> ssl.SSLContext:
    """Make the TLS side of a device from its folder. Raises SettingError."""
    if credentials is None:
        raise SettingError("mqtts:// needs a folder with each device's certificate")
    try:
        made = ssl.create_default_context(cafile=str(credentials / "ca.crt"))
        made.load_cert_chain(str(credentials / "client.crt"), str(credentials / "client.key"))
    except OSError as error:
        raise SettingError(f"{credentials}: {error.strerror or 'no certificate'}") from None
    return made
