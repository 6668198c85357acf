"""Options of a run, the registry file, and the paces."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from typer.testing import CliRunner

from ingest.ports import SettingError
from ingest.registry.entities import Device, Patient
from simulators.admission import Plan
from simulators.cli import app
from simulators.registration import registry_file
from simulators.scenarios import SCENARIOS
from simulators.session import finish, parse_moment, parse_speed
from simulators.ward import beds

NOW = datetime(2026, 11, 24, 3, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("text", ["fast", "0", "0.5", "-1", "nan", "inf", ""])
def test_a_speed_that_cannot_be_is_said(text: str) -> None:
    with pytest.raises(SettingError, match="--speed must be max or a number"):
        parse_speed(text)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-24T03:00:00", ""])
def test_an_end_needs_a_moment_with_a_zone(text: str) -> None:
    with pytest.raises(SettingError, match="write 2026-11-24T03:00:00Z"):
        parse_moment(text)


def test_at_full_speed_the_last_instant_is_a_second_ago_in_whole_seconds() -> None:
    assert finish(NOW, 480, None) == datetime(2026, 11, 24, 2, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_the_last_instant_is_sent_at_its_own_time_and_none_before_it(speed: float) -> None:
    pace = Plan(seed=1, seconds=480).pace(speed, NOW)
    end = pace.data + timedelta(seconds=480)
    assert pace.until(end) == end
    for share in (0.0, 0.3, 0.9):
        wall = NOW + share * (end - NOW)
        assert pace.until(wall) <= wall


@pytest.mark.parametrize(("speed", "end"), [(None, ""), (60.0, ""), (1.0, "2026-11-24T03:00:00Z")])
def test_a_ward_without_end_runs_at_true_speed_only(speed: float | None, end: str) -> None:
    with pytest.raises(SettingError, match="needs --seconds"):
        Plan(seed=1, seconds=None, end=end).pace(speed, NOW)


def test_the_registry_file_holds_what_the_registry_takes() -> None:
    people = beds(seed=1, patients=3, course=SCENARIOS["heart-failure"], ill=1)
    content = tomllib.loads(registry_file(b for b, _ in people))
    patients = [msgspec.convert({"schema": "patient/1", **p}, Patient) for p in content["patients"]]
    devices = [
        msgspec.convert({"schema": "device/1", **d, "assignments": d["assignments"]}, Device)
        for d in content["devices"]
    ]
    assert [p.id for p in patients] == ["sim-1-000", "sim-1-001", "sim-1-002"]
    assert [p.profile for p in patients] == ["home-heart", "ward", "ward"]
    assert [p.ens for p in patients] == ["idpe-sim-1-000", None, "idpe-sim-1-002"]
    assert devices[0].assignments[0].patient == "sim-1-000"
    assert devices[0].assignments[0].covers(NOW)


@pytest.mark.parametrize("command", [[], ["ward"], ["scenario"], ["load"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    done = CliRunner().invoke(app, ["simulate", *command, "--help"])
    assert done.exit_code == 0
    assert "Example: vigie simulate" in done.output.replace("\n", " ")


def test_the_scenarios_can_be_listed() -> None:
    done = CliRunner().invoke(app, ["simulate", "scenario", "list"])
    assert done.exit_code == 0
    assert all(name in done.output for name in SCENARIOS)
