"""Vigie's own processes, under the same supervisord as the servers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local import prometheus
from deploy.local.errors import NotReady
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.local.install import Say
    from deploy.local.servers import Servers
    from deploy.local.state import State

READY_SECONDS = 90.0
POLL_SECONDS = 0.2
STOP_SECONDS = 15
USUAL_SMTP, USUAL_ENS = 2525, 9480


@dataclass(frozen=True, slots=True)
class Process:
    """One of ours: its name, its command after `vigie`, and the usual port of its /metrics."""

    name: str
    arguments: tuple[str, ...]
    usual_port: int


GATEWAY = Process("gateway", ("gateway",), 9464)
WORKER = Process("worker", ("worker",), 9465)
DISPATCHER = Process("dispatcher", ("dispatcher",), 9466)
MAILBOX = Process("mailbox", ("mailbox",), 9469)
ENS = Process("ens", ("ens",), 9468)
LINE = (GATEWAY, WORKER, DISPATCHER)
# The outside world, simulated: the setting that names the real one, and what stands in for it.
ENDS = {"VIGIE_SMTP": MAILBOX, "VIGIE_ENS": ENS}


def ward(patients: int) -> Process:
    """Give the process of a simulated ward that runs for ever; one patient becomes septic."""
    arguments = ("simulate", "ward", "--patients", str(patients), "--speed", "1")
    return Process("simulate", (*arguments, "--scenario", "sepsis", "--count", "1"), 9467)


def ends(state: State, site: Mapping[str, str]) -> tuple[dict[str, str], list[Process]]:
    """Choose addresses for the simulated ends that the site has not of its own."""
    ports = {"VIGIE_SMTP": USUAL_SMTP, "VIGIE_ENS": USUAL_ENS}
    settings, simulated = {}, []
    for setting, process in ENDS.items():
        if site.get(setting):
            settings[setting] = site[setting]
            continue
        known = state.record.ports.get(process.name)
        port = known if known is not None else state.port(process.name, ports[setting])
        mail = setting == "VIGIE_SMTP"
        settings[setting] = (
            f"smtp://{LOOPBACK}:{port}" if mail else f"http://{LOOPBACK}:{port}/fhir"
        )
        simulated.append(process)
    return settings, simulated


def prepare(environment: Mapping[str, str], say: Say) -> None:
    """Make topics and schema. Raises NotReady with what the command said."""
    for arguments in (("topics", "create"), ("database", "migrate")):
        say(f"vigie {' '.join(arguments)}")
        done = subprocess.run(
            [sys.executable, "-m", "vigie", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=dict(environment),
        )
        if done.returncode:
            tail = done.stdout + done.stderr
            raise NotReady(f"vigie {' '.join(arguments)} failed.", tail=tail)


def start(
    running: Servers, processes: Iterable[Process], environment: Mapping[str, str], say: Say
) -> None:
    """Start processes that do not run, have them scraped, and wait until each is healthy."""
    state, supervisor = running.state, running.supervisor
    wanted = list(processes)
    for process in wanted:
        seen = supervisor.seen().get(process.name)
        if seen is None or not seen.runs:
            port = state.port(f"{process.name}-metrics", process.usual_port)
            metrics = ("--metrics-port", str(port))
            command = (sys.executable, "-m", "vigie", *process.arguments, *metrics)
            program = Program(
                process.name,
                command,
                state.folder,
                dict(environment),
                stop_seconds=STOP_SECONDS,
                is_server=False,
            )
            supervisor.put(program)
            supervisor.start(process.name)
    state.save()
    prometheus.watch(state, {p.name: f"{LOOPBACK}:{metrics_port(state, p.name)}" for p in wanted})
    for process in wanted:
        say(f"waiting for {process.name}")
        wait(running, process.name)


def wait(running: Servers, name: str) -> None:
    """Return once the process says that it is healthy. Raises NotReady with its words."""
    deadline = time.monotonic() + READY_SECONDS
    while (said := health(running.state, name)) != "healthy":
        if time.monotonic() > deadline:
            tail = running.supervisor.tail(name)
            raise NotReady(f"{name} is not ready after {READY_SECONDS:.0f} s: {said}.", tail=tail)
        time.sleep(POLL_SECONDS)


def metrics_port(state: State, name: str) -> int:
    """Give the port on which a process serves /metrics and /healthz."""
    return state.record.ports[f"{name}-metrics"]


def health(state: State, name: str) -> str:
    """Ask a process how it is: `healthy`, or in a few words what is wrong."""
    url = f"http://{LOOPBACK}:{metrics_port(state, name)}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=2):
            return "healthy"
    except urllib.error.HTTPError as error:
        checks = json.loads(error.read()).get("checks", {})
        return ", ".join(f"{check}: {said}" for check, said in checks.items() if said != "ok")
    except (OSError, ValueError):
        return "no answer"
