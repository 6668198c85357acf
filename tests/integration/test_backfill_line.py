"""A device that was out of reach for days, on the whole line: from its broker to the tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

MESSAGES, INSTANTS, VITALS = 20, 200, 2


def test_what_a_device_kept_for_days_is_stored_in_full_and_raises_no_alarm(
    line: Line, tmp_path: Path
) -> None:
    run = line.admit(tmp_path, 1)
    patient, away = f"p-{run}-0", datetime.now(UTC) - timedelta(days=3)
    device = Outsider(f"d-{run}-0", line.devices_url)
    for message in range(MESSAGES):
        first = message * INSTANTS
        times = (away + timedelta(seconds=first + n) for n in range(INSTANTS))
        device.publish(message + 1, [instant(time, spo2=60, heart_rate=180) for time in times])
    device.wait_for_receipts()
    device.close()
    assert device.refused == []
    rows = "SELECT count(*) FROM readings WHERE patient = %s AND quality = 'good' AND flags & 4 = 4"
    told = MESSAGES * INSTANTS * VITALS
    wait_until(lambda: line.rows(rows, patient) == [(told,)], "every reading is stored and marked")
    assert line.rows("SELECT count(*) FROM readings WHERE patient = %s", patient) == [(told,)]
    assert line.rows("SELECT * FROM alerts WHERE patient = %s", patient) == []
    account = json.loads(line.vigie("ledger", "--json"))
    assert account["missing"] == 0
    stored = sum(p["stored"] for p in account["partitions"] if p["topic"] == "vigie.backfill")
    assert stored >= told
    assert account["refused"] is not None
