"""`vigie simulate fleet` as a user runs it: enrolled devices over mutual TLS, and without a broker.

The large one is `make drill`.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from simulators.fleet import Account, Fleet, Order
from tests.integration.broker import Broker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

DEVICES = 5


def test_enrolled_devices_send_over_tls_and_each_reading_is_stored(
    line: Line, tmp_path: Path
) -> None:
    names = [f"fleet-{uuid.uuid4().hex[:8]}-{n}" for n in range(DEVICES)]
    devices, patients = tmp_path / "devices.csv", tmp_path / "patients.toml"
    rows = "".join(f"{name},bedside-monitor,1.0\n" for name in names)
    devices.write_text(f"id,model,version\n{rows}", encoding="utf-8")
    entries = [
        f'[[patients]]\nid = "p-{name}"\n'
        f'[[devices]]\nid = "{name}"\nmodel = "bedside-monitor"\nversion = "1.0"\n'
        f'assignments = [{{ patient = "p-{name}", from = "2026-01-01T00:00:00Z" }}]\n'
        for name in names
    ]
    patients.write_text("\n".join(entries), encoding="utf-8")
    folder = str(tmp_path / "devices")
    line.vigie("devices", "enroll", "--file", str(devices), "--out", folder)
    line.vigie("registry", "import", str(patients))
    fleet = ("simulate", "fleet", "--devices", str(DEVICES), "--credentials", folder)
    account = json.loads(line.vigie(*fleet, "--rate", "50", "--minutes", "0.03", "--json"))
    assert account["whole"]
    assert account["connected"] == DEVICES
    assert account["tally"]["safe"] == account["tally"]["sent"] > 0
    assert account["tally"]["refused"] == {}


async def test_devices_come_back_to_a_broker_that_was_killed_and_tell_of_it(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start()
    order = Order(broker.url, ["d-1", "d-2"], rate=20, seconds=6, settle_seconds=0)
    came_back = asyncio.Event()
    killed = False

    def watch(account: Account) -> None:
        nonlocal killed
        if account.tally.sent and not killed:
            killed = True
            broker.kill()
            broker.start()
        if account.ended and account.tally.repeated:
            came_back.set()
            fleet.stop()

    fleet = Fleet(order, watch)
    try:
        account = await fleet.run()
    finally:
        broker.kill()
    assert came_back.is_set(), account
    assert sum(account.ended.values()) >= 2
    assert not account.whole, "nobody gave a receipt, and the connections ended"
