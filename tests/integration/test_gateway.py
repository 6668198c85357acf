"""Gateways as processes: they share their messages, end in order, and follow the registry."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest

from ingest.quarantine import search as quarantine
from ingest.readings import Refusal
from tests.devices import Outsider, instant
from tests.integration.broker import Broker
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

SECONDS = 60
NOW = datetime.now(UTC).replace(microsecond=0)


class Gateway:
    """A gateway of a test's own: on the session's Kafka, and on any broker."""

    def __init__(self, line: Line, url: str, name: str, folder: Path) -> None:
        self.log = folder / f"{name}.log"
        self._settings = {**line.environment, "VIGIE_MQTT": url}
        self._command = [sys.executable, "-m", "vigie", "gateway", "--name", name]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again under the same name if it ran before, and wait for its session."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "--metrics-port", "0"], env=self._settings, stderr=log
            )
        wait_until(lambda: "connected to the broker" in self.said(), self.said(), SECONDS)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def metric(self, name: str) -> float:
        """Read a series without labels from its own /metrics."""
        port = re.search(r"event=watching .*port=(\d+)", self.said())
        assert port, self.said()
        text = httpx.get(f"http://127.0.0.1:{port[1]}/metrics").text
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def terminate(self) -> int:
        """Ask it to end; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(SECONDS)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)


class Corner:
    """A broker of the test's own, where only its own gateways and devices are.

    The session's broker would keep the sessions of gateways that are gone, and go on feeding them.
    """

    def __init__(self, line: Line, broker: Broker, folder: Path) -> None:
        self.line, self.broker, self._folder = line, broker, folder
        self.gateways: list[Gateway] = []
        self.devices: list[Outsider] = []

    def gateway(self, name: str) -> Gateway:
        made = Gateway(self.line, self.broker.url, name, self._folder)
        self.gateways.append(made)
        made.start()
        return made

    def device(self, name: str) -> Outsider:
        made = Outsider(name, self.broker.url)
        self.devices.append(made)
        return made

    def stored(self, device: str) -> list[datetime]:
        """Return the times of the device's rows, one per row."""
        query = "SELECT time FROM readings WHERE device = %s ORDER BY time"
        return [time for (time,) in self.line.rows(query, device)]

    def wait_stored(self, device: str, count: int) -> None:
        wait_until(lambda: len(self.stored(device)) >= count, f"{count} rows", SECONDS)


@pytest.fixture
def corner(line: Line, tmp_path: Path) -> Iterator[Corner]:
    broker = Broker(tmp_path)
    broker.start()
    made = Corner(line, broker, tmp_path)
    yield made
    for device in made.devices:
        device.close()
    for gateway in made.gateways:
        gateway.kill()
    broker.kill()


@pytest.fixture(scope="module")
def run(line: Line, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Admit the devices of all tests here, before any gateway of theirs runs."""
    return line.admit(tmp_path_factory.mktemp("registry"), 8)


def at(seq: int) -> datetime:
    """Give each message a moment of its own."""
    return NOW - timedelta(hours=1) + timedelta(milliseconds=seq)


def publish(device: Outsider, *numbers: int) -> None:
    for seq in numbers:
        device.publish(seq, [instant(at(seq), heart_rate=70)])


@contextmanager
def load(*devices: Outsider) -> Iterator[None]:
    """Keep the devices publishing for as long as the block runs."""
    enough = threading.Event()

    def send() -> None:
        for seq in count(1):
            for device in devices:
                publish(device, seq)
            if enough.wait(0.001):
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        enough.set()
        sender.join()


def quarantined(line: Line, device: str) -> list[tuple[Refusal, str, bytes]]:
    """Look into the quarantine: reason, place and bytes of each record, the newest first."""
    found = asyncio.run(quarantine.newest(line.environment["VIGIE_KAFKA"], 200))
    return [
        (one.reason, one.at, rejected.payload)
        for rejected in found
        if rejected.device == device
        for one in rejected.refused
    ]


def test_two_gateways_share_the_messages_and_each_receipt_is_right(
    corner: Corner, run: str
) -> None:
    gateways = [corner.gateway("gateway-a"), corner.gateway("gateway-b")]
    devices = [corner.device(f"d-{run}-{n}") for n in range(3)]
    for device in devices:
        publish(device, *range(1, 101))
        device.publish(101, [instant(at(101), heart_rate=70, spo2=400)])
    for device in devices:
        device.wait_for_receipts()
        assert device.safe == set(range(1, 102))
        refusal = {"seq": 101, "at": "readings[0].spo2", "reason": "out-of-range"}
        # Once, or once for each time that it was sent.
        assert device.refused
        assert all(told == refusal for told in device.refused)
    shares = [gateway.metric("vigie_gateway_messages_safe_total") for gateway in gateways]
    assert all(share > 0 for share in shares)
    assert sum(shares) >= 303
    for device in devices:
        moments = [at(seq) for seq in range(1, 102)]
        corner.wait_stored(device.name, 101)
        assert corner.stored(device.name) == moments


def test_a_gateway_that_is_told_to_end_under_load_loses_nothing(corner: Corner, run: str) -> None:
    gateway = corner.gateway("gateway-a")
    devices = [corner.device(f"d-{run}-{n}") for n in (3, 4)]
    with load(*devices):
        wait_until(lambda: all(len(d.safe) > 100 for d in devices), "receipts", SECONDS)
        assert gateway.terminate() == 0
    assert "gateway stopped" in gateway.said()
    assert all(device.pending for device in devices), "it ended under load"
    for device in devices:
        # What was promised is stored, though no gateway runs.
        corner.wait_stored(device.name, len(device.safe))
        assert {at(seq) for seq in device.safe} <= set(corner.stored(device.name))
    gateway.start()
    for device in devices:
        device.wait_for_receipts()
        corner.wait_stored(device.name, len(device.sent))
        assert corner.stored(device.name) == [at(seq) for seq in sorted(device.sent)]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(
            json.dumps({"readings": [instant(NOW, heart_rate=70)]}).encode(),
            (Refusal.BAD_SEQ, "seq"),
            id="no number",
        ),
        pytest.param(b"", (Refusal.EMPTY, ""), id="no bytes at all"),
    ],
)
def test_what_can_have_no_receipt_is_in_quarantine_and_never_comes_again(
    corner: Corner, run: str, payload: bytes, expected: tuple[Refusal, str]
) -> None:
    gateway = corner.gateway("gateway-a")
    device = corner.device(f"d-{run}-{5 if payload else 6}")
    device.raw(payload)
    wait_until(lambda: quarantined(corner.line, device.name), "it is in quarantine", SECONDS)
    wait_until(
        lambda: gateway.metric("vigie_gateway_messages_safe_total") == 1, "it is settled", SECONDS
    )
    # The broker gives the next session what the last one has not acknowledged.
    gateway.kill()
    gateway.start()
    publish(device, 1)
    device.wait_for_receipts()
    assert quarantined(corner.line, device.name) == [(*expected, payload)]
    assert device.refused == []


def test_a_device_given_to_another_patient_tells_of_that_one_from_then_on(
    line: Line, run: str, tmp_path: Path
) -> None:
    name, change = f"d-{run}-7", NOW - timedelta(minutes=30)
    since = f"{change:%FT%TZ}"
    device = Outsider(name, line.devices_url)
    patients = "SELECT patient, time FROM readings WHERE device = %s ORDER BY time"
    device.publish(1, [instant(change + timedelta(minutes=1), heart_rate=70)])
    device.wait_for_receipts()
    file = tmp_path / "change.toml"
    file.write_text(
        f'[[devices]]\nid = "{name}"\nmodel = "bedside-monitor"\nassignments = [\n'
        f'  {{ patient = "p-{run}-7", from = "2000-01-01T00:00:00Z", until = "{since}" }},\n'
        f'  {{ patient = "p-{run}-0", from = "{since}" }},\n]\n',
        encoding="utf-8",
    )
    assert "in force at" in line.vigie("registry", "import", str(file))
    device.publish(2, [instant(change + timedelta(minutes=2), heart_rate=71)])
    device.publish(3, [instant(change - timedelta(minutes=1), heart_rate=72)])
    device.wait_for_receipts()
    wait_until(lambda: len(line.rows(patients, name)) == 3, "the rows", SECONDS)
    assert line.rows(patients, name) == [
        (f"p-{run}-7", change - timedelta(minutes=1)),  # late, and from before the change
        (f"p-{run}-7", change + timedelta(minutes=1)),  # taken before the change was known
        (f"p-{run}-0", change + timedelta(minutes=2)),
    ]
    device.close()


def test_a_wrong_password_ends_it_with_one_sentence_that_does_not_quote_it(
    line: Line, tmp_path: Path
) -> None:
    right = line.environment["VIGIE_MQTT"]
    wrong = re.sub(r":[^:@]+@", ":open-sesame@", right)
    assert wrong != right
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        code = subprocess.run(
            [sys.executable, "-m", "vigie", "gateway", "--name", "g", "--metrics-port", "0"],
            env={**line.environment, "VIGIE_MQTT": wrong},
            stderr=stderr,
            timeout=SECONDS,
            check=False,
        ).returncode
    said = log.read_text(encoding="utf-8")
    assert code == 1
    assert said.splitlines()[-1] == "vigie: VIGIE_MQTT: the broker refuses the user or password"
    assert "Traceback" not in said
    assert "open-sesame" not in said
