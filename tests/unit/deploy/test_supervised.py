"""What supervisord is told about a program, what the state folder keeps, what a user is told."""

from __future__ import annotations

import configparser
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from deploy.local import summary
from deploy.local.cli import app
from deploy.local.errors import LocalError, NotOurs
from deploy.local.programs import MARK, Program, main_settings, section
from deploy.local.servers import attach
from deploy.local.state import State

if TYPE_CHECKING:
    from pathlib import Path


def told(program: Program, state: State) -> configparser.SectionProxy:
    """Read the section as an INI file."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(section(program, state))
    return parser[f"program:{program.name}"]


def test_a_program_is_started_again_whenever_it_ends(tmp_path: Path) -> None:
    said = told(Program("worker", ("vigie", "worker"), tmp_path), State(tmp_path))
    assert said["autorestart"] == "true"
    assert said["command"] == "vigie worker"
    assert said["umask"] == "077"


def test_a_program_carries_the_mark_of_its_state_folder(tmp_path: Path) -> None:
    said = told(Program("worker", ("vigie",), tmp_path, {"A": '50% "b"'}), State(tmp_path))
    assert said["environment"] == f'A="50%% \\"b\\"",{MARK}="{tmp_path}"'


def test_what_supervisord_cannot_express_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="line break"):
        section(Program("worker", ("vigie",), tmp_path, {"A": "a\nb"}), State(tmp_path))


def test_a_state_folder_with_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    state = State(tmp_path / ("x" * 100))
    assert len(str(state.socket)) < 90
    assert f"file={state.socket}" in main_settings(state)


def test_a_password_is_made_once_and_kept_at_once(tmp_path: Path) -> None:
    word = State(tmp_path).password("timescale")
    assert State(tmp_path).password("timescale") == word
    assert (tmp_path / "servers.json").stat().st_mode & 0o077 == 0


def test_a_state_folder_that_was_copied_does_not_use_the_other_s_data(tmp_path: Path) -> None:
    first = State(tmp_path / "first")
    first.record.home = str(first.folder)
    first.save()
    second = tmp_path / "second"
    second.mkdir()
    (second / "servers.json").write_bytes((first.folder / "servers.json").read_bytes())
    with pytest.raises(NotOurs, match="is a copy, or was moved"):
        _ = State(second).home


def test_a_folder_in_which_nothing_was_started_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="Nothing was started"):
        attach(tmp_path / "none")
    done = CliRunner().invoke(app, ["down", "--state", str(tmp_path / "none")])
    assert done.exit_code == 0
    assert "nothing was started" in done.output
    assert not (tmp_path / "none").exists()


def test_a_server_that_is_none_is_told_with_those_that_are(tmp_path: Path) -> None:
    command = ["servers", "start", "--only", "zookeeper", "--state", str(tmp_path)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert "No server `zookeeper`; there are mosquitto, kafka" in done.output


def test_a_figure_that_is_not_yet_known_is_none() -> None:
    assert summary.number([]) is None
    assert summary.number([{"value": [0, "NaN"]}]) is None
    assert summary.number([{"value": [0, "2.5"]}]) == 2.5
