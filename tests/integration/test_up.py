"""`vigie up` and `vigie down`, as an operator types them, in a state folder that is kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from deploy.local import servers
from deploy.local.ports import choose
from deploy.local.state import State
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers

PROGRAMS = {*servers.NAMES, "mailbox", "ens", "gateway", "worker", "dispatcher", "simulate"}
PORTS = (
    *("mqtt-devices", "mqtt-gateway", "mqtt-tls", "mqtt-tls-by-password", "mqtt-tls-gateway"),
    *("kafka-1", "kafka-controller-1", "timescale"),
    *("alertmanager", "prometheus", "mailbox", "ens"),
    *(f"{name}-metrics" for name in sorted(PROGRAMS - {*servers.NAMES})),
)
STORED = "SELECT count(*) FROM readings"


@dataclass(frozen=True)
class Site:
    """A state folder, and the shell of the person who works with it."""

    folder: Path

    def vigie(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the front door to its end."""
        return subprocess.run(
            [sys.executable, "-m", "vigie", *arguments, "--state", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **settings},
        )

    def up(self, **settings: str) -> str:
        """Bring everything up, with three patients."""
        done = self.vigie("up", "--detach", "--patients", "3", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def settings(self) -> dict[str, str]:
        """Read `env`, as a shell would source it."""
        text = (self.folder / "env").read_text(encoding="utf-8")
        return dict(line.split("=", 1) for line in text.splitlines())

    def programs(self) -> dict[str, dict[str, Any]]:
        """Ask what runs."""
        done = self.vigie("servers", "status", "--json")
        return {one["name"]: one for one in json.loads(done.stdout)}

    def stored(self) -> int:
        """Count the readings in the database."""
        with psycopg.connect(self.settings()["VIGIE_DATABASE"]) as connection:
            row = connection.execute(STORED).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("kept") / ".vigie")
    # Free ports instead of the usual ones, which belong to a `make up` beside this.
    state = State(made.folder)
    for name in PORTS:
        state.record.ports[name] = choose(None, taken=state.record.ports.values())
    state.save()
    made.up()
    yield made
    home = State(made.folder).home
    made.vigie("down")
    if home != made.folder:
        shutil.rmtree(home, ignore_errors=True)


def test_everything_runs_and_readings_arrive(site: Site) -> None:
    def running() -> set[str]:
        return {name for name, one in site.programs().items() if one["state"] == "RUNNING"}

    # Another test may have killed one a moment ago.
    wait_until(lambda: running() == PROGRAMS, "every program runs")
    wait_until(site.stored, "readings of the simulated ward are in the database")


def test_the_env_file_has_every_address_and_is_for_its_owner_only(site: Site) -> None:
    assert set(site.settings()) == {
        "VIGIE_MQTT",
        "VIGIE_MQTT_DEVICES",
        "VIGIE_MQTT_TLS",
        "VIGIE_MQTT_TLS_BY_PASSWORD",
        "VIGIE_MQTT_FOLDER",
        "VIGIE_AUTHORITY",
        "VIGIE_KAFKA",
        "VIGIE_DATABASE",
        "VIGIE_PROMETHEUS",
        "VIGIE_ALERTMANAGER",
        "VIGIE_SMTP",
        "VIGIE_ENS",
        "VIGIE_STATE",
        *({"VIGIE_RECORDINGS", "VIGIE_FHIR"} & set(os.environ)),
    }
    assert (site.folder / "env").stat().st_mode & 0o077 == 0


def test_a_second_up_from_a_shell_that_sourced_env_changes_nothing(site: Site) -> None:
    before = {name: one["pid"] for name, one in site.programs().items()}
    settings = site.settings()
    assert "waiting for" not in site.up(**settings)
    assert {name: one["pid"] for name, one in site.programs().items()} == before
    assert site.settings() == settings


def test_a_process_that_is_killed_is_started_again(site: Site) -> None:
    old = site.programs()["gateway"]["pid"]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: site.programs()["gateway"]["pid"] not in {0, old}, "another gateway runs")
    assert site.programs()["gateway"]["restarts"] >= 1
    before = site.stored()
    wait_until(lambda: site.stored() > before, "readings arrive again")


def test_a_setting_that_is_wrong_ends_up_with_the_process_last_words(site: Site) -> None:
    done = site.vigie("up", "--detach", "--patients", "3", VIGIE_SMTP="nonsense://")
    assert done.returncode == 1
    assert "dispatcher ends as soon as it is started" in done.stderr
    assert "VIGIE_SMTP must be" in done.stderr
    site.up()
    assert set(site.programs()) == PROGRAMS


def test_down_leaves_no_process_and_up_finds_the_data_and_the_addresses(site: Site) -> None:
    settings, before = site.settings(), site.stored()
    supervisor = servers.attach(site.folder).supervisor
    assert site.vigie("down").returncode == 0
    assert supervisor.marked() == []
    assert site.vigie("down").returncode == 0, "nothing to stop is no error"
    site.up(**settings)
    assert site.settings() == settings
    assert site.stored() >= before
