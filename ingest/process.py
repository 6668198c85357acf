"""The gateway's process: settings in, source, sink and registry connected, an orderly end."""

from __future__ import annotations

import asyncio
import gc
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from ingest import health, metrics
from ingest.formats.catalogue import Formats
from ingest.gateway import Gateway
from ingest.identity import watch
from ingest.kafka import Producer
from ingest.mqtt import Mqtt5Source
from ingest.ports import SettingError, SystemClock, VigieError
from ingest.registry.follower import Follower

if TYPE_CHECKING:
    from ingest.ports import Source
    from ingest.settings import Settings

log = structlog.get_logger()

# Objects between two collections of each generation; Python's own are 700, 10, 10.
COLLECT_AFTER = (50_000, 20, 50)


def source(url: str, name: str) -> Source:
    """Choose the adapter by the URL's scheme. Raises SettingError."""
    scheme = urlsplit(url).scheme
    if scheme in {"mqtt", "mqtts"}:
        return Mqtt5Source(url, name)
    if scheme == "mqtt3":
        from ingest.mqtt_paho import PahoSource  # noqa: PLC0415 (only for 3.1.1 brokers)

        return PahoSource(url, name)
    raise SettingError("VIGIE_MQTT begins with mqtt://, mqtts:// or, for MQTT 3.1.1, mqtt3://")


async def run(settings: Settings, name: str, metrics_port: int) -> None:
    """Run one gateway until SIGTERM or SIGINT. Raises SettingError before it takes anything.

    SIGUSR1 makes it take messages again at once after nearly all were refused.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    quota = _number("VIGIE_QUOTA", settings.quota)
    broker = source(settings.mqtt, name)
    producer = Producer(settings.kafka)
    follower = Follower(settings.kafka)
    formats = Formats(settings.templates)
    gateway = Gateway(broker, producer, follower, formats, SystemClock(), name, quota=quota)
    follower.on_change(gateway.changed)
    loop.add_signal_handler(signal.SIGUSR1, gateway.resume)
    checks = {
        "broker": lambda: None if broker.connected else "not connected",
        "kafka": lambda: gateway.trouble,
        "messages": lambda: gateway.refusing,
    }
    watch.expose(settings.authority)
    watched = health.serve(settings.metrics_host, metrics_port, checks)
    metrics.CONNECTED.set(0)
    starting = asyncio.create_task(producer.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            log.info("gateway started", name=name)
            _spare_the_collector()
            await gateway.run(stop)
    except* VigieError as errors:
        raise _only(errors) from None
    finally:
        for task in (starting, stopping):
            task.cancel()
        await producer.close()
        watched.close()
    log.info("gateway stopped")


def _spare_the_collector() -> None:
    """Collect cycles seldom: messages make none, and looking for them costs a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _number(name: str, text: str) -> float:
    """Read a positive number. Raises SettingError."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise SettingError(f"{name} must be a number above 0, not `{text}`")
    return number


def _only(errors: BaseExceptionGroup[VigieError]) -> VigieError:
    """Take the first error out of a group of groups: one sentence is enough for the operator."""
    first = errors.exceptions[0]
    return _only(first) if isinstance(first, BaseExceptionGroup) else first
