"""The supervisord of one state folder: started detached, spoken to over its unix socket."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.local.errors import NotOurs, NotReady
from deploy.local.programs import MARK, Program, main_settings, section
from deploy.local.state import write_private

if TYPE_CHECKING:
    from deploy.local.state import State

START_SECONDS = 15.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05
TAIL_LINES = 15
# supervisor.xmlrpc.Faults
ALREADY_STARTED, NOT_RUNNING, BAD_NAME = 60, 70, 10
# supervisor.states.ProcessStates
RUNNING, STARTING, STOPPED = 20, 10, 0
# Ends a throwaway supervisord, and deletes its data, once the process that asked for it is gone:
# a test run that was killed leaves nothing. Arguments: that process, supervisord, the data.
WATCHDOG = """
(while kill -0 "$1" 2>/dev/null; do sleep 1; done
kill -TERM "$2"
while kill -0 "$2" 2>/dev/null; do sleep 0.2; done
case "$3" in */vigie-*) rm -rf "$3" ;; esac) &
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What supervisord says about one program.

    `pid` is 0 when it does not run; `uptime_seconds` is 0 then too. `state` is supervisord's word.
    """

    name: str
    state: str
    pid: int
    uptime_seconds: int

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self.pid > 0


class _Connection(http.client.HTTPConnection):
    """HTTP over supervisord's unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=STOP_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # Kept where the base class looks for it, so that closing the proxy closes the socket.
        connection = _Connection(self._path)
        self._connection = (host, connection)
        return connection


class Supervisor:
    """Starts, stops and asks after the programs of one state folder, and of no other."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def runs(self) -> bool:
        """Whether the supervisord of this folder answers."""
        try:
            return bool(self._call("getState"))
        except xmlrpc.client.Fault:
            return True  # it is shutting down, and says no more than that
        except OSError:
            return False

    def open(self) -> None:
        """Start supervisord, detached, unless it runs already.

        Raises
        ------
        NotOurs
            When processes of an earlier supervisord that was killed cannot be ended.
        NotReady
            When it does not answer in time.
        """
        if self.runs:
            return
        self.sweep()
        state = self._state
        for folder in (state.logs, state.programs):
            folder.mkdir(mode=0o700, exist_ok=True)
        settings = state.folder / "supervisord.conf"
        write_private(settings, main_settings(state))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(settings)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=self._environment(),
        )
        self._await(done)
        if state.record.throwaway:
            self._watch_over()

    def put(self, program: Program) -> None:
        """Make `program` known, with the settings it has now; it must not run."""
        write_private(self._file(program), section(program, self._state))
        self._call("reloadConfig")
        self.stop(program.name)  # one that supervisord is about to start again
        with suppress(xmlrpc.client.Fault):
            self._call("removeProcessGroup", program.name)
        self._call("addProcessGroup", program.name)

    def is_as_put(self, program: Program) -> bool:
        """Whether `program` was made known with the very settings that it has now."""
        file = self._file(program)
        return file.exists() and file.read_text("utf-8") == section(program, self._state)

    def start(self, name: str) -> None:
        """Start a known program; one that runs already is left alone. Does not wait."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                tail = self.tail(name)
                raise NotReady(
                    f"{name} cannot be started: {fault.faultString}.", tail=tail
                ) from fault

    def stop(self, name: str) -> None:
        """Stop a program and wait until it is gone; it stays down until somebody starts it."""
        try:
            self._call("stopProcess", name, True)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode not in {NOT_RUNNING, BAD_NAME}:
                raise

    def remove(self, name: str) -> None:
        """Stop a program and forget it; one that is not known is no error."""
        self.stop(name)
        with suppress(xmlrpc.client.Fault):
            self._call("removeProcessGroup", name)
        (self._state.programs / f"{name}.ini").unlink(missing_ok=True)

    def seen(self) -> dict[str, Seen]:
        """Give every program by name; nothing when supervisord does not run."""
        try:
            found = self._call("getAllProcessInfo")
        except OSError:
            return {}
        return {
            str(one["name"]): Seen(
                name=str(one["name"]),
                state=str(one["statename"]),
                pid=int(one["pid"]),
                uptime_seconds=int(one["now"] - one["start"]) if one["pid"] else 0,
            )
            for one in found
        }

    def restarts(self) -> dict[str, int]:
        """Count how often each program was started again, from supervisord's own log."""
        spawned: dict[str, int] = {}
        path = self._state.logs / "supervisord.log"
        with suppress(OSError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if " INFO supervisord started with pid " in line:
                    spawned = {}
                if " INFO spawned: '" in line:
                    name = line.split("'")[1]
                    spawned[name] = spawned.get(name, -1) + 1
        return spawned

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """Give the end of a program's log, to show when it failed."""
        with suppress(OSError):
            text = (self._state.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def close(self) -> None:
        """Stop all programs and supervisord itself, and return when no process is left."""
        pid = self._pid()
        if self.runs:
            self._call("shutdown")
        deadline = time.monotonic() + STOP_SECONDS
        while self.runs or (pid is not None and _is_alive(pid)):
            if time.monotonic() > deadline:
                raise NotReady(f"supervisord (pid {pid}) did not stop.")
            time.sleep(POLL_SECONDS)
        self.sweep()
        for left in self._state.programs.glob("*.ini"):
            left.unlink()

    def sweep(self) -> None:
        """End what a killed supervisord of this folder left behind, and nothing else.

        A process is ours when its environment says so: no other mark survives a kill -9 and
        the reuse of pids.
        """
        deadline = time.monotonic() + STOP_SECONDS
        while left := self.marked():
            if time.monotonic() > deadline:
                raise NotOurs(f"Processes {left} of {self._state.folder} cannot be ended.")
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    def marked(self) -> list[int]:
        """Find the processes which this state folder started, whoever their parent is now."""
        mark = f"{MARK}={self._state.folder}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def _file(self, program: Program) -> Path:
        return self._state.programs / f"{program.name}.ini"

    def _environment(self) -> dict[str, str]:
        """Give supervisord's environment, which programs inherit: settings come with a program."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
        return {**kept, MARK: str(self._state.folder)}

    def _await(self, begun: subprocess.CompletedProcess[str]) -> None:
        """Return once supervisord answers. Raises NotReady with what it said."""
        deadline = time.monotonic() + START_SECONDS
        while not self.runs:
            if begun.returncode or time.monotonic() > deadline:
                raise NotReady("supervisord did not start.", tail=begun.stdout + begun.stderr)
            time.sleep(POLL_SECONDS)

    def _watch_over(self) -> None:
        arguments = (str(os.getpid()), str(self._pid()), str(self._state.home))
        subprocess.run(
            ["/bin/sh", "-c", WATCHDOG, "vigie-watchdog", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=self._environment(),
            start_new_session=True,
        )

    def _pid(self) -> int | None:
        try:
            return int(self._call("getPID"))
        except OSError:
            return None

    def _call(self, method: str, *arguments: Any) -> Any:
        """Ask supervisord. Raises OSError when it does not run, Fault when it refuses."""
        with xmlrpc.client.ServerProxy(
            "http://localhost/RPC2", transport=_Transport(self._state.socket)
        ) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)


def _is_alive(pid: int) -> bool:
    """Whether `pid` still runs; a zombie that nobody has waited for does not count."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
