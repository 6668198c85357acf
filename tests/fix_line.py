"""The whole line, supervised as `make up` has it, on the session's servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from deploy.local import processes
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.local.servers import Servers


@dataclass
class Line:
    """Gateway, worker, dispatcher and both simulated ends, with the servers under them.

    `environment` has the settings; `run` makes names that no other test uses.
    """

    servers: Servers
    environment: dict[str, str]

    @property
    def devices_url(self) -> str:
        return self.environment["VIGIE_MQTT_DEVICES"]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database as an outsider does."""
        with psycopg.connect(self.environment["VIGIE_DATABASE"], autocommit=True) as database:
            return database.execute(query.encode(), values or None).fetchall()

    def vigie(self, *arguments: str, errors: bool = False) -> str:
        """Run a command of the front door; returns what it printed, with stderr when asked."""
        done = subprocess.run(
            [sys.executable, "-m", "vigie", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + (done.stderr if errors else "")

    def metric(self, process: str, name: str, **labels: str) -> float:
        """Read one series from a process' own /metrics."""
        port = processes.metrics_port(self.servers.state, process)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        wanted = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        series = f"{name}{{{wanted}}}" if wanted else name
        for line in text.splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        message = f"{process} has no series {series}"
        raise AssertionError(message)

    def kill(self, name: str) -> None:
        """Kill a process or server with -9; supervisord starts it again."""
        pid = self.servers.pid(name)
        assert pid, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)

    def restarted(self, name: str, old: int) -> bool:
        """Whether the program runs again under another pid."""
        return self.servers.pid(name) not in {0, old}

    def healthy(self) -> None:
        """Wait until every process of the line is well again."""
        for name in ("gateway", "worker", "dispatcher", "mailbox", "ens"):
            processes.wait(self.servers, name)

    def admit(self, folder: Path, count: int, *, ens: bool = False, limits: str = "") -> str:
        """Register patients p-RUN-N with devices d-RUN-N; returns RUN."""
        run = uuid.uuid4().hex[:8]
        entries = []
        for n in range(count):
            share = f'ens = "idpe-{run}-{n}"\n' if ens else ""
            entries.append(
                f'[[patients]]\nid = "p-{run}-{n}"\n{share}{limits}'
                f'physician = "dr-{run}-{n}@hopital.mssante.example"\n'
                f'[[devices]]\nid = "d-{run}-{n}"\nmodel = "bedside-monitor"\n'
                f'assignments = [{{ patient = "p-{run}-{n}", from = "2000-01-01T00:00:00Z" }}]\n'
            )
        file = folder / f"{run}.toml"
        file.write_text("\n".join(entries), encoding="utf-8")
        assert "in force at" in self.vigie("registry", "import", str(file))
        return run

    def mails_to(self, recipient: str) -> list[str]:
        """Return the Message-IDs in the simulated mailbox for this recipient."""
        found = []
        for path in sorted((self.servers.state.folder / "mailbox").glob("*.eml")):
            text = path.read_text(encoding="utf-8", errors="replace")
            if f"To: {recipient}" in text:
                found += [x for x in text.splitlines() if x.lower().startswith("message-id:")]
        return found

    def accepted_measures(self) -> list[dict[str, Any]]:
        """Ask the simulated e-health space what it has accepted."""
        address = self.environment["VIGIE_ENS"].removesuffix("/fhir")
        found: list[dict[str, Any]] = httpx.get(f"{address}/accepted").json()["accepted"]
        return found

    def wait_drained(self) -> None:
        """Wait until the worker has applied all that is in the log, and nothing is due."""

        def drained() -> bool:
            (due,) = self.rows("SELECT count(*) FROM deliveries WHERE state = 'queued'")[0]
            return not due

        wait_until(drained, "no delivery is due")


@pytest.fixture(scope="session")
def line(line_servers: Servers) -> Line:
    """Start topics, schema and processes once; tests use patients of their own."""
    ends, simulated = processes.ends(line_servers.state, {})
    known = {
        **line_servers.environment,
        **ends,
        "VIGIE_STATE": str(line_servers.state.folder),
        "PYTHONUNBUFFERED": "1",
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
    environment = {**kept, **known}

    def say(text: str) -> None:
        print(f"line: {text}", flush=True)  # noqa: T201 (progress)

    processes.prepare(environment, say)
    processes.start(line_servers, [*simulated, *processes.LINE], environment, say)
    return Line(line_servers, environment)


@pytest.fixture
def well_line(line: Line) -> Iterator[Line]:
    """Give a line that is well before the test and after it: for tests that kill."""
    line.healthy()
    yield line
    for name in ("mosquitto", "kafka", "timescale"):
        line.servers.wait(name)
    line.healthy()
