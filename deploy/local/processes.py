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
from deploy.local.site import PREFIX, has

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.local.install import Say
    from deploy.local.servers import Servers
    from deploy.local.state import State
    from deploy.local.supervisor import Seen

READY_SECONDS = 90.0
POLL_SECONDS = 0.2
STOP_SECONDS = 15
USUAL_SMTP, USUAL_ENS = 2525, 9480
# A process with a wrong setting ends each time; one that met a server still starting, once.
ENDINGS = 2


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
# What must be there before a process starts; each is quick, and safe to repeat.
PREPARATIONS = (("topics", "create"), ("database", "migrate"), ("registry", "models", "--install"))
# The outside world, simulated: the setting that names the real one, and what stands in for it.
ENDS = {"VIGIE_SMTP": MAILBOX, "VIGIE_ENS": ENS}


WARD = "simulate"
NAMES = {WARD, *(process.name for process in (*LINE, *ENDS.values()))}


def ward(patients: int) -> Process:
    """Give the process of a simulated ward that runs for ever; one patient becomes septic."""
    arguments = ("simulate", "ward", "--patients", str(patients), "--speed", "1")
    return Process(WARD, (*arguments, "--scenario", "sepsis", "--count", "1"), 9467)


def ends(
    state: State, site: Mapping[str, str], *, seen: Mapping[str, Seen] | None = None
) -> tuple[dict[str, str], list[Process]]:
    """Choose addresses for the simulated ends that the site has not of its own.

    `seen` are the programs that supervisord knows: one that runs keeps its port.
    """
    ports = {"VIGIE_SMTP": USUAL_SMTP, "VIGIE_ENS": USUAL_ENS}
    forms = {"VIGIE_SMTP": "smtp://{}:{}", "VIGIE_ENS": "http://{}:{}/fhir"}
    settings, simulated = {}, []
    for setting, process in ENDS.items():
        if has(site, setting):
            continue
        name = process.name
        runs = name in (seen or {}) and (seen or {})[name].runs
        port = state.record.ports[name] if runs else state.port(name, ports[setting])
        settings[setting] = forms[setting].format(LOOPBACK, port)
        simulated.append(process)
    return settings, simulated


def prepare(environment: Mapping[str, str], say: Say) -> None:
    """Make topics, schema and health store; what is as it should be is left as it is.

    Raises NotReady with what the command said.
    """
    for arguments in PREPARATIONS:
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
    """Start processes that do not run, have them scraped, and wait until each is healthy.

    One that runs with other settings than these is started again with these. Raises NotReady.
    """
    state, wanted = running.state, list(processes)
    with state.locked():
        started = {process.name for process in wanted if _start(running, process, environment, say)}
        state.save()
    prometheus.watch(state, {p.name: f"{LOOPBACK}:{metrics_port(state, p.name)}" for p in wanted})
    for process in wanted:
        if process.name in started:
            say(f"waiting for {process.name}")
        wait(running, process.name, endings=ENDINGS if process.name in started else None)


def _start(running: Servers, process: Process, environment: Mapping[str, str], say: Say) -> bool:
    """Start one process unless it runs as it should; say whether it was started."""
    state, supervisor = running.state, running.supervisor
    seen = supervisor.seen().get(process.name)
    runs = seen is not None and seen.runs
    if not runs:
        state.port(f"{process.name}-metrics", process.usual_port)
    metrics = ("--metrics-port", str(metrics_port(state, process.name)))
    program = Program(
        process.name,
        (sys.executable, "-m", "vigie", *process.arguments, *metrics),
        state.folder,
        {key: value for key, value in environment.items() if is_setting(key)},
        stop_seconds=STOP_SECONDS,
        is_server=False,
    )
    if runs and supervisor.is_as_put(program):
        return False
    if runs:
        say(f"{process.name} has other settings now: it is started again with them")
    supervisor.put(program)
    supervisor.start(process.name)
    return True


def is_setting(name: str) -> bool:
    """Whether a variable of the environment is meant for our processes."""
    return name.startswith(PREFIX) or name == "PYTHONUNBUFFERED"


def wait(running: Servers, name: str, *, endings: int | None = None) -> None:
    """Return once the process says that it is healthy.

    Parameters
    ----------
    running : Servers
        With the process among them.
    name : str
        Of the process.
    endings : int or None
        After so many ends of its own it is given up; None has patience until the deadline.

    Raises
    ------
    NotReady
        With the process' own last words.
    """
    deadline = time.monotonic() + READY_SECONDS
    before = running.supervisor.restarts().get(name, 0)
    while (said := health(running.state, name)) != "healthy":
        ended = running.supervisor.restarts().get(name, 0) - before
        if endings is not None and ended >= endings:
            sentence = f"{name} ends as soon as it is started."
            raise NotReady(sentence, tail=running.supervisor.tail(name))
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
