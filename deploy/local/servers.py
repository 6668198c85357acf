"""All servers of the line, started under one supervisord and waited for until they truly work."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local import site
from deploy.local.errors import LocalError, NotReady
from deploy.local.install import Software, install, software
from deploy.local.kafka import Kafka
from deploy.local.mosquitto import Mosquitto
from deploy.local.prometheus import Alertmanager, Prometheus
from deploy.local.state import RECORD, State
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
# The site's settings that say how a server of ours is, not where one of its own is.
OPTIONS = ("VIGIE_MQTT_ANONYMOUS",)
# A setting that is wrong makes a server end at once, each time; a port that is still held, once.
ENDINGS = 3


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers that run. `environment` has the VIGIE_* settings with which the line finds them."""

    state: State
    supervisor: Supervisor
    software: Software
    kinds: Mapping[str, Server]
    environment: dict[str, str]

    def pid(self, name: str) -> int:
        """Give the process of a program; 0 when it does not run. LocalError for a cluster."""
        seen = self.supervisor.seen().get(self._program(name))
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
        self.supervisor.stop(self._program(name))

    def resume(self, name: str) -> None:
        """Start a program that was halted, and wait until it works."""
        self.supervisor.start(self._program(name))
        self.wait(name)

    def wait(self, name: str) -> None:
        """Return once the server works; with several brokers, once all of them do.

        Raises NotReady with the tail of its log.
        """
        kind = self.kinds.get(kind_of(name))
        if kind is None:
            raise LocalError(f"No server `{name}`; there are {', '.join(NAMES)}.")
        deadline = time.monotonic() + READY_SECONDS
        before = self._endings(name)
        while not kind.is_ready(self.state, self.software):
            if self._endings(name) - before >= ENDINGS:
                raise NotReady(f"{name} ends as soon as it is started.", tail=self._tail(name))
            if time.monotonic() > deadline:
                sentence = f"{name} did not answer within {READY_SECONDS:.0f} s."
                raise NotReady(sentence, tail=self._tail(name))
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop everything under this supervisord, and forget a throwaway state."""
        with self.state.locked():
            self.supervisor.close()
            self.state.forget()

    def programs(self, name: str) -> list[str]:
        """List the programs of a server: one, or one per broker."""
        return [program for program in self.supervisor.seen() if kind_of(program) == name]

    def _program(self, name: str) -> str:
        several = self.programs(name)
        if len(several) > 1:
            raise LocalError(f"{name} is {len(several)} programs: say {' or '.join(several)}.")
        return name

    def _endings(self, name: str) -> int:
        counted = self.supervisor.restarts()
        return max((counted.get(program, 0) for program in self.programs(kind_of(name))), default=0)

    def _tail(self, name: str) -> str:
        several = self.programs(name) or [name]
        return "\n".join(self.supervisor.tail(program) for program in several)


def start(
    state: Path,
    names: Iterable[str] = NAMES,
    *,
    brokers: int | None = None,
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
    brokers : int or None
        Kafka brokers, 1 or 3; None for as many as the state folder was made with, or 1.
    throwaway : bool
        For tests: free ports, data in memory, all deleted at the end, which comes by itself when
        the process that asked for them has died.
    own : mapping
        The site's own settings: a server that they name is not started here. None takes them from
        the environment and `vigie.toml`.

    Raises
    ------
    LocalError
        InstallFailed, NotReady or NotOurs: one sentence, with the tail of a log.
    """
    folder = State(state, throwaway=throwaway)
    with folder.locked():
        if own is None:
            known = {*_settings(), *OPTIONS}
            own = {} if throwaway else site.own_servers(folder, known)
        kinds = _kinds(own, _brokers(folder, names, brokers))
        chosen = {n: kinds[n] for n in NAMES if n in set(names)}
        for name in [n for n, kind in chosen.items() if site.has(own, kind.settings[0])]:
            say(f"{name}: your own is used, as {chosen.pop(name).settings[0]} says")
        found = install(tuple(chosen), say)
        running = Servers(folder, Supervisor(folder), found, kinds, dict(own))
        running.supervisor.open()
        if not throwaway:
            _say_where(folder, found, say)
        _start_all(running, chosen, say)
        ours = set(_settings(chosen.values())) & running.environment.keys()
        folder.give_out({key: running.environment[key] for key in ours})
        folder.save()
    return running


def attach(state: Path) -> Servers:
    """Open a state folder in which servers were started, without starting any.

    Raises LocalError when nothing was ever started there.
    """
    if not has_been_used(state):
        raise LocalError(f"Nothing was started in {state}.")
    folder = State(state)
    kinds = _kinds({}, folder.record.brokers or 1)
    environment: dict[str, str] = {}
    supervisor = Supervisor(folder)
    seen = supervisor.seen()
    for name, kind in kinds.items():
        if any(kind_of(program) == name for program in seen):
            environment |= kind.environment(folder)
    return Servers(folder, supervisor, software(), kinds, environment)


def has_been_used(state: Path) -> bool:
    """Whether anything was ever started in this state folder."""
    return (state / RECORD).exists()


def runs(state: Path) -> bool:
    """Whether a supervisord runs for this state folder now."""
    return has_been_used(state) and Supervisor(State(state)).runs


def kind_of(program: str) -> str:
    """Give the server that a supervised program belongs to: `kafka-2` is one of Kafka's."""
    return program.partition("-")[0]


def _every(own: Mapping[str, str], brokers: int) -> tuple[Server, ...]:
    beside = Prometheus(own.get("VIGIE_ALERTMANAGER"))
    anonymous = own.get("VIGIE_MQTT_ANONYMOUS") != "off"
    broker = Mosquitto(own.get("VIGIE_AUTHORITY"), anonymous=anonymous)
    return (broker, Kafka(brokers), Timescale(), Alertmanager(), beside)


def _settings(kinds: Iterable[Server] | None = None) -> list[str]:
    """List the settings by which servers are found."""
    every = _every({}, 1) if kinds is None else kinds
    return [setting for kind in every for setting in kind.settings]


def _kinds(own: Mapping[str, str], brokers: int) -> dict[str, Server]:
    return {kind.name: kind for kind in _every(own, brokers)}


def _brokers(folder: State, names: Iterable[str], asked: int | None) -> int:
    """Decide how many brokers there are, once for all in a state folder."""
    kept = folder.record.brokers
    if asked is not None and asked not in CLUSTERS:
        raise LocalError("--brokers is 1 or 3.")
    if asked and kept and asked != kept:
        raise LocalError(
            f"{folder.folder} was made with --brokers {kept}; for {asked} take another --state."
        )
    number = asked or kept or 1
    if Kafka.name in set(names):
        folder.record.brokers = number
    return number


def _say_where(folder: State, found: Software, say: Say) -> None:
    """Say it when data or programs lie elsewhere, because the servers' account cannot get in."""
    home = folder.home
    if folder.is_elsewhere:
        say(f"data of the servers lies in {home}: their account cannot reach {folder.folder}")
    if not found.is_inside:
        say(f"programs of the servers lie in {found.opt}")


def _start_all(running: Servers, chosen: Mapping[str, Server], say: Say) -> None:
    state, supervisor = running.state, running.supervisor
    started: list[str] = []
    for name, kind in chosen.items():
        known = running.programs(name)
        if known and isinstance(kind, Mosquitto) and not kind.has_its_doors(state):
            say(f"{name} has other doors now, and is started again")
            for program_name in known:
                supervisor.stop(program_name)
        seen = supervisor.seen()
        halted = [program for program in known if not seen[program].runs]
        if known and len(halted) < len(known):
            # Some brokers of a cluster run: the others come back with what they had.
            names = halted
        else:
            programs = kind.programs(state, running.software)
            state.save()
            names = [program.name for program in programs]
            for program in programs:
                supervisor.put(program)
        for program_name in names:
            supervisor.start(program_name)
        started += [name] if names else []
    for name, kind in chosen.items():
        if name in started:
            say(f"waiting for {name}")
        running.wait(name)
        running.environment.update(kind.environment(state))
