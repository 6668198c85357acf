"""Servers of the benchmarks' own, and databases with the schema on them."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from deploy.local import servers
from streams import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

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
