"""Servers of the benchmarks' own, and databases with the schema on them."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from deploy.local import processes, servers
from streams import migrations
from tests.fix_line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from deploy.local.servers import Servers


@contextmanager
def running(console: Console, *names: str) -> Iterator[Servers]:
    """Start these servers in a throwaway state folder; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as folder:
        started = servers.start(
            state=Path(folder), names=names or servers.NAMES, throwaway=True, say=console.print
        )
        try:
            yield started
        finally:
            started.stop()


def migrated(started: Servers, name: str) -> str:
    """Make a database with Vigie's schema; returns its URL."""
    url = started.environment["VIGIE_DATABASE"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    own = url.rpartition("/")[0] + f"/{name}"
    migrations.migrate(own, {"vigie.readings": 12})
    return own


def whole_line(started: Servers, console: Console, own: Mapping[str, str] | None = None) -> Line:
    """Start gateway, worker, dispatcher and the simulated ends that `own` does not replace."""
    ends, simulated = processes.ends(started.state, own or {})
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VIGIE_")}
    known = {"VIGIE_STATE": str(started.state.folder), "PYTHONUNBUFFERED": "1"}
    environment = {**kept, **started.environment, **ends, **(own or {}), **known}
    processes.prepare(environment, console.print)
    processes.start(started, [*simulated, *processes.LINE], environment, console.print)
    return Line(started, environment)


def spent(pid: int) -> float:
    """Return the seconds of processor time that a process has used, from proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
