"""A broker that misbehaves: the gateway says why, comes back, and never in a storm."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from ingest import mqtt
from ingest.mqtt import Mqtt5Source
from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 30
# As MQTT 5 writes them: CONNACK and SUBACK with success, PUBACK never comes from a broker.
WELCOME, GRANTED = b"\x20\x03\x00\x00\x00", b"\x90\x04\x00\x01\x00\x01"
DISCONNECT, MALFORMED = 0xE0, 0x81
MESSAGE = b"\x32\x09\x00\x03a/b\x00\x05\x00x"


class Scripted:
    """Answers the first two packets of each connection, and hangs up then if it was told to."""

    def __init__(self, first: bytes, then: bytes, *, hang_up: bool) -> None:
        self.answers, self.hang_up = [first, then], hang_up
        self.links: list[_Answering] = []
        self.heard: list[bytes] = []
        self.url = ""

    @property
    def connections(self) -> int:
        return len(self.links)

    def link(self) -> _Answering:
        self.links.append(_Answering(self))
        return self.links[-1]


class _Answering(asyncio.Protocol):
    def __init__(self, broker: Scripted) -> None:
        self._broker, self._answers = broker, list(broker.answers)
        self.transport: asyncio.WriteTransport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        if not self._answers:
            self._broker.heard.append(data)
            return
        self.transport.write(self._answers.pop(0))
        if not self._answers and self._broker.hang_up:
            self.transport.close()


@asynccontextmanager
async def scripted(first: bytes, then: bytes, *, hang_up: bool = False) -> AsyncIterator[Scripted]:
    broker = Scripted(first, then, hang_up=hang_up)
    server = await asyncio.get_running_loop().create_server(broker.link, "127.0.0.1", 0)
    broker.url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield broker
    server.close()
    for link in broker.links:
        if link.transport is not None:
            link.transport.close()
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(link.gone for link in broker.links))


@asynccontextmanager
async def connected(broker: Scripted, taken: list[str]) -> AsyncIterator[None]:
    source = Mqtt5Source(broker.url, "gw")
    work = asyncio.create_task(
        source.run(lambda topic, _payload, _packet: taken.append(topic), lambda: None)
    )
    yield
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def until_connected_again(broker: Scripted, times: int) -> None:
    async with asyncio.timeout(SECONDS):
        while broker.connections < times:  # noqa: ASYNC110 (the far end is in this same loop)
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(b"\x36\x05abcde", id="a quality of service that does not exist"),
        pytest.param(b"\x00\x00", id="a packet of no kind"),
        pytest.param(b"\x32\xff\xff\xff\xff\xff", id="a length without end"),
        pytest.param(
            b"\x32\x07\x00\x02\xff\xfe\x00\x01\x00",
            id="a topic that is not UTF-8",
            # The codec itself lets an error of its own go unraised before it panics.
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
        ),
    ],
)
async def test_a_malformed_packet_ends_the_connection_with_its_reason(malformed: bytes) -> None:
    taken: list[str] = []
    async with (
        scripted(WELCOME, GRANTED + MESSAGE + malformed) as broker,
        connected(broker, taken),
    ):
        await until_connected_again(broker, 2)
        assert broker.heard[0][0] == DISCONNECT
        assert broker.heard[0][2] == MALFORMED
        assert taken[0] == "a/b"  # what came before it was good


async def test_a_packet_may_come_in_any_number_of_pieces() -> None:
    taken: list[str] = []
    source = Mqtt5Source("mqtt://127.0.0.1:1", "gw")
    source.on_message = lambda topic, _payload, packet: taken.append(f"{topic} {packet}")
    for size in range(1, len(MESSAGE)):
        link = mqtt._Link(source)
        for at in range(0, 2 * len(MESSAGE), size):
            link.data_received((MESSAGE + MESSAGE)[at : at + size])
    assert taken == ["a/b 5"] * 2 * (len(MESSAGE) - 1)


async def test_a_broker_that_hangs_up_is_not_called_back_in_a_storm() -> None:
    began = monotonic()
    async with scripted(WELCOME, GRANTED, hang_up=True) as broker, connected(broker, []):
        await until_connected_again(broker, 5)
    # Four pauses that double from a tenth of a second, each cut by jitter to a half at the most.
    assert monotonic() - began >= 0.5 * (0.1 + 0.2 + 0.4 + 0.8)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        pytest.param(0x84, "mqtt3://", id="a broker that speaks 3.1.1 only"),
        pytest.param(0x86, "user or password", id="a wrong password"),
        pytest.param(0x85, "name", id="a name it does not like"),
    ],
)
async def test_what_only_the_operator_can_mend_is_said_and_not_tried_again(
    code: int, said: str
) -> None:
    async with scripted(b"\x20\x03\x00" + bytes([code, 0]), b"") as broker:
        with pytest.raises(SettingError, match=said):
            await Mqtt5Source(broker.url, "gw").run(lambda *_: None, lambda: None)
        assert broker.connections == 1


async def test_a_subscription_that_is_refused_is_the_operators_to_mend() -> None:
    refused = b"\x90\x04\x00\x01\x00\x87"
    async with scripted(WELCOME, refused) as broker:
        with pytest.raises(SettingError, match="subscribe"):
            await Mqtt5Source(broker.url, "gw").run(lambda *_: None, lambda: None)


async def test_a_server_that_is_busy_is_asked_again() -> None:
    async with scripted(b"\x20\x03\x00\x89\x00", b"") as broker, connected(broker, []):
        await until_connected_again(broker, 2)


def test_an_authority_that_is_not_there_is_named(tmp_path: object) -> None:
    with pytest.raises(SettingError, match="certificates cannot be read"):
        Mqtt5Source(f"mqtts://127.0.0.1:8883?ca={tmp_path}/ca.crt", "gw")


async def test_a_gateway_that_has_too_much_under_way_is_connected_all_the_same() -> None:
    """Messages of a session that is resumed come before the broker's answer to SUBSCRIBE."""
    taken: list[str] = []
    async with scripted(WELCOME + MESSAGE, MESSAGE + GRANTED + MESSAGE) as broker:
        source = Mqtt5Source(broker.url, "gw")

        def take(topic: str, _payload: bytes, _packet: int) -> None:
            taken.append(topic)
            source.pause()

        work = asyncio.create_task(source.run(take, lambda: None))
        async with asyncio.timeout(SECONDS):
            while len(taken) < 3:  # noqa: ASYNC110 (the far end is in this same loop)
                await asyncio.sleep(0)
        link = source._link
        assert link is not None
        await link.subscribed
        assert link.transport is not None
        assert not link.transport.is_reading()
        source.resume()
        assert link.transport.is_reading()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert broker.connections == 1
