"""A gateway that is told to end while Kafka is away: it ends, and nothing is lost."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = [pytest.mark.servers, pytest.mark.chaos]


def test_sigterm_while_kafka_is_away_ends_the_gateway_and_loses_nothing(
    well_line: Line, tmp_path: Path
) -> None:
    line = well_line
    run = line.admit(tmp_path, 1)
    device = Outsider(f"d-{run}-0", line.devices_url)
    old = line.servers.pid("gateway")
    line.servers.halt("kafka")
    try:
        device.publish(1, [instant(datetime.now(UTC), heart_rate=70)])
        under_way = "vigie_gateway_unacknowledged_messages"
        wait_until(lambda: line.metric("gateway", under_way) >= 1, "the message is under way", 30)
        os.kill(old, signal.SIGTERM)
        # supervisord would not kill it for us: it did not ask for the end.
        wait_until(lambda: line.restarted("gateway", old), "the gateway ended by itself", 60)
        assert not device.safe, "a receipt without Kafka"
    finally:
        line.servers.resume("kafka")
    device.wait_for_receipts()
    query = "SELECT count(*) FROM readings WHERE device = %s"
    wait_until(lambda: line.rows(query, device.name) == [(1,)], "the reading is stored once")
    device.close()
