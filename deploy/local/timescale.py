"""TimescaleDB: PostgreSQL 17 with the extension, from a folder of its own (timescale-install.sh)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local import accounts
from deploy.local.errors import NotReady
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.state import write_private

if TYPE_CHECKING:
    from deploy.local.site import Site

USER = DATABASE = "vigie"
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
}
INITDB = (
    *("-U", USER, "-E", "UTF8", "--locale=C", "--locale-provider=builtin"),
    *("--builtin-locale=C.UTF-8", "-A", "scram-sha-256", "--no-sync"),
)


def prefix(opt: Path) -> Path:
    """Give the folder that timescale-install.sh fills."""
    return opt / "timescaledb"


def settings(data: Path, port: int, *, throwaway: bool) -> str:
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
    settings = ("VIGIE_DATABASE",)

    def __init__(self, site: Site) -> None:
        self._site = site
        self._state = site.state
        self._bin = prefix(site.opt) / "usr/lib/postgresql/17/bin"

    @property
    def _folder(self) -> Path:
        return self._state.home / "timescale"

    @property
    def _port(self) -> int:
        return self._state.record.ports["timescale"]

    def prepare(self) -> list[Program]:
        """Make the cluster the first time; write its settings each time."""
        folder = accounts.own_folder(self._folder)
        data = folder / "data"
        port = self._state.port("timescale", 5432)
        if not (data / "PG_VERSION").exists():
            self._create(folder, data)
        file = folder / "postgresql.conf"
        write_private(file, settings(data, port, throwaway=self._site.throwaway))
        accounts.give(file)
        command = (str(self._bin / "postgres"), "-c", f"config_file={file}")
        # SIGINT is PostgreSQL's fast stop: it does not wait for clients to leave.
        return [Program(self.name, command, folder, stop_signal="INT", stop_seconds=20)]

    def programs(self) -> list[str]:
        """Name the one program."""
        return [self.name]

    def complaint(self) -> str | None:
        """Run a statement as Vigie does, with its password."""
        done = self._psql("postgres", "SELECT 1")
        if done.returncode == 0:
            return None
        return f"PostgreSQL on port {self._port} does not answer: {done.stderr.strip()[-200:]}"

    def finish(self) -> None:
        """Make the database with its extension, unless it is there."""
        found = self._sql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
        if not found.strip():
            self._sql("postgres", f"CREATE DATABASE {DATABASE}")
        self._sql(DATABASE, "CREATE EXTENSION IF NOT EXISTS timescaledb")

    def addresses(self) -> dict[str, str]:
        """Give the database's address, with its password."""
        password = self._state.password("timescale")
        return {"VIGIE_DATABASE": f"postgresql://{USER}:{password}@{LOOPBACK}:{self._port}/{DATABASE}"}

    def version(self) -> str:
        """Give PostgreSQL's and the extension's version, as they were installed."""
        stamp = prefix(self._site.opt) / ".complete"
        packages = dict(
            line.split("=", 1) for line in stamp.read_text(encoding="utf-8").splitlines()
        )
        base = packages.get("postgresql-17", "").partition("-")[0]
        extension = packages.get("postgresql-17-timescaledb", "").partition("+")[0]
        return f"{extension} on PostgreSQL {base}"

    def _create(self, folder: Path, data: Path) -> None:
        password = folder / "password"
        write_private(password, self._state.password("timescale") + "\n")
        accounts.give(password)
        # The folder's name ends in `.new` until it is whole, so that a stop in between harms nothing.
        fresh = folder / "data.new"
        subprocess.run(["rm", "-rf", str(fresh)], check=True)
        done = subprocess.run(
            [str(self._bin / "initdb"), "-D", str(fresh), *INITDB, f"--pwfile={password}"],
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

    def _psql(self, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        environment = {"PGPASSWORD": self._state.password("timescale"), "PGCONNECT_TIMEOUT": "3"}
        options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database)
        return subprocess.run(
            [str(self._bin / "psql"), *options, "-h", LOOPBACK, "-p", str(self._port), "-c", statement],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd="/",
        )

    def _sql(self, database: str, statement: str) -> str:
        done = self._psql(database, statement)
        if done.returncode:
            raise NotReady(f"PostgreSQL refuses `{statement}`.", tail=done.stderr)
        return done.stdout
