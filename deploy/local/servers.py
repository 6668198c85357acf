"""All servers of the line, started under one supervisord and waited for until they truly work."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.errors import LocalError, NotReady
from deploy.local.install import Software, install
from deploy.local.kafka import Kafka
from deploy.local.mosquitto import Mosquitto
from deploy.local.prometheus import Alertmanager, Prometheus
from deploy.local.state import State
from deploy.local.supervisor import Supervisor
from deploy.local.timescale import Timescale

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from deploy.local.install import Say
    from deploy.local.server import Server

# Alertmanager before Prometheus, which sends a first alert again only after a minute.
NAMES = ("mosquitto", "kafka", "timescale", "alertmanager", "prometheus")
READY_SECONDS = 90.0
POLL_SECONDS = 0.1
CLUSTERS = (1, 3)


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers that run. `environment` has the VIGIE_* settings with which the line finds them."""

    state: State
    supervisor: Supervisor
    software: Software
    kinds: Mapping[str, Server]
    environment: dict[str, str]

    def pid(self, name: str) -> int:
        """Give the process of a program; 0 when it does not run."""
        seen = self.supervisor.seen().get(name)
        return seen.pid if seen else 0

    def kill(self, name: str) -> None:
        """Kill a program with -9; supervisord starts it again. PostgreSQL's children go with it."""
        pid = self.pid(name)
        if not pid:
            # Signalling process 0 would kill the caller's own process group.
            raise LocalError(f"{name} does not run, so it cannot be killed.")
        os.kill(pid, signal.SIGKILL)

    def halt(self, name: str) -> None:
        """Stop a program and leave it down."""
        self.supervisor.stop(name)

    def resume(self, name: str) -> None:
        """Start a program that was halted, and wait until it works."""
        self.supervisor.start(name)
        self.wait(name)

    def wait(self, name: str) -> None:
        """Return once the server works. Raises NotReady with the tail of its log."""
        kind = self.kinds[name.partition("-")[0]]
        deadline = time.monotonic() + READY_SECONDS
        while not kind.is_ready(self.state, self.software):
            if time.monotonic() > deadline:
                tail = self.supervisor.tail(self._program(name))
                raise NotReady(f"{name} did not answer within {READY_SECONDS:.0f} s.", tail=tail)
            time.sleep(POLL_SECONDS)

    def _program(self, name: str) -> str:
        known = self.supervisor.seen()
        return next((program for program in known if _is_of(program, name)), name)

    def stop(self) -> None:
        """Stop everything under this supervisord, and forget a throwaway state."""
        self.supervisor.close()
        self.state.forget()


def start(
    state: Path,
    names: Iterable[str] = NAMES,
    *,
    brokers: int = 1,
    throwaway: bool = False,
    say: Say = print,
    own: Mapping[str, str] | None = None,
) -> Servers:
    """Install what is missing, start what does not run, wait until it works.

    Parameters
    ----------
    state : Path
        The state folder.
    names : iterable of str
        Which servers, of `NAMES`.
    brokers : int
        Kafka brokers, 1 or 3; a state folder keeps the number it was made with.
    throwaway : bool
        For tests: free ports, data in memory, all deleted at the end.
    own : mapping
        The site's own servers: VIGIE_* settings of servers that are not to be started here.
        None takes them from the environment.

    Raises
    ------
    LocalError
        InstallFailed, NotReady or NotOurs: one sentence, with the tail of a log.
    """
    folder = State(state, throwaway=throwaway)
    with folder.locked():
        if own is None:
            own = {} if throwaway else site_settings(os.environ)
        kinds = _kinds(folder, brokers)
        chosen = {n: kinds[n] for n in NAMES if n in set(names) and kinds[n].settings[0] not in own}
        software = install(tuple(chosen), say)
        supervisor = Supervisor(folder)
        supervisor.open()
        if folder.is_elsewhere and not throwaway:
            say(f"the servers' account cannot reach {folder.folder}: data lies in {folder.home}")
        running = Servers(folder, supervisor, software, kinds, dict(own))
        _start_all(running, chosen, say)
        folder.save()
    return running


def attach(state: Path) -> Servers:
    """Open a state folder in which servers were started, without starting any."""
    folder = State(state)
    kinds = _kinds(folder, 1)
    environment: dict[str, str] = {}
    supervisor = Supervisor(folder)
    seen = supervisor.seen()
    for name, kind in kinds.items():
        if any(_is_of(program, name) for program in seen):
            environment |= kind.environment(folder)
    return Servers(folder, supervisor, install((), lambda _: None), kinds, environment)


def site_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick the settings that name a site's own servers out of the user's environment."""
    known = {setting for kind in _every() for setting in kind.settings}
    return {key: value for key, value in environment.items() if key in known and value}


def _every(brokers: int = 1) -> tuple[Server, ...]:
    return (Mosquitto(), Kafka(brokers), Timescale(), Alertmanager(), Prometheus())


def _kinds(folder: State, brokers: int) -> dict[str, Server]:
    if brokers not in CLUSTERS:
        raise LocalError("--brokers is 1 or 3.")
    if not folder.record.brokers:
        folder.record.brokers = brokers
    return {kind.name: kind for kind in _every(folder.record.brokers)}


def _start_all(running: Servers, chosen: Mapping[str, Server], say: Say) -> None:
    seen = running.supervisor.seen()
    started: list[str] = []
    for name, kind in chosen.items():
        if not any(seen[program].runs for program in seen if _is_of(program, name)):
            for program in kind.programs(running.state, running.software):
                running.supervisor.put(program)
                running.supervisor.start(program.name)
            started.append(name)
    for name, kind in chosen.items():
        if name in started:
            say(f"waiting for {name}")
        running.wait(name)
        running.environment.update(kind.environment(running.state))


def _is_of(program: str, name: str) -> bool:
    """Whether a supervised program belongs to the server: `kafka-2` is one of Kafka's."""
    return program.partition("-")[0] == name
