"""The promises of `ingest.ports.Source`, on a real Mosquitto: each adapter, each promise."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import pytest

from ingest.mqtt import Mqtt5Source
from ingest.mqtt_paho import PahoSource
from ingest.ports import SettingError
from ingest.topics import HEARD
from tests.devices import Outsider
from tests.integration.broker import Broker
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from ingest.ports import Source

pytestmark = pytest.mark.servers

SECONDS = 30
SOURCES = [
    pytest.param(Mqtt5Source, id="mqtt5"),
    pytest.param(PahoSource, id="paho, 3.1.1"),
]


class MakesSource(Protocol):
    """An adapter's constructor, in so far as both have the same."""

    def __call__(self, url: str, name: str, *, keep_alive: int = 30) -> Source: ...


class Wire:
    """Stands between a source and the broker: cuts the link, and sees what the source says."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connections = 0
        self.said: list[bytes] = []
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            broker, to_broker = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        self._writers.append(to_broker)
        await asyncio.gather(_copy(reader, to_broker, self.said.append), _copy(broker, writer))

    def cut(self) -> None:
        """Break the link without a word, on both sides."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    @property
    def acknowledged(self) -> list[int]:
        """The packet numbers of all PUBACKs said so far; valid where nothing else was said."""
        said, found = b"".join(self.said), []
        while said:
            if said[0] >> 4 == 4:  # PUBACK
                found.append(int.from_bytes(said[2:4], "big"))
            # The remaining length is one byte, or two for a SUBSCRIBE of many topics.
            long = said[1] & 0x80
            length = (said[1] & 0x7F) | (said[2] << 7 if long else 0)
            said = said[(3 if long else 2) + length :]
        return found


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    seen: Callable[[bytes], None] = lambda _: None,
) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            seen(data)
            writer.write(data)
            await writer.drain()
    writer.close()


class Taken:
    """What a source handed over, in order: payloads, their packets, and each new session."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.packets: list[int] = []
        self.sessions = 0

    def message(self, topic: str, payload: bytes, packet: int) -> None:
        if topic in HEARD:  # the broker's own figures come when they please
            return
        self.events.append(payload.decode())
        self.packets.append(packet)

    def connected(self) -> None:
        self.sessions += 1
        self.events.append("session")

    async def until(self, *last: str) -> None:
        """Wait until the last events are these."""
        await until(lambda: self.events[-len(last) :] == list(last), f"{last}")


async def until(holds: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, holds, what, SECONDS, pause=0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def device(broker: Broker) -> Iterator[Outsider]:
    made = Outsider("dev-1", broker.url)
    yield made
    made.close()


@pytest.fixture
async def wire(broker: Broker) -> AsyncIterator[Wire]:
    made = Wire(broker.port)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.url = f"mqtt://127.0.0.1:{port}"
    yield made
    server.close()
    made.cut()
    # The copies notice it in the loop's next turns.
    await asyncio.gather(
        *(task for task in asyncio.all_tasks() if task.get_coro().__name__ == "serve"),  # type: ignore[union-attr]  # a coroutine has a name
        return_exceptions=True,
    )


@asynccontextmanager
async def running(source: Source, taken: Taken) -> AsyncIterator[None]:
    work = asyncio.create_task(source.run(taken.message, taken.connected))
    await until(lambda: source.connected, "a session")
    yield
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


def publish(device: Outsider, *payloads: str) -> None:
    for payload in payloads:
        device.raw(payload.encode()).wait_for_publish(SECONDS)


@pytest.fixture(params=SOURCES)
def make(request: pytest.FixtureRequest) -> MakesSource:
    adapter: MakesSource = request.param
    return adapter


async def subscribed(device: Outsider, taken: Taken) -> None:
    """Wait until a message comes through: those before the subscription go nowhere."""
    count = 0

    def says() -> None:
        nonlocal count
        count += 1
        publish(device, f"hello {count}")

    def heard() -> bool:
        return taken.events[-1:] == [f"hello {count}"]

    await asyncio.to_thread(wait_until, heard, "the last hello", SECONDS, pause=0.2, meanwhile=says)


async def test_messages_come_in_order_and_once_acknowledged_never_again(
    make: MakesSource, wire: Wire, device: Outsider
) -> None:
    source, taken = make(wire.url, "gw"), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        publish(device, "1", "2", "3")
        await taken.until("1", "2", "3")
        source.acknowledge(taken.packets)
        await until(lambda: len(wire.acknowledged) == len(taken.packets), "PUBACKs")
        publish(device, "4")  # comes back over the same link: the broker has read what was before
        await taken.until("4")
        wire.cut()
        await taken.until("session", "4")
        publish(device, "5")
        await taken.until("session", "4", "5")
    assert taken.sessions == 2


async def test_what_was_not_acknowledged_comes_again_in_a_new_session(
    make: MakesSource, wire: Wire, device: Outsider
) -> None:
    source, taken = make(wire.url, "gw"), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        source.acknowledge(taken.packets)
        publish(device, "1", "2", "3")
        await taken.until("1", "2", "3")
        wire.cut()
        await taken.until("session", "1", "2", "3")


async def test_acknowledgements_leave_in_the_order_given(
    make: MakesSource, wire: Wire, device: Outsider
) -> None:
    source, taken = make(wire.url, "gw"), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        publish(device, *(str(n) for n in range(20)))
        await taken.until("18", "19")
        source.acknowledge(taken.packets[:7])
        source.acknowledge(taken.packets[7:])
        await until(lambda: len(wire.acknowledged) == len(taken.packets), "PUBACKs")
    assert wire.acknowledged == taken.packets


async def test_a_paused_source_takes_nothing_and_keeps_its_connection_alive(
    make: MakesSource, wire: Wire, device: Outsider
) -> None:
    source, taken = make(wire.url, "gw", keep_alive=1), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        source.acknowledge(taken.packets)
        source.pause()
        publish(device, "1", "2")
        before, events = len(wire.said), list(taken.events)
        # The broker hangs up after one and a half seconds of silence, paho's own patience is two:
        # eight signs of life, one each half second, are well beyond both.
        await until(lambda: len(wire.said) >= before + 8, "signs of life")
        assert taken.events == events
        source.resume()
        await taken.until("1", "2")
        publish(device, "3")
        await taken.until("1", "2", "3")
    assert (taken.sessions, wire.connections) == (1, 1)


async def test_it_comes_back_after_the_broker_was_killed(
    make: MakesSource, broker: Broker, device: Outsider
) -> None:
    source, taken = make(broker.url, "gw"), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        broker.kill()
        await until(lambda: not source.connected, "the loss is noticed")
        source.acknowledge(taken.packets)  # silent, not an error
        source.publish("vigie/v1/dev-1/receipts", b"{}")
        await asyncio.to_thread(broker.start)
        await until(lambda: source.connected and device.client.is_connected(), "both are back")
        taken.events.clear()
        await subscribed(device, taken)
    assert taken.sessions == 2


async def test_what_came_while_the_gateway_was_away_waits_for_it(
    make: MakesSource, broker: Broker, device: Outsider
) -> None:
    source, taken = make(broker.url, "gw"), Taken()
    async with running(source, taken):
        await subscribed(device, taken)
        source.acknowledge(taken.packets)
        await source.close()
    publish(device, "1", "2")
    again = make(broker.url, "gw")
    async with running(again, taken):
        await taken.until("1", "2")


async def test_a_receipt_reaches_its_device(
    make: MakesSource, broker: Broker, device: Outsider
) -> None:
    source, taken = make(broker.url, "gw"), Taken()
    async with running(source, taken):
        source.publish("vigie/v1/dev-1/receipts", b'{"safe": [[1, 2]]}')
        await until(lambda: device.safe == {1, 2}, "the receipt")


async def test_two_of_one_name_do_not_storm_the_broker(make: MakesSource, broker: Broker) -> None:
    taken, began = Taken(), monotonic()
    async with running(make(broker.url, "gw"), taken):
        work = asyncio.create_task(make(broker.url, "gw").run(taken.message, taken.connected))
        await until(lambda: taken.sessions >= 8, "they take the name from each other")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    # Eight sessions: one of the two has paused three times, from a tenth of a second up.
    assert monotonic() - began >= 0.5 * (0.1 + 0.2 + 0.4)


async def test_refused_credentials_are_the_operators_to_mend(
    make: MakesSource, tmp_path: Path
) -> None:
    strict = Broker(tmp_path)
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {strict.port} 127.0.0.1\nallow_anonymous false\n", encoding="utf-8"
    )
    strict.start()
    try:
        with pytest.raises(SettingError, match="VIGIE_MQTT"):
            async with asyncio.timeout(SECONDS):
                await make(strict.url, "gw").run(Taken().message, Taken().connected)
    finally:
        strict.kill()
