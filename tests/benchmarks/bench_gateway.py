"""Messages a gateway takes from a backlog, against clients that do nothing with them.

Three sessions exist before anything is published, so the broker keeps a backlog for each: the
gateway's, that of a bare loop of the codec that only acknowledges, and a bare paho subscriber's.
They drain it in turn. The gateway does all of its work: decode, identify, bundle, Kafka's
acknowledgement, PUBACK, receipt. Its rate is read from its own count of messages that Kafka has.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import mqtt5
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.local import ports
from ingest.mqtt import SHARED
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import running
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from deploy.local.servers import Servers

DEVICES, EACH, ROUNDS = 50, 1600, 3
MESSAGES = DEVICES * EACH  # below the 100,000 that the broker keeps for a session
WINDOW = 500
# Often enough for an error of a hundredth, seldom enough to cost the gateway next to nothing.
POLL_SECONDS = 0.05
ALL = "vigie/v1/+/readings"
RATES = {"gateway": "the gateway", "codec": "a bare loop of the codec", "paho": "bare paho"}


class Drain(NamedTuple):
    """One drained backlog, in messages a second, and in messages a second of processor time.

    The second says what a client costs by itself: broker and Kafka share the machine's processors.
    """

    rate: float
    by_processor: float


def run(console: Console, _seconds: float) -> Iterator[Figure]:
    """Drain the same backlog three ways, a few times, and give the middle of each."""
    drains: dict[str, list[Drain]] = {name: [] for name in RATES}
    with running(console, "mosquitto", "kafka") as servers, tempfile.TemporaryDirectory() as folder:
        environment = _prepared(servers, Path(folder))
        for number in range(ROUNDS):
            found = asyncio.run(_round(environment, f"bench-{number}"))
            for name, drain in found.items():
                drains[name].append(drain)
            told = ", ".join(
                f"{RATES[name]} {drain.rate:,.0f}/s, {1e6 / drain.by_processor:.1f} us each"
                for name, drain in found.items()
            )
            console.print(f"round {number + 1} of {ROUNDS}: {told}")
    for what, place in (("", 0), (", by processor time", 1)):
        for other in ("codec", "paho"):
            yield Figure(
                f"gateway, backlog of QoS 1 messages of six vitals{what}",
                middle([drain[place] for drain in drains["gateway"]]),
                RATES[other],
                middle([drain[place] for drain in drains[other]]),
                "messages/s",
            )


def _prepared(servers: Servers, folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
    environment = kept | servers.environment
    rows = [
        f'[[devices]]\nid = "bench-{n}"\nmodel = "m"\n'
        f'assignments = [{{ patient = "p-{n}", from = "2000-01-01T00:00:00Z" }}]\n'
        for n in range(DEVICES)
    ]
    file = folder / "bench.toml"
    file.write_text("\n".join(rows), encoding="utf-8")
    for command in (("topics", "create"), ("registry", "import", str(file))):
        _vigie(environment, *command).wait(60)
    return environment


def _vigie(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vigie", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


async def _round(environment: dict[str, str], name: str) -> dict[str, Drain]:
    url = environment["VIGIE_MQTT"]
    for session, topic in (("gateway", SHARED), ("codec", ALL), ("paho", ALL)):
        client = await Client.connect(url, f"{name}-{session}")
        await client.subscribe(topic)
        client.close()
    await _publish(environment["VIGIE_MQTT_DEVICES"], random.Random(name))
    ways = ["gateway", "codec", "paho"]
    random.Random(name).shuffle(ways)
    found = {}
    for way in ways:
        if way == "gateway":
            found[way] = await asyncio.to_thread(_gateway, environment, f"{name}-gateway")
        elif way == "codec":
            found[way] = await _codec(url, f"{name}-codec")
        else:
            found[way] = await asyncio.to_thread(_paho, url, f"{name}-paho")
    for session in ways:
        # The broker would go on giving an absent member of the shared group its part.
        (await Client.connect(url, f"{name}-{session}", stays=False)).close()
    return found


class Client(asyncio.Protocol):
    """The least that can be done with the codec: count, and acknowledge each read's packets."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.answered = asyncio.Event()
        self.count = self.acknowledged = 0
        self.first = self.last = 0.0
        self._rest = b""
        self._moved = asyncio.Event()

    @classmethod
    async def connect(cls, url: str, name: str, *, stays: bool = True) -> Client:
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

    async def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1."""
        assert self.transport is not None
        self.answered.clear()
        wanted = mqtt5.TopicFilter(topic, max_qos=mqtt5.QoS.AT_LEAST_ONCE)
        self.transport.write(mqtt5.SubscribePacket(1, [wanted]).write())
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
        at, acks = 0, []
        while at < len(view):
            try:
                packet, size = mqtt5.read(view[at:])
            except IndexError:
                break
            at += size
            if isinstance(packet, mqtt5.PublishPacket):
                acks.append(b"\x40\x02" + (packet.packet_id or 0).to_bytes(2, "big"))
            elif isinstance(packet, mqtt5.PubAckPacket):
                self.acknowledged += 1
                self._moved.set()
            else:
                self.answered.set()
        self._rest = bytes(view[at:])
        if acks and self.transport is not None:
            self.transport.write(b"".join(acks))
            self.first = self.first or perf_counter()
            self.last = perf_counter()
            self.count += len(acks)

    def close(self) -> None:
        """Disconnect; the session stays."""
        if self.transport is not None:
            self.transport.write(mqtt5.DisconnectPacket().write())
            self.transport.close()


async def _publish(url: str, rng: random.Random) -> None:
    """Publish as each device in turn, with as many under way as the broker allows."""
    start = datetime.now(UTC) - timedelta(hours=1)
    for device in range(DEVICES):
        client = await Client.connect(url, f"bench-{device}")
        assert client.transport is not None
        for number in range(EACH):
            if number - client.acknowledged >= WINDOW:
                await client.until(number - WINDOW + 1)
            packet = mqtt5.PublishPacket(
                f"vigie/v1/bench-{device}/readings",
                _payload(rng, number + 1, start + timedelta(seconds=number)),
                qos=mqtt5.QoS.AT_LEAST_ONCE,
                packet_id=number % 60_000 + 1,
            )
            client.transport.write(packet.write())
        await client.until(EACH)
        client.close()


def _payload(rng: random.Random, seq: int, time: datetime) -> bytes:
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


async def _codec(url: str, name: str) -> Drain:
    spent = process_time()
    client = await Client.connect(url, name)
    await asyncio.to_thread(wait_until, lambda: client.count >= MESSAGES, "the backlog", 120)
    client.close()
    return Drain(MESSAGES / (client.last - client.first), MESSAGES / (process_time() - spent))


def _paho(url: str, name: str) -> Drain:
    address = urlsplit(url)
    done, times = threading.Event(), [0.0, 0.0]
    count = 0

    def message(*_: object) -> None:
        nonlocal count
        count += 1
        times[0] = times[0] or perf_counter()
        if count >= MESSAGES:
            times[1] = perf_counter()
            done.set()

    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.username_pw_set(address.username, address.password)
    client.on_message = message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 300, 1000
    spent = process_time()
    client.connect(
        address.hostname or "", address.port or 1883, clean_start=False, properties=properties
    )
    client.loop_start()
    assert done.wait(120), "the backlog"
    spent = process_time() - spent
    client.disconnect()
    client.loop_stop()
    return Drain(MESSAGES / (times[1] - times[0]), MESSAGES / spent)


def _gateway(environment: dict[str, str], name: str) -> Drain:
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
