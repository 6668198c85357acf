"""kill -9 under load, one part at a time: what got a receipt is stored, exactly once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = [pytest.mark.servers, pytest.mark.chaos]

DEVICES, MESSAGES = 6, 120
# With six devices 200 messages a second, for four seconds.
ROUND_SECONDS = 0.03
VITALS = ("heart_rate", "spo2", "respiratory_rate")


def reading(start: datetime, message: int, *, ill: bool) -> list[dict[str, object]]:
    """Two instants a message; from the second third on, one patient's saturation is low."""
    low = ill and message > MESSAGES // 3
    return [
        instant(
            start + timedelta(seconds=2 * message + half),
            heart_rate=60 + message % 20,
            spo2=90 if low else 97,
            respiratory_rate=14 + message % 4,
        )
        for half in (0, 1)
    ]


@pytest.mark.parametrize("victim", ["gateway", "worker", "mosquitto", "kafka", "timescale"])
def test_what_got_a_receipt_is_stored_once_after_a_kill_of(
    victim: str, well_line: Line, tmp_path: Path
) -> None:
    line = well_line
    run = line.admit(tmp_path, DEVICES)
    devices = [Outsider(f"d-{run}-{n}", line.devices_url) for n in range(DEVICES)]
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=2 * MESSAGES + 10)
    old = line.servers.pid(victim)

    def load() -> None:
        pause = threading.Event()
        for message in range(1, MESSAGES + 1):
            for n, device in enumerate(devices):
                device.publish(message, reading(start, message, ill=n == 0))
            pause.wait(ROUND_SECONDS)  # the beat of the load, not a wait for anything

    loading = threading.Thread(target=load)
    loading.start()
    wait_until(lambda: any(d.safe for d in devices), "a receipt before the kill", pause=0.01)
    line.kill(victim)
    assert loading.is_alive(), "the kill came after the load"
    loading.join()
    wait_until(lambda: line.restarted(victim, old), f"{victim} runs again", pause=0.2)
    for device in devices:
        device.wait_for_receipts(120)

    query = "SELECT patient, vital, time, value FROM readings WHERE patient LIKE %s"
    sent = {
        (f"p-{run}-{n}", vital, datetime.fromisoformat(str(one["time"])), float(str(one[vital])))
        for n, device in enumerate(devices)
        for readings in device.sent.values()
        for one in readings
        for vital in VITALS
    }
    assert len(sent) == DEVICES * MESSAGES * 2 * len(VITALS)
    wait_until(lambda: len(line.rows(query, f"p-{run}-%")) >= len(sent), "all is stored", 90)
    stored = line.rows(query, f"p-{run}-%")
    assert len(stored) == len(set(stored)), "a reading is there twice"
    assert set(stored) == sent

    alerts = line.rows("SELECT id, rule FROM alerts WHERE patient LIKE %s", f"p-{run}-%")
    assert [rule for _, rule in alerts] == ["news2"]
    mail = f"dr-{run}-0@hopital.mssante.example"
    wait_until(lambda: line.mails_to(mail), "the physician's mail", 60)
    line.wait_drained()
    # A second copy would carry the same Message-ID: one mail, as a mailbox sees it.
    assert len(set(line.mails_to(mail))) == 1
    assert json.loads(line.vigie("ledger", "--json"))["missing"] == 0
    for device in devices:
        device.close()


def test_the_dispatcher_killed_in_the_middle_tells_the_physician_once(
    well_line: Line, tmp_path: Path
) -> None:
    line = well_line
    run = line.admit(tmp_path, 20)
    devices = [Outsider(f"d-{run}-{n}", line.devices_url) for n in range(20)]
    old = line.servers.pid("dispatcher")
    now = datetime.now(UTC)
    for n, device in enumerate(devices):
        device.publish(1, [instant(now, heart_rate=140, spo2=85, respiratory_rate=30)])
        if n == 10:
            line.kill("dispatcher")
    wait_until(lambda: line.restarted("dispatcher", old), "the dispatcher runs again")
    for device in devices:
        device.wait_for_receipts()
    for n in range(20):
        mail = f"dr-{run}-{n}@hopital.mssante.example"
        wait_until(partial(line.mails_to, mail), f"the mail of patient {n}", 90)
        assert len(set(line.mails_to(mail))) == 1
    told = line.rows(
        "SELECT count(*), count(DISTINCT alert) FROM deliveries d JOIN alerts a ON a.id = d.alert "
        "WHERE a.patient LIKE %s AND channel = 'mail' AND d.state = 'sent'",
        f"p-{run}-%",
    )
    assert told == [(20, 20)]
    for device in devices:
        device.close()
