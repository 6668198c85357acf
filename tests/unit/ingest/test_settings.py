"""Where a setting comes from, and what an operator is told when it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest import settings
from ingest.ports import SettingError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text('kafka = "from-file:9092"\nsmtp = "smtp://from-file"\n')
    found = settings.load({"VIGIE_KAFKA": "from-environment:9092"}, file)
    assert found.kafka == "from-environment:9092"
    assert found.smtp == "smtp://from-file"
    assert found.prometheus == settings.Settings().prometheus


def test_a_secret_is_read_from_the_file_that_its_twin_names(tmp_path: Path) -> None:
    secret = tmp_path / "database"
    secret.write_text("postgresql://vigie:hidden@db/vigie\n")
    found = settings.load({"VIGIE_DATABASE_FILE": str(secret)}, tmp_path / "none.toml")
    assert found.database == "postgresql://vigie:hidden@db/vigie"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("kafak = 'x'", "unknown setting `kafak`", id="a mistyped name is named"),
        pytest.param("kafka = 9092", "`kafka` must be text", id="a number is not an address"),
        pytest.param("kafka = ", "not TOML", id="a broken file says where"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(
    tmp_path: Path, content: str, expected: str
) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text(content)
    with pytest.raises(SettingError, match=expected):
        settings.load({}, file)


def test_a_missing_secret_file_names_the_setting_and_not_the_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="VIGIE_ENS_TOKEN_FILE"):
        settings.load({"VIGIE_ENS_TOKEN_FILE": str(tmp_path / "absent")}, tmp_path / "none.toml")


def test_every_setting_says_what_it_means() -> None:
    listed = settings.names()
    assert len(listed) > 10
    assert all(meaning.endswith(".") for _, _, meaning, _ in listed)
