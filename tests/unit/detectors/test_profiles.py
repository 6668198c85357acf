"""Profiles: what a site may write in its own, and what it is told of each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alerts.watch import Watch
from detectors.profiles.loading import BadProfile, in_force, parse
from ingest.readings import Vital
from ingest.registry.entities import Patient, Profile
from tests.unit.detectors.plain import instant

if TYPE_CHECKING:
    from pathlib import Path

WARD = 'about = "a ward of ours"\n[news2]\n[limits]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("about = ", "profile ward: ", id="no TOML"),
        pytest.param("[news2]\n", "say in `about` whom it is for", id="for nobody"),
        pytest.param(WARD + "[news3]\n", "no detector `news3`", id="no such detector"),
        pytest.param(
            WARD.replace("[news2]", "[news2]\nvalidity = 3"),
            "[news2]: the section contains unknown field `validity`",
            id="no such option",
        ),
        pytest.param(
            WARD.replace("[news2]", "[news2]\nvalidity_hours = -3"),
            "[news2]: Expected `float` > 0.0 - at `news2.validity_hours`",
            id="out of range",
        ),
        pytest.param(WARD + "[combine]\nagree = true\n", "[combine]: ", id="no such rule"),
    ],
)
def test_a_profile_that_means_nothing_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadProfile) as refused:
        parse("ward", text)
    assert said in str(refused.value)


@pytest.mark.parametrize("section", ["", "[silence]\n"], ids=["no silence", "no weight in it"])
def test_the_daily_weight_of_heart_failure_cannot_be_switched_off(section: str) -> None:
    with pytest.raises(BadProfile, match=r"weight every 24 h.* cannot be switched off"):
        parse("home-heart", WARD + section)


def test_a_site_s_own_profile_takes_the_place_of_that_name_only(tmp_path: Path) -> None:
    (tmp_path / "ward.toml").write_text(WARD, "utf-8")
    found = in_force(tmp_path)
    assert found[Profile.WARD].about == "a ward of ours"
    assert found[Profile.ICU].about == in_force(None)[Profile.ICU].about
    watch = Watch.by(found)("p-1")
    watch.observe(Patient("p-1"), "d", instant(0, {Vital.SPO2: 97.0}))
    again = Watch.by(found).restore("p-1", watch.snapshot())
    assert again.snapshot() == watch.snapshot()


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrad.toml").write_text(WARD, "utf-8")
    with pytest.raises(BadProfile, match="there are the profiles icu, ward, home-heart"):
        in_force(tmp_path)
    with pytest.raises(BadProfile, match="no folder with profiles"):
        in_force(tmp_path / "absent")
