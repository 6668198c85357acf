"""`make bench-peers`: our gateway beside Telegraf, on the same broker, backlog and Kafka.

python -m tests.benchmarks.peers [--rounds 3] [--bar 1.2]

Telegraf forwards bytes: it does not decode, knows no device and no patient, and sends no receipt.
Both hold their PUBACK until all of Kafka's replicas have the message. They drain in turn, in an
order that changes, and the ratio is that of the middles.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from rich.console import Console

from ingest import topics
from tests.benchmarks import telegraf
from tests.benchmarks.__main__ import show
from tests.benchmarks.backlog import (
    ALL,
    MESSAGES,
    POLL_SECONDS,
    Client,
    Drain,
    drain_by_gateway,
    prepared,
    publish,
)
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import running, spent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BAR, GOAL = 1.2, 2.0
DRAIN_SECONDS = 60.0
PARTITIONS = 12
OURS, THEIRS = "gateway", "telegraf"


def main() -> None:
    """Measure, print the table, and exit with 1 below the bar or without Telegraf."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each drains a backlog")
    parser.add_argument("--bar", type=float, default=BAR, help="the ratio that must be reached")
    parser.add_argument("--batch", type=int, default=250, help="Telegraf's metric_batch_size")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    try:
        program = telegraf.built(console.print)
    except telegraf.NotBuilt as error:
        sys.exit(str(error))
    found = list(_measured(console, program, options.rounds, options.batch))
    show(console, found)
    ratio = found[0].ratio
    console.print(f"bar {options.bar}, goal {GOAL}: {ratio:.2f}")
    if ratio < options.bar:
        sys.exit(f"The gateway takes {ratio:.2f} times what Telegraf takes, below {options.bar}.")


def _measured(console: Console, program: Path, rounds: int, batch: int) -> Iterator[Figure]:
    drains: dict[str, list[Drain]] = {OURS: [], THEIRS: []}
    with running(console, "mosquitto", "kafka") as servers, tempfile.TemporaryDirectory() as folder:
        environment = prepared(servers)
        asyncio.run(_topic(environment["VIGIE_KAFKA"]))
        for number in range(rounds):
            found = _round(environment, f"peers-{number}", Path(folder), program, batch)
            for way, drain in found.items():
                drains[way].append(drain)
            told = ", ".join(
                f"{way} {drain[-1].rate:,.0f}/s, {1e6 / drain[-1].by_processor:.1f} us each"
                for way, drain in drains.items()
            )
            console.print(f"round {number + 1} of {rounds}: {told}")
    for what, place in (("", 0), (", by processor time", 1)):
        yield Figure(
            f"gateway, backlog of QoS 1 messages of six vitals{what}",
            middle([drain[place] for drain in drains[OURS]]),
            f"Telegraf {telegraf.VERSION}",
            middle([drain[place] for drain in drains[THEIRS]]),
            "messages/s",
        )


async def _topic(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(telegraf.TOPIC, PARTITIONS, 1)])
    await admin.close()


def _round(
    environment: dict[str, str], name: str, folder: Path, program: Path, batch: int
) -> dict[str, Drain]:
    """Make the sessions and the backlog; then each drains its own, in turn."""
    settings, log = folder / f"{name}.conf", folder / f"{name}.log"
    text = telegraf.settings(environment, f"{name}-{THEIRS}", ALL, batch)
    settings.write_text(text, encoding="utf-8")
    rng, found = random.Random(name), {}
    asyncio.run(_backlog(environment, name, rng))
    for way in rng.sample([OURS, THEIRS], 2):
        if way == OURS:
            found[way] = drain_by_gateway(environment, f"{name}-{OURS}")
            continue
        command = [str(program), "--config", str(settings)]
        try:
            with log.open("wb") as file:
                found[way] = asyncio.run(_telegraf(environment["VIGIE_KAFKA"], command, file))
        except TimeoutError:
            tail = log.read_text(encoding="utf-8", errors="replace")[-1000:]
            sys.exit(f"Telegraf did not drain the backlog; its last words:\n{tail}")
    asyncio.run(_forget(environment["VIGIE_MQTT"], name))
    return {way: found[way] for way in (OURS, THEIRS)}


async def _backlog(environment: dict[str, str], name: str, rng: random.Random) -> None:
    url = environment["VIGIE_MQTT"]
    client = await Client.connect(url, f"{name}-{OURS}")
    await client.subscribe(*topics.shared(url))
    client.close()
    await asyncio.to_thread(_old_session, url, f"{name}-{THEIRS}")
    await publish(environment["VIGIE_MQTT_DEVICES"], rng)


async def _forget(url: str, name: str) -> None:
    """End the sessions: the broker would go on feeding an absent member of the shared group."""
    for session in (OURS, THEIRS):
        (await Client.connect(url, f"{name}-{session}", stays=False)).close()


def _old_session(url: str, name: str) -> None:
    """Make Telegraf's session: it speaks MQTT 3.1.1, and finds no messages in a session of 5."""
    address, subscribed = urlsplit(url), threading.Event()
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        name,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
    )
    client.username_pw_set(address.username, address.password)

    def connected(*_: object) -> None:
        client.subscribe(ALL, qos=1)

    client.on_connect = connected
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(address.hostname or "", address.port or 1883)
    client.loop_start()
    assert subscribed.wait(10), "no SUBACK"
    client.disconnect()
    client.loop_stop()


async def _telegraf(address: str, command: list[str], log: BinaryIO) -> Drain:
    """Time Telegraf's records in Kafka, one a message, from the first that is seen to the last."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address)
    await consumer.start()
    partitions = [TopicPartition(telegraf.TOPIC, n) for n in range(PARTITIONS)]

    async def written() -> int:
        return sum((await consumer.end_offsets(partitions)).values())

    before = await written()
    process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 (started once, and it is what is measured)
    seen: list[tuple[float, int, float]] = []
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while not seen or seen[-1][1] < MESSAGES:
                count = await written() - before
                if count:
                    seen.append((perf_counter(), count, spent(process.pid)))
                await asyncio.sleep(POLL_SECONDS)
    finally:
        process.terminate()
        process.wait(30)
        await consumer.stop()
    took, messages, used = (last - first for first, last in zip(seen[0], seen[-1], strict=True))
    return Drain(messages / took, messages / used)


if __name__ == "__main__":
    main()
