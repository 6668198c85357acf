"""A patient gets worse while each process is restarted: the right ones are told, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from simulators.scenarios import SCENARIOS
from simulators.series import bed
from simulators.ward import Stay
from tests.devices import Outsider
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = [pytest.mark.servers, pytest.mark.chaos]

SECONDS, ONSET, PER_MESSAGE = 480, 240, 10
# Message -> who is restarted just then; the course sets in with message 24.
RESTARTS = {12: "gateway", 25: "worker", 27: "dispatcher"}


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_one_alert_one_mail_one_measure_though_each_process_was_restarted(
    how: str, well_line: Line, tmp_path: Path
) -> None:
    line = well_line
    run = line.admit(tmp_path, 1, ens=True)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=SECONDS + 5)
    lying = replace(bed(f"p-{run}-0", 0, profile="ward"), device=f"d-{run}-0")
    stay = Stay(
        lying, 7, start, SCENARIOS["hypoxaemia"], onset_seconds=ONSET, seconds=float(SECONDS)
    )
    device = Outsider(lying.device, line.devices_url)
    samples = list(stay.samples())
    for number in range(len(samples) // PER_MESSAGE):
        part = samples[number * PER_MESSAGE : (number + 1) * PER_MESSAGE]
        device.publish(number + 1, [dict(sample.instant()) for sample in part])
        if victim := RESTARTS.get(number):
            restart(line, victim, how)
    device.wait_for_receipts()

    query = "SELECT id, rule, class, priority, started FROM alerts WHERE patient = %s"
    wait_until(lambda: line.rows(query, lying.patient), "the alert", 60)
    mail = f"dr-{run}-0@hopital.mssante.example"
    wait_until(lambda: line.mails_to(mail), "the mail", 60)
    wait_until(lambda: shared(line, f"idpe-{run}-0"), "the measure in the e-health space", 60)
    line.wait_drained()

    alerts = line.rows(query, lying.patient)
    assert [tuple(row[1:4]) for row in alerts] == [("news2", "physiological", "medium")]
    assert stay.truth.onset <= alerts[0][4] <= stay.truth.noticed_by
    # After kill -9 a second copy may come, with the same Message-ID; after an orderly stop, never.
    mails = line.mails_to(mail)
    assert len(set(mails) if how == "killed" else mails) == 1
    (measure,) = shared(line, f"idpe-{run}-0")
    assert "2708-6" in str(measure), "the saturation, and nothing else, was shared"
    told = line.rows("SELECT channel, state FROM deliveries WHERE alert = %s", alerts[0][0])
    assert sorted(told) == [("ens", "accepted"), ("mail", "sent")]
    device.close()


def restart(line: Line, victim: str, how: str) -> None:
    """Restart a process: by kill -9, or as an operator does."""
    old = line.servers.pid(victim)
    if how == "killed":
        line.kill(victim)
    else:
        line.servers.supervisor.stop(victim)
        line.servers.supervisor.start(victim)
    wait_until(lambda: line.restarted(victim, old), f"{victim} runs again")


def shared(line: Line, space: str) -> list[dict[str, object]]:
    """Return what this e-health space has accepted."""
    return [one for one in line.accepted_measures() if space in str(one)]
