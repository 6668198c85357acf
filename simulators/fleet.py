"""A fleet: thousands of devices in one process, each with a connection and identity of its own.

One asyncio loop sends at a steady rate, round robin; each device keeps a message until its receipt.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from ingest.ports import SettingError
from simulators.fleet_device import Devices, FleetDevice
from simulators.pending import Tally
from simulators.series import stamp
from simulators.vitals import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# So many handshakes at once: a broker that signs for thousands together answers none in time.
CONNECTING_AT_ONCE = 20
BEAT_SECONDS = 0.01
PUMP_SECONDS = 1.0
# Beside a descriptor for each device: files, pipes, what Python itself keeps open.
SPARE_DESCRIPTORS = 200
CERTIFICATE = "client.crt"


@dataclass(frozen=True, slots=True)
class Order:
    """What a fleet does: who connects where, and sends how much for how long.

    `rate` is in messages a second, of all devices together. `credentials` has a folder per device;
    None is for mqtt://. `settle_seconds` is how long the last receipts are waited for.
    """

    url: str
    devices: Sequence[str]
    rate: float
    seconds: float
    credentials: Path | None = None
    seed: int = 1
    connect_seconds: float = 300.0
    settle_seconds: float = 60.0


@dataclass(slots=True)
class Account:
    """What came of it.

    `ended` counts connections that ended against the device's will, by why. `late` counts messages
    that a device had no room for. `receipts` are seconds from publish to receipt.
    """

    devices: int
    connected: int = 0
    connecting_seconds: float = 0.0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    late: int = 0
    unsettled: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    turned_away: dict[int, int] = field(default_factory=dict)
    receipts: array[float] = field(default_factory=lambda: array("d"))

    @property
    def whole(self) -> bool:
        """Whether all connected, stayed, and have a receipt for each message."""
        troubles = self.late or self.unsettled or self.ended or self.turned_away
        return self.connected == self.devices and not troubles


class Fleet:
    """Runs an order. `asyncio.run(Fleet(order).run())`; `watch` is called every second."""

    def __init__(self, order: Order, watch: Callable[[Account], None] = lambda _: None) -> None:
        self._order, self._watch = order, watch
        self.account = Account(len(order.devices))
        self._notes = Devices(self.account.receipts)
        # Numbers rise over runs of the same device, as the clock does: see Pending.
        first = int(datetime.now(UTC).timestamp() * 1000)
        self._devices = [
            FleetDevice(
                name,
                order.url,
                self._notes,
                first_seq=first,
                credentials=None if order.credentials is None else order.credentials / name,
            )
            for name in order.devices
        ]
        self._bodies = [Body(order.seed, name) for name in order.devices]
        self._stopped = False

    def stop(self) -> None:
        """End early; the account is of what was done."""
        self._stopped = True

    async def run(self) -> Account:
        """Connect all, send at the rate, wait for the last receipts, say goodbye."""
        gate = asyncio.Semaphore(CONNECTING_AT_ONCE)
        running = [asyncio.create_task(device.run(gate)) for device in self._devices]
        try:
            await self._connected()
            await self._send()
            await self._settled()
        finally:
            self._count()
            for task in running:
                task.cancel()
            for device in self._devices:
                device.leave()
            await asyncio.gather(*running, return_exceptions=True)
        return self.account

    async def _connected(self) -> None:
        began = monotonic()
        while self._notes.connected < len(self._devices) and not self._stopped:
            if monotonic() - began > self._order.connect_seconds:
                break
            await self._second()
        self.account.connecting_seconds = monotonic() - began

    async def _send(self) -> None:
        began, sent, pumped = monotonic(), 0, 0.0
        order, number = self._order, len(self._devices)
        while (elapsed := monotonic() - began) < order.seconds and not self._stopped:
            # The beat is kept from the start, so that a slow moment does not slow the load.
            due = int(elapsed * order.rate)
            time = datetime.now(UTC)
            while sent < due:
                device, body = self._devices[sent % number], self._bodies[sent % number]
                if not device.send([{"time": stamp(time), **body.at(time)}]):
                    self.account.late += 1
                sent += 1
            if elapsed - pumped >= PUMP_SECONDS:
                pumped = elapsed
                self._pump()
            await asyncio.sleep(BEAT_SECONDS)
        self.account.seconds = monotonic() - began

    async def _settled(self) -> None:
        end = monotonic() + self._order.settle_seconds
        while any(not device.pending.settled for device in self._devices) and monotonic() < end:
            await self._second()

    async def _second(self) -> None:
        await asyncio.sleep(PUMP_SECONDS)
        self._pump()

    def _pump(self) -> None:
        now = monotonic()
        for device in self._devices:
            device.pump(now)
        self._count()
        self._watch(self.account)

    def _count(self) -> None:
        account, tally = self.account, Tally()
        account.connected = max(account.connected, self._notes.connected)
        for device in self._devices:
            tally.add(device.pending.tally)
        account.tally = tally
        account.unsettled = sum(len(device.pending) for device in self._devices)
        account.ended = dict(self._notes.ended)
        account.turned_away = dict(self._notes.turned_away)


def enrolled(credentials: Path, number: int) -> list[str]:
    """Name the first so many devices that have a certificate in this folder. SettingError."""
    if not credentials.is_dir():
        raise SettingError(f"{credentials} is no folder: `vigie devices enroll --out` makes one")
    names = sorted(path.parent.name for path in credentials.glob(f"*/{CERTIFICATE}"))
    if len(names) < number:
        raise SettingError(f"{credentials} has certificates of {len(names)} devices, not {number}")
    return names[:number]


def make_room(devices: int) -> None:
    """Raise this process' limit of open files to one for each device. Raises SettingError."""
    needed = devices + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SettingError(
            f"{devices} devices need {needed} open files, and this system allows a process {hard}: "
            "raise the limit (`ulimit -Hn`), or take fewer --devices"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def stopping_on_signals(fleet: Fleet) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the run with its account."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: fleet.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
