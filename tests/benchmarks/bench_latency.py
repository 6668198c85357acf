"""How soon a physician's mail arrives, and a device's receipt, at a steady 200 messages a second.

Receipts are timed once more at 1,000 messages a second, beside bare MQTT (`receipts.py`).

The whole line runs as processes on servers of its own; only the mail server is in the benchmark,
so that an arrival is timed when the last byte is there. Each ill patient is new: NEWS2 opens an
alert at the first instant, so no onset delay is part of the figure.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

from deploy.local import ports
from tests.benchmarks import receipts
from tests.benchmarks.figures import Latency
from tests.benchmarks.places import running, whole_line
from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiosmtpd.smtp import SMTP, Envelope, Session
    from rich.console import Console

    from tests.benchmarks.figures import Figure
    from tests.fix_line import Line

PER_SECOND, DEVICES, ILL_EVERY = 200, 40, 50
WELL = {"heart_rate": 72, "spo2": 97, "respiratory_rate": 15, "temperature": 36.8}
ILL = {"heart_rate": 135, "spo2": 88, "respiratory_rate": 28, "temperature": 39.4}


@dataclass
class Arrivals:
    """An SMTP end that notes when the mail for each recipient was complete."""

    at: dict[str, float] = field(default_factory=dict)

    async def handle_DATA(  # noqa: N802 (the name that aiosmtpd calls)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        now = perf_counter()
        for recipient in envelope.rcpt_tos:
            self.at.setdefault(recipient, now)
        return "250 OK"


class Timed(Outsider):
    """A device that notes how long each receipt took."""

    def __init__(self, name: str, url: str) -> None:
        self.took: list[float] = []
        self.since: dict[int, float] = {}
        super().__init__(name, url)

    def publish_timed(self, seq: int, **vitals: float) -> float:
        """Publish one instant; returns when."""
        began = self.since[seq] = perf_counter()
        self.publish(seq, [instant(datetime.now(UTC), **vitals)])
        return began

    def _receipt(self, client: object, userdata: object, message: Any) -> None:
        now = perf_counter()
        for first, last in json.loads(message.payload)["safe"]:
            self.took += [now - self.since[n] for n in range(first, last + 1) if n in self.since]
        super()._receipt(client, userdata, message)


def run(console: Console, seconds: float) -> Iterator[Latency | Figure]:
    """Load the line for `seconds`, and time mails and receipts; then receipts at 1,000 a second."""
    arrivals = Arrivals()
    port = ports.choose(None)
    mail = Controller(arrivals, hostname="127.0.0.1", port=port)
    mail.start()
    try:
        with running(console) as servers, TemporaryDirectory() as folder:
            line = whole_line(servers, console, {"VIGIE_SMTP": f"smtp://127.0.0.1:{port}"})
            mails, waits = _load(line, Path(folder), seconds, arrivals, console)
            faster = list(receipts.measured(line, Path(folder), seconds, console))
    finally:
        mail.stop()
    yield Latency(f"publish to mail, at {PER_SECOND} messages/s", tuple(mails))
    yield Latency(f"publish to receipt, at {PER_SECOND} messages/s", tuple(waits))
    yield from faster


def _load(
    line: Line, folder: Path, seconds: float, arrivals: Arrivals, console: Console
) -> tuple[list[float], list[float]]:
    messages = int(seconds * PER_SECOND)
    ill_count = messages // ILL_EVERY
    run_name = line.admit(folder, DEVICES + ill_count)
    devices = [Timed(f"d-{run_name}-{n}", line.devices_url) for n in range(DEVICES + ill_count)]
    well, ill = devices[:DEVICES], devices[DEVICES:]
    sent: dict[str, float] = {}
    pause = threading.Event()
    began = perf_counter()
    for number in range(messages):
        # The beat is kept from the start, so that one late message does not slow the load.
        pause.wait(max(0.0, began + number / PER_SECOND - perf_counter()))
        if number % ILL_EVERY == ILL_EVERY - 1:
            place = number // ILL_EVERY
            recipient = f"dr-{run_name}-{DEVICES + place}@hopital.mssante.example"
            sent[recipient] = ill[place].publish_timed(1, **ILL)
        else:
            well[number % DEVICES].publish_timed(1 + number // DEVICES, **WELL)
    took = perf_counter() - began
    console.print(f"{messages:,} messages in {took:.1f} s: {messages / took:,.0f}/s")
    wait_until(lambda: sent.keys() <= arrivals.at.keys(), "every mail", 60)
    wait_until(lambda: not any(device.pending for device in devices), "every receipt", 60)
    for device in devices:
        device.close()
    mails = [arrivals.at[recipient] - at for recipient, at in sent.items()]
    return mails, [seconds for device in well for seconds in device.took]
