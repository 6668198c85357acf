"""One supervised program, and the supervisord settings that describe it."""

from __future__ import annotations

import resource
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.local.accounts import servers_account
from deploy.local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.state import State

LOG_BYTES = 20_000_000
LOG_BACKUPS = 3
# Brokers hold a file per segment and a socket per device.
OPEN_FILES = 65_536
# Found in the environment of each process that we start: proof that it is ours.
MARK = "VIGIE_STARTED_BY"


@dataclass(frozen=True, slots=True)
class Program:
    """A command that supervisord keeps alive.

    Attributes
    ----------
    name : str
        As supervisord and the log file call it, `kafka-1` for instance.
    command : tuple of str
        Never holds a password: the process list is public.
    stop_signal : str
        What asks it to end; after `stop_seconds` it is killed.
    is_server : bool
        Servers run under the servers' account, Vigie's own processes under ours.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    is_server: bool = True


def _escaped(text: str) -> str:
    """Protect `%`, which supervisord expands, and refuse what its settings cannot express."""
    if "\n" in text or " ;" in text or " #" in text:
        raise LocalError("No path or setting may hold a line break, ` ;` or ` #`.")
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Quote one value of `environment=`, which supervisord reads with the rules of `shlex`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def section(program: Program, state: State) -> str:
    """Give the supervisord section of `program`.

    A process that ends is started again at once; one that ends within its first second is started
    again after 1, 2, 3, ... seconds, for as long as it takes.
    """
    environment = {**program.environment, MARK: str(state.folder)}
    pairs = ",".join(f"{key}={_quoted(value)}" for key, value in environment.items())
    account = servers_account() if program.is_server else None
    lines = [
        f"[program:{program.name}]",
        f"command={_escaped(shlex.join(program.command))}",
        f"directory={_escaped(str(program.folder))}",
        f"environment={_escaped(pairs)}",
        *([f"user={account}"] if account else []),
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000000",
        # What a program writes, mails for instance, is for its own account alone.
        "umask=077",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        "redirect_stderr=true",
        f"stdout_logfile={_escaped(str(state.logs / program.name))}.log",
        f"stdout_logfile_maxbytes={LOG_BYTES}",
        f"stdout_logfile_backups={LOG_BACKUPS}",
    ]
    return "\n".join(lines) + "\n"


def main_settings(state: State) -> str:
    """Give supervisord's own settings: a private socket, private logs, this folder's programs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    folder = _escaped(str(state.folder))
    account = ["user=root"] if servers_account() else []
    lines = [
        "[unix_http_server]",
        f"file={_escaped(str(state.socket))}",
        "chmod=0700",
        "[supervisord]",
        f"directory={folder}",
        f"logfile={_escaped(str(state.logs))}/supervisord.log",
        f"logfile_maxbytes={LOG_BYTES}",
        f"logfile_backups={LOG_BACKUPS}",
        f"pidfile={folder}/supervisord.pid",
        f"identifier=vigie-{state.short_name}",
        f"childlogdir={_escaped(str(state.logs))}",
        f"minfds={files}",
        "strip_ansi=true",
        *account,
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[include]",
        f"files={_escaped(str(state.programs))}/*.ini",
    ]
    return "\n".join(lines) + "\n"
