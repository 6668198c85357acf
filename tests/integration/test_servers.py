"""Real servers, started, killed and stopped on this machine, and nothing touched beside them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from deploy.local import servers
from deploy.local.errors import LocalError, NotOurs
from deploy.local.mosquitto import USUAL
from deploy.local.ports import LOOPBACK, choose
from deploy.local.state import State
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.servers import Servers

pytestmark = pytest.mark.servers

# 127.0.0.1, and the same as an IPv6 socket has it (proc(5): words in the machine's byte order).
LOOPBACK_IN_PROC = {"0100007F", "0000000000000000FFFF00000100007F"}
LISTENS = "0A"


def quiet(_: str) -> None:
    """Take the progress of a start, and say nothing."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All servers, in a throwaway state of this module's own: its tests kill them."""
    running = servers.start(tmp_path_factory.mktemp("own"), throwaway=True, say=quiet)
    yield running
    running.stop()


def test_each_server_answers_at_the_address_that_it_was_given(started: Servers) -> None:
    assert all(kind.is_ready(started.state, started.software) for kind in started.kinds.values())
    assert set(started.environment) == {
        "VIGIE_MQTT",
        "VIGIE_MQTT_DEVICES",
        "VIGIE_MQTT_TLS",
        "VIGIE_MQTT_TLS_BY_PASSWORD",
        "VIGIE_MQTT_FOLDER",
        "VIGIE_AUTHORITY",
        "VIGIE_KAFKA",
        "VIGIE_DATABASE",
        "VIGIE_ALERTMANAGER",
        "VIGIE_PROMETHEUS",
    }
    with psycopg.connect(started.environment["VIGIE_DATABASE"]) as connection:
        found = connection.execute("SELECT extname FROM pg_extension").fetchall()
    assert ("timescaledb",) in found


def test_nothing_listens_on_any_other_address_than_loopback(started: Servers) -> None:
    at = listening()
    for name, port in started.state.record.ports.items():
        assert at[port] <= LOOPBACK_IN_PROC, name


def test_no_password_stands_in_the_process_list_or_in_a_file_for_others(started: Servers) -> None:
    passwords = started.state.record.passwords.values()
    for pid in started.supervisor.marked():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        assert not [password for password in passwords if password in command]
    for folder in (started.state.folder, started.state.home):
        for file in folder.rglob("*"):
            if file.is_file() and file.stat().st_mode & 0o077:
                text = file.read_text(encoding="utf-8", errors="replace")
                assert not [password for password in passwords if password in text], file


@pytest.mark.parametrize("name", servers.NAMES)
def test_a_server_that_is_killed_comes_back_by_itself(started: Servers, name: str) -> None:
    old, times = started.pid(name), started.supervisor.restarts()[name]
    started.kill(name)
    wait_until(lambda: started.pid(name) not in {0, old}, f"{name} runs again")
    started.wait(name)
    assert started.supervisor.restarts()[name] > times


def test_a_second_start_finds_everything_and_changes_nothing(started: Servers) -> None:
    before = {name: seen.pid for name, seen in started.supervisor.seen().items()}
    said: list[str] = []
    again = servers.start(started.state.folder, throwaway=True, say=said.append)
    assert {name: seen.pid for name, seen in again.supervisor.seen().items()} == before
    assert (again.environment, said) == (started.environment, [])


def test_a_server_that_was_halted_stays_down_until_it_is_resumed(started: Servers) -> None:
    started.halt("alertmanager")
    assert started.pid("alertmanager") == 0
    with pytest.raises(LocalError, match="alertmanager does not run"):
        started.kill("alertmanager")
    started.resume("alertmanager")
    assert started.pid("alertmanager")


def test_a_name_that_is_none_is_told_with_those_that_are(started: Servers) -> None:
    with pytest.raises(LocalError, match="No server `zookeeper`; there are mosquitto, kafka"):
        started.wait("zookeeper")


def test_another_number_of_brokers_needs_another_state_folder(started: Servers) -> None:
    with pytest.raises(LocalError, match="was made with --brokers 1"):
        servers.start(started.state.folder, throwaway=True, brokers=3, say=quiet)


def test_a_state_that_is_kept_is_never_used_for_tests(tmp_path: Path) -> None:
    State(tmp_path).save()
    with pytest.raises(NotOurs, match="are kept"):
        servers.start(tmp_path, throwaway=True, say=quiet)


def test_a_taken_port_and_a_site_s_own_server_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_KAFKA", "kafka.hopital.example:9092")
    monkeypatch.setenv("VIGIE_DATABASE_FILE", "/run/secrets/database")
    with closing(socket.create_server((LOOPBACK, 0))) as other:
        taken = other.getsockname()[1]
        state = State(tmp_path)
        state.record.ports["mqtt-devices"] = taken
        state.save()
        running = servers.start(tmp_path, ("mosquitto", "kafka", "timescale"), say=quiet)
    try:
        assert set(running.supervisor.seen()) == {"mosquitto"}
        assert running.state.record.ports["mqtt-devices"] != taken
        assert running.environment["VIGIE_KAFKA"] == "kafka.hopital.example:9092"
        assert running.environment["VIGIE_DATABASE_FILE"] == "/run/secrets/database"
    finally:
        running.stop()
        shutil.rmtree(running.state.home / "mosquitto")
        with suppress(OSError):  # below /var/lib when the servers' account cannot reach tmp_path
            running.state.home.rmdir()
    assert running.supervisor.marked() == []


def test_the_door_for_anonymous_devices_can_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MQTT_ANONYMOUS", "off")
    monkeypatch.setenv("VIGIE_AUTHORITY", str(tmp_path / "own"))
    state = State(tmp_path / "state")
    for door in USUAL:
        state.record.ports[door] = choose(None, taken=state.record.ports.values())
    state.save()
    running = servers.start(state.folder, ("mosquitto",), say=quiet)
    try:
        assert "mqtt-devices" not in running.state.record.ports
        assert "VIGIE_MQTT_DEVICES" not in running.environment
        assert running.environment["VIGIE_AUTHORITY"] == str(tmp_path / "own")
        assert (tmp_path / "own" / "ca.crt").exists()
        # What is the site's own is not remembered as given out by us.
        assert "VIGIE_AUTHORITY" not in running.state.record.addresses
    finally:
        running.stop()
        shutil.rmtree(running.state.home / "mosquitto")


def test_a_broker_that_runs_with_other_doors_than_it_should_have_is_started_again(
    tmp_path: Path,
) -> None:
    def start(own: dict[str, str]) -> Servers:
        return servers.start(tmp_path, ("mosquitto",), throwaway=True, say=quiet, own=own)

    first = start({})
    try:
        pid = first.pid("mosquitto")
        assert start({}).pid("mosquitto") == pid
        # As a line of Vigie 0.1 that still runs when `make up` is said by this one.
        record = State(tmp_path, throwaway=True)
        for door in [name for name in USUAL if name.startswith("mqtt-tls")]:
            del record.record.ports[door]
        record.save()
        second = start({})
        newer = second.pid("mosquitto")
        assert newer != pid
        assert "VIGIE_MQTT_TLS" in second.environment
        closed = start({"VIGIE_MQTT_ANONYMOUS": "off"})
        assert closed.pid("mosquitto") != newer
        assert "VIGIE_MQTT_DEVICES" not in closed.environment
    finally:
        first.stop()


def test_a_stop_leaves_no_process_though_the_supervisor_was_killed_before(tmp_path: Path) -> None:
    running = servers.start(tmp_path, ("mosquitto", "alertmanager"), throwaway=True, say=quiet)
    (pid,) = [pid for pid in running.supervisor.marked() if b"supervisord" in command(pid)]
    os.kill(pid, signal.SIGKILL)
    servers.attach(tmp_path).stop()
    assert running.supervisor.marked() == []
    assert not Path(running.state.record.home).exists()


def test_throwaway_servers_end_when_the_test_run_that_wanted_them_is_killed(tmp_path: Path) -> None:
    script = (
        "import json, pathlib, sys; from deploy.local import servers; "
        "running = servers.start(pathlib.Path(sys.argv[1]), ('mosquitto',), throwaway=True); "
        "print(json.dumps(running.state.record.home), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        home = next(line for line in run.stdout if line.startswith('"'))
        supervisor = servers.attach(tmp_path).supervisor
        assert supervisor.marked()
        run.kill()
    wait_until(lambda: not supervisor.marked(), "no process is left")
    wait_until(lambda: not Path(json.loads(home)).exists(), "no data is left")


def listening() -> dict[int, set[str]]:
    """Give for each TCP port the addresses on which somebody listens, as /proc writes them."""
    found: dict[int, set[str]] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == LISTENS:
                found.setdefault(int(port, 16), set()).add(address)
    return found


def command(pid: int) -> bytes:
    """Give a process' command line."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
