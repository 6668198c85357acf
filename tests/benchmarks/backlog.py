"""A backlog of QoS 1 messages at the broker, and a gateway that drains it.

What `bench_gateway` and `peers` have in common: the sessions exist before anything is published, so
the broker keeps the same backlog for each of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

import mqtt5

from deploy.local import ports
from ingest import kafka
from ingest.codec import encode
from ingest.readings import Vital
from ingest.registry.entities import Assignment, Device, Format, Listing, Model, Patient, key
from tests.waiting import wait_until

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from deploy.local.servers import Servers
    from ingest.registry.entities import Entity

DEVICES, EACH = 50, 1600
MESSAGES = DEVICES * EACH  # below the 100,000 that the broker keeps for a session
WINDOW = 500
# Often enough for an error of a hundredth, seldom enough to cost the gateway next to nothing.
POLL_SECONDS = 0.05
ALL = "vigie/v1/+/readings"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Drain(NamedTuple):
    """One drained backlog, in messages a second, and in messages a second of processor time.

    The second says what a client costs by itself: broker and Kafka share the machine's processors.
    """

    rate: float
    by_processor: float


def prepared(servers: Servers) -> dict[str, str]:
    """Register the devices of the backlog; returns the environment for our commands."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
    environment = kept | servers.environment
    _vigie(environment, "topics", "create").wait(60)
    devices = [f"bench-{n}" for n in range(DEVICES)]
    asyncio.run(register(environment["VIGIE_KAFKA"], devices))
    return environment


async def register(address: str, devices: Iterable[str]) -> None:
    """Tell the gateways of devices, each worn by a patient of its own, of a model that is listed.

    Straight on their topic, because there is no database beside these benchmarks.
    """
    model = Model(
        "bench", "Vigie", "Bench", tuple(Format), dict.fromkeys(Vital, Listing()), LONG_AGO
    )
    entities: list[Entity] = [model]
    for device in devices:
        patient = f"p-{device}"
        assignment = Assignment(patient, LONG_AGO)
        entities += [Patient(patient), Device(device, model.id, (assignment,))]
    async with kafka.producing(address) as producer:
        sent = [
            await producer.send(kafka.REGISTRY, encode(entity), partition=0, key=key(entity))
            for entity in entities
        ]
        for future in sent:
            await future


def _vigie(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vigie", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


class Client(asyncio.Protocol):
    """The least that can be done with the codec: count, and acknowledge each read's packets."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered = asyncio.Event()
        self.count = self.acknowledged = 0
        self.first = self.last = 0.0
        self._rest = b""
        self._acks: list[bytes] = []
        self._moved = asyncio.Event()

    @classmethod
    async def connect(cls, url: str, name: str, *, stays: bool = True) -> Self:
        """Connect, with a session that stays or one that wipes out what there was."""
        address = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(cls, address.hostname or "", address.port or 1883)
        assert made.transport is not None
        packet = mqtt5.ConnectPacket(
            client_id=name,
            username=address.username,
            password=(address.password or "").encode() or None,
            clean_start=not stays,
            session_expiry_interval=300 if stays else 0,
            receive_max=1000,
            keep_alive=60,
        )
        made.transport.write(packet.write())
        await asyncio.wait_for(made.answered.wait(), 10)
        return made

    async def subscribe(self, *topics: str) -> None:
        """Subscribe with QoS 1."""
        assert self.transport is not None
        self.answered.clear()
        wanted = [mqtt5.TopicFilter(topic, max_qos=mqtt5.QoS.AT_LEAST_ONCE) for topic in topics]
        self.transport.write(mqtt5.SubscribePacket(1, wanted).write())
        await asyncio.wait_for(self.answered.wait(), 10)

    async def until(self, acknowledged: int) -> None:
        """Wait until the broker has acknowledged so many of our messages."""
        while self.acknowledged < acknowledged:
            self._moved.clear()
            await self._moved.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        view = memoryview(self._rest + data if self._rest else data)
        at = 0
        while at < len(view):
            try:
                packet, size = mqtt5.read(view[at:])
            except IndexError:
                break
            at += size
            self.packet(packet)
        self._rest = bytes(view[at:])
        if self._acks and self.transport is not None:
            self.transport.write(b"".join(self._acks))
            self.first = self.first or perf_counter()
            self.last = perf_counter()
            self.count += len(self._acks)
            self._acks.clear()

    def packet(self, packet: mqtt5.Packet) -> None:
        """Take one packet of a read."""
        if isinstance(packet, mqtt5.PublishPacket):
            self._acks.append(b"\x40\x02" + (packet.packet_id or 0).to_bytes(2, "big"))
        elif isinstance(packet, mqtt5.PubAckPacket):
            self.acknowledged += 1
            self._moved.set()
        else:
            self.answered.set()

    def close(self) -> None:
        """Disconnect; the session stays."""
        if self.transport is not None:
            self.transport.write(mqtt5.DisconnectPacket().write())
            self.transport.close()


async def publish(url: str, rng: random.Random) -> None:
    """Publish as each device in turn, with as many under way as the broker allows."""
    # Young enough for the live lane, and not ahead of anybody's clock.
    start = datetime.now(UTC) - timedelta(minutes=40)
    for device in range(DEVICES):
        client = await Client.connect(url, f"bench-{device}")
        assert client.transport is not None
        for number in range(EACH):
            if number - client.acknowledged >= WINDOW:
                await client.until(number - WINDOW + 1)
            packet = mqtt5.PublishPacket(
                f"vigie/v1/bench-{device}/readings",
                payload(rng, number + 1, start + timedelta(seconds=number)),
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                packet_id=number % 60_000 + 1,
            )
            client.transport.write(packet.write())
        await client.until(EACH)
        client.close()


def payload(rng: random.Random, seq: int, time: datetime) -> bytes:
    """Make one message of six vitals, as a device sends it."""
    reading = {
        "time": time.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "heart_rate": rng.randint(60, 90),
        "spo2": rng.randint(95, 99),
        "respiratory_rate": rng.randint(12, 18),
        "temperature": round(rng.uniform(36, 38), 1),
        "systolic": rng.randint(110, 130),
        "diastolic": rng.randint(65, 85),
    }
    return json.dumps({"seq": seq, "readings": [reading]}, separators=(",", ":")).encode()


def drain_by_gateway(environment: dict[str, str], name: str) -> Drain:
    """Drain the backlog of the session `name` with a gateway process, and time its own count."""
    port = ports.choose(None)
    process = _vigie(environment, "gateway", "--name", name, "--metrics-port", str(port))
    seen: list[tuple[float, float, float]] = []

    def drained() -> bool:
        safe, spent = _told(port)
        if safe:
            seen.append((perf_counter(), safe, spent))
        return safe >= MESSAGES

    try:
        wait_until(drained, "the backlog", 120, pause=POLL_SECONDS)
    finally:
        process.terminate()
        process.wait(30)
    took, messages, spent = (last - first for first, last in zip(seen[0], seen[-1], strict=True))
    return Drain(messages / took, messages / spent)


def _told(port: int) -> tuple[float, float]:
    """Ask the gateway: messages that Kafka has (none before it answers at all), processor time."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    except urllib.error.URLError:
        return 0.0, 0.0
    series = dict(x.rpartition(" ")[::2] for x in page.splitlines() if not x.startswith("#"))
    return (
        float(series["vigie_gateway_messages_safe_total"]),
        float(series["process_cpu_seconds_total"]),
    )
