"""TimescaleDB on PostgreSQL 17, from a folder of its own, which timescale-install.sh fills."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from deploy.local import accounts
from deploy.local.errors import NotReady
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.install import Software
    from deploy.local.state import State

USER = DATABASE = "vigie"
USUAL = 5432
BASE = {
    "listen_addresses": f"'{LOOPBACK}'",
    "unix_socket_directories": "''",
    "shared_preload_libraries": "'timescaledb'",
    "timescaledb.telemetry_level": "off",
    "password_encryption": "'scram-sha-256'",
    "max_connections": 200,
    # One for the scheduler of each database with the extension: tests make many.
    "max_worker_processes": 32,
    "timescaledb.max_background_workers": 24,
    "shared_buffers": "'256MB'",
    # Ingest writes much: fewer checkpoints, and no full stop at each.
    "max_wal_size": "'2GB'",
    "checkpoint_completion_target": 0.9,
    "log_timezone": "'UTC'",
    "timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %d '",
    # Statements carry patients' values: they stay out of the log, also when one fails.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# A crash of the machine may lose the tests' databases; a crash of PostgreSQL loses nothing.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "'128MB'",
    # In its own folder, where nothing stays behind in /dev/shm after a kill -9.
    "dynamic_shared_memory_type": "mmap",
}
INITDB = (
    *("-U", USER, "-E", "UTF8", "--locale=C", "--locale-provider=builtin"),
    *("--builtin-locale=C.UTF-8", "-A", "scram-sha-256", "--no-sync"),
)


def postgres_settings(data: Path, port: int, *, throwaway: bool) -> str:
    """Give the whole `postgresql.conf`."""
    own = {
        "data_directory": f"'{data}'",
        "hba_file": f"'{data}/pg_hba.conf'",
        "ident_file": f"'{data}/pg_ident.conf'",
        "port": port,
    }
    merged = {**BASE, **(FORGETFUL if throwaway else {}), **own}
    return "".join(f"{key} = {value}\n" for key, value in merged.items())


class Timescale:
    """The database of readings, states, alerts and deliveries."""

    name = "timescale"
    settings: tuple[str, ...] = ("VIGIE_DATABASE",)

    def programs(self, state: State, software: Software) -> list[Program]:
        """Make the cluster the first time; write its settings each time."""
        folder = accounts.own_folder(state.home / self.name)
        data = folder / "data"
        port = state.port(self.name, USUAL)
        if not (data / "PG_VERSION").exists():
            _create(folder, data, software, state.password(self.name))
        file = folder / "postgresql.conf"
        text = postgres_settings(data, port, throwaway=state.record.throwaway)
        write_private(file, text)
        accounts.give(file)
        command = (str(software.postgres / "postgres"), "-c", f"config_file={file}")
        # SIGINT is PostgreSQL's fast stop: it does not wait for clients to leave.
        return [Program(self.name, command, folder, stop_signal="INT", stop_seconds=20)]

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether the database `vigie` answers, with its extension; makes both the first time."""
        found = _psql(
            state, software, DATABASE, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
        )
        if found.returncode == 0 and found.stdout.strip():
            return True
        if _psql(state, software, "postgres", "SELECT 1").returncode:
            return False
        # A failure here shows as never ready, and its reason stands in PostgreSQL's own log.
        _psql(state, software, "postgres", f"CREATE DATABASE {DATABASE}")
        made = _psql(state, software, DATABASE, "CREATE EXTENSION IF NOT EXISTS timescaledb")
        return made.returncode == 0

    def environment(self, state: State) -> Mapping[str, str]:
        """Give the database's address, with its password."""
        login = f"{USER}:{state.password(self.name)}"
        at = f"{LOOPBACK}:{state.record.ports[self.name]}"
        return {"VIGIE_DATABASE": f"postgresql://{login}@{at}/{DATABASE}"}


def _create(folder: Path, data: Path, software: Software, word: str) -> None:
    password = folder / "password"
    write_private(password, word + "\n")
    accounts.give(password)
    # Its name ends in `.new` until it is whole, so that a stop in between harms nothing.
    fresh = folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    done = subprocess.run(
        [str(software.postgres / "initdb"), "-D", str(fresh), *INITDB, f"--pwfile={password}"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=accounts.servers_account(),
    )
    password.unlink()
    if done.returncode:
        raise NotReady("PostgreSQL's folder could not be made.", tail=done.stdout + done.stderr)
    fresh.rename(data)


def _psql(
    state: State, software: Software, database: str, statement: str
) -> subprocess.CompletedProcess[str]:
    """Run one statement as Vigie's role. The password travels in the environment, never in argv."""
    environment = {
        "PGHOST": LOOPBACK,
        "PGPORT": str(state.record.ports["timescale"]),
        "PGUSER": USER,
        "PGPASSWORD": state.password("timescale"),
        "PGDATABASE": database,
        "PGCONNECT_TIMEOUT": "3",
    }
    return subprocess.run(
        [str(software.postgres / "psql"), "-XAtqc", statement],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd="/",
    )
