"""A patient withdraws while a ward sends at full load: within a second nothing more is kept."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

WARD, EVERY_SECONDS = 20, 0.1  # 200 messages a second in all
PROMISE = timedelta(seconds=1)


class Load:
    """The ward's devices, sending from a thread of their own until told to stop."""

    def __init__(self, devices: Sequence[Outsider]) -> None:
        self.devices, self.seq = devices, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.seq += 1
            for device in self.devices:
                device.publish(self.seq, [instant(datetime.now(UTC), heart_rate=70, spo2=97)])

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()


def test_withdrawal_takes_effect_within_a_second_at_gateway_and_worker_under_load(
    line: Line, tmp_path: Path
) -> None:
    run = line.admit(tmp_path, WARD)
    devices = [Outsider(f"d-{run}-{n}", line.devices_url) for n in range(WARD)]
    gone, others = devices[0], devices[1:]
    load = Load(devices)
    before = dropped(line)
    stored = "SELECT count(*), max(received) FROM readings WHERE patient = %s"
    with load.running():
        wait_until(lambda: line.rows(stored, f"p-{run}-0")[0][0] > 40, "readings are stored")
        line.vigie("registry", "consent", "withdraw", f"p-{run}-0", "collect", "--by", "the test")
        ((recorded,),) = line.rows(
            "SELECT max(recorded) FROM internal.consent WHERE patient = %s AND NOT granted",
            f"p-{run}-0",
        )
        last = load.seq
        wait_until(lambda: load.seq > last + 30, "three seconds more of load")
        ((count, _),) = line.rows(stored, f"p-{run}-0")
    for device in others:
        device.wait_for_receipts()
    gone.wait_for_receipts()  # refused is settled too: the device may forget
    for n in range(1, WARD):
        wait_until(
            lambda n=n: line.rows(stored, f"p-{run}-{n}")[0][0] == 2 * load.seq,  # type: ignore[misc]  # bound now
            "the others' readings are all there",
        )
    ((kept, newest),) = line.rows(stored, f"p-{run}-0")
    assert kept == count, "rows came in long after the withdrawal"
    assert newest <= recorded + PROMISE
    assert {one["reason"] for one in gone.refused} == {"no-consent"}
    assert not any(device.refused for device in others)
    # Each value is accounted for: stored, refused at the door, or dropped by the worker.
    refused = {one["seq"] for one in gone.refused}
    assert kept + 2 * len(refused) + dropped(line) - before == 2 * load.seq
    for device in devices:
        device.close()


def dropped(line: Line) -> int:
    """Count the values that the worker has dropped for want of a consent."""
    return int(line.rows("SELECT coalesce(sum(consent), 0) FROM ledger")[0][0])
