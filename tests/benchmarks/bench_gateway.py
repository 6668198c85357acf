"""Messages a gateway takes from a backlog, against clients that do nothing with them.

Three sessions exist before anything is published, so the broker keeps a backlog for each: the
gateway's, that of a bare loop of the codec that only acknowledges, and a bare paho subscriber's.
They drain it in turn. The gateway does all of its work: decode, identify, bundle, Kafka's
acknowledgement, PUBACK, receipt. Its rate is read from its own count of messages that Kafka has.
"""

from __future__ import annotations

import asyncio
import random
import threading
from time import perf_counter, process_time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest import topics
from tests.benchmarks.backlog import (
    ALL,
    MESSAGES,
    Client,
    Drain,
    drain_by_gateway,
    prepared,
    publish,
)
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import running
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

ROUNDS = 3
RATES = {"gateway": "the gateway", "codec": "a bare loop of the codec", "paho": "bare paho"}


def run(console: Console, _seconds: float) -> Iterator[Figure]:
    """Drain the same backlog three ways, a few times, and give the middle of each."""
    drains: dict[str, list[Drain]] = {name: [] for name in RATES}
    with running(console, "mosquitto", "kafka") as servers:
        environment = prepared(servers)
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


async def _round(environment: dict[str, str], name: str) -> dict[str, Drain]:
    url = environment["VIGIE_MQTT"]
    for session, wanted in (("gateway", topics.shared(url)), ("codec", (ALL,)), ("paho", (ALL,))):
        client = await Client.connect(url, f"{name}-{session}")
        await client.subscribe(*wanted)
        client.close()
    await publish(environment["VIGIE_MQTT_DEVICES"], random.Random(name))
    ways = ["gateway", "codec", "paho"]
    random.Random(name).shuffle(ways)
    found = {}
    for way in ways:
        if way == "gateway":
            found[way] = await asyncio.to_thread(drain_by_gateway, environment, f"{name}-gateway")
        elif way == "codec":
            found[way] = await _codec(url, f"{name}-codec")
        else:
            found[way] = await asyncio.to_thread(_paho, url, f"{name}-paho")
    for session in ways:
        # The broker would go on giving an absent member of the shared group its part.
        (await Client.connect(url, f"{name}-{session}", stays=False)).close()
    return found


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
