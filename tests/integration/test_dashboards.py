"""While the line works, the dashboard has every figure, and none of them tells of a patient."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import processes
from tests.builders_dashboard import metrics, queries
from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fix_line import Line

pytestmark = pytest.mark.servers

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana/dashboards/vigie.json"
RULES = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8"))
EXPRESSIONS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for g in RULES["groups"] for rule in g["rules"] if "record" in rule}
JOBS = ("gateway", "worker", "dispatcher", "mailbox", "ens")
# Told by Prometheus itself, not by a process.
BY_PROMETHEUS = {"up", "ALERTS"}
# Long enough for an episode to open, so that somebody is told of the ill patient.
SECONDS = 300


class Busy:
    """A line with a little traffic: a well patient, an ill one, and a reading to be refused."""

    def __init__(self, line: Line, folder: Path) -> None:
        self.line = line
        self.run = line.admit(folder, 2, ens=True)
        self._numbers = count(1)
        self._devices = [Outsider(f"d-{self.run}-{n}", line.devices_url) for n in range(2)]
        begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=SECONDS)
        for start in range(0, SECONDS, 60):
            times = [begin + timedelta(seconds=start + second) for second in range(0, 60, 2)]
            self._send(times, low=start >= SECONDS // 2)

    def go_on(self) -> None:
        """Send one more instant of each patient, and an impossible value."""
        now = datetime.now(UTC).replace(microsecond=0)
        self._send([now], low=True)
        self._devices[0].publish(next(self._numbers), [instant(now, heart_rate=9_999)])

    def close(self) -> None:
        for device in self._devices:
            device.wait_for_receipts()
            device.close()

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask the real Prometheus."""
        address = f"{self.line.environment['VIGIE_PROMETHEUS']}/api/v1/query"
        answer = httpx.get(address, params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def pages(self) -> dict[str, str]:
        """Read every process' /metrics."""
        state = self.line.servers.state
        ports = {job: processes.metrics_port(state, job) for job in JOBS}
        return {job: httpx.get(f"http://127.0.0.1:{at}/metrics").text for job, at in ports.items()}

    def _send(self, times: list[datetime], *, low: bool) -> None:
        number = next(self._numbers)
        for ill, device in enumerate(self._devices):
            spo2, breaths = (84, 28) if ill and low else (97, 14)
            device.publish(
                number,
                [instant(t, heart_rate=70, spo2=spo2, respiratory_rate=breaths) for t in times],
            )


@pytest.fixture(scope="module")
def busy(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    line.healthy()

    def all_are_scraped() -> bool:
        address = f"{line.environment['VIGIE_PROMETHEUS']}/api/v1/query"
        found = httpx.get(address, params={"query": "up"}).json()["data"]["result"]
        return {one["metric"]["job"] for one in found if one["value"][1] == "1"} == {*JOBS}

    # A counter that was first seen after its rise has not risen, for Prometheus.
    wait_until(all_are_scraped, "Prometheus reads each process", 90)
    made = Busy(line, tmp_path_factory.mktemp("busy"))
    told = "SELECT 1 FROM deliveries d JOIN alerts a ON a.id = d.alert WHERE a.patient = %s"
    wait_until(lambda: line.rows(told, f"p-{made.run}-1"), "somebody is told of the ill patient")
    yield made
    made.close()


def test_every_query_of_the_dashboard_returns_data(busy: Busy) -> None:
    without = dict.fromkeys(queries(DASHBOARD))

    def all_answer() -> bool:
        for title, query in list(without):
            values = [float(one["value"][1]) for one in busy.ask(query)]
            if any(math.isfinite(value) for value in values):
                del without[title, query]
        return not without

    try:
        wait_until(all_answer, "an answer to each query", 90, pause=1, meanwhile=busy.go_on)
    except AssertionError:
        pytest.fail(f"no data for {list(without)}")


def test_every_metric_of_the_rules_and_the_dashboard_is_told_by_a_process(busy: Busy) -> None:
    told = {
        sample.name
        for page in busy.pages().values()
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    asked = {name for expr in EXPRESSIONS for name in metrics(expr)}
    asked |= {name for _, query in queries(DASHBOARD) for name in metrics(query)}
    assert asked - RECORDED - BY_PROMETHEUS - told == set()


def test_no_metric_and_no_log_names_a_patient_or_who_is_told(busy: Busy) -> None:
    busy.line.wait_drained()
    for job, page in busy.pages().items():
        assert busy.run not in page, job
    logs = sorted(busy.line.servers.state.logs.glob("*.log*"))
    assert {log.name for log in logs} >= {f"{job}.log" for job in JOBS}
    assert f"d-{busy.run}" in (logs[0].parent / "mosquitto.log").read_text(encoding="utf-8")
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        # A device's id may stand there: it is what an operator can look for.
        for private in (f"p-{busy.run}", f"dr-{busy.run}", f"idpe-{busy.run}"):
            assert private not in text, log.name
