"""From a device's publish to its receipt, at 1,000 messages a second of 50 devices, and bare MQTT.

The bare way has the same devices, broker program and rate, and at its other end, instead of the
line, a loop of the codec which answers each message at once, with no thought and no Kafka.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import mqtt5

from simulators.fleet import Fleet, Order
from tests.benchmarks.backlog import ALL, Client
from tests.benchmarks.figures import Figure, Latency
from tests.integration.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from tests.fix_line import Line

PER_SECOND, DEVICES = 1000, 50
# The promise is a tenth of a second for all but one in a hundred.
PROMISED_SECONDS = 0.1
_SEQ = re.compile(rb'"seq":(\d+)')


class Echo(Client):
    """Answers each message at once with a receipt, and acknowledges it."""

    def packet(self, packet: mqtt5.Packet) -> None:
        if isinstance(packet, mqtt5.PublishPacket) and self.transport is not None:
            found = _SEQ.search(packet.payload)
            assert found is not None
            topic = packet.topic.replace("/readings", "/receipts")
            receipt = b'{"safe":[[%s,%s]]}' % (found[1], found[1])
            self.transport.write(mqtt5.PublishPacket(topic, receipt).write())
        super().packet(packet)


def measured(
    line: Line, folder: Path, seconds: float, console: Console
) -> Iterator[Latency | Figure]:
    """Load the line, then a broker with nothing behind it; each for so many seconds."""
    run = line.admit(folder, DEVICES)
    names = [f"d-{run}-{n}" for n in range(DEVICES)]
    ours = asyncio.run(_waits(line.devices_url, names, seconds, console))
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as beside:
        broker = Broker(Path(beside))
        broker.start()
        try:
            bare = asyncio.run(_bare(broker.url, names, seconds, console))
        finally:
            broker.kill()
    there = Latency(f"publish to receipt, at {PER_SECOND:,} messages/s", ours)
    back = Latency(f"publish to the answer of a bare loop, at {PER_SECOND:,} messages/s", bare)
    yield there
    yield back
    yield Figure(
        f"publish to receipt at {PER_SECOND:,} messages/s, 99th percentile",
        1000 * there.percentiles[2],
        "the answer of a bare loop",
        1000 * back.percentiles[2],
        "ms",
    )


async def _bare(
    url: str, names: Sequence[str], seconds: float, console: Console
) -> tuple[float, ...]:
    echo = await Echo.connect(url, "echo", stays=False)
    await echo.subscribe(ALL)
    waits = await _waits(url, names, seconds, console)
    echo.close()
    return waits


async def _waits(
    url: str, names: Sequence[str], seconds: float, console: Console
) -> tuple[float, ...]:
    account = await Fleet(Order(url, names, PER_SECOND, seconds)).run()
    assert account.whole, account
    rate = account.tally.sent / account.seconds
    console.print(f"{account.tally.sent:,} messages of {len(names)} devices: {rate:,.0f}/s")
    return tuple(account.receipts)
