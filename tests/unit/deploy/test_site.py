"""A server that the site names is not started; an address that we gave out is not the site's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local import site
from deploy.local.errors import LocalError
from deploy.local.processes import ends
from deploy.local.state import State

if TYPE_CHECKING:
    from pathlib import Path

KAFKA = {"VIGIE_KAFKA": "127.0.0.1:9092"}


def test_an_address_in_the_environment_is_the_site_s_own(tmp_path: Path) -> None:
    assert site.own(State(tmp_path), {**KAFKA, "HOME": "/root", "VIGIE_MQTT": ""}) == KAFKA


def test_an_address_that_was_given_out_is_not_the_site_s_own_now_or_later(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.give_out(KAFKA)
    state.give_out({"VIGIE_KAFKA": "127.0.0.1:20000"})
    state.save()
    again = State(tmp_path)
    assert site.own(again, KAFKA) == {}
    assert site.own(again, {"VIGIE_KAFKA": "127.0.0.1:20000"}) == {}
    assert site.has(site.own(again, {"VIGIE_KAFKA": "kafka:9092"}), "VIGIE_KAFKA")


def test_the_addresses_of_another_state_whose_env_was_sourced_are_not_used(tmp_path: Path) -> None:
    other = State(tmp_path / "other")
    other.give_out(KAFKA)
    other.save()
    sourced = {**KAFKA, "VIGIE_STATE": str(other.folder)}
    assert site.own(State(tmp_path / "this"), sourced) == {}


def test_a_secret_s_file_names_the_site_s_server_too_from_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = site.own(State(tmp_path), {"VIGIE_DATABASE_FILE": "secrets/database"})
    assert own == {"VIGIE_DATABASE_FILE": str(tmp_path / "secrets/database")}
    assert site.has(own, "VIGIE_DATABASE")


def test_a_settings_file_names_the_site_s_servers_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('kafka = "kafka:9092"\non_call = "a@b.example"\n', encoding="utf-8")
    found = site.settings({"VIGIE_SETTINGS": str(file), **KAFKA})
    assert found == {
        **KAFKA,
        "VIGIE_SETTINGS": str(file),
        "VIGIE_ON_CALL": "a@b.example",
    }


def test_a_settings_file_that_is_none_is_told_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("kafka: yes", encoding="utf-8")
    with pytest.raises(LocalError, match="not TOML"):
        site.settings({"VIGIE_SETTINGS": str(file)})


def test_what_the_site_has_is_not_simulated(tmp_path: Path) -> None:
    settings, simulated = ends(State(tmp_path, throwaway=True), {"VIGIE_SMTP_FILE": "/run/smtp"})
    assert [process.name for process in simulated] == ["ens"]
    assert set(settings) == {"VIGIE_ENS"}
