"""The page of the profiles names every profile, every section and every option there is."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.artefact import Plausible
from detectors.catalogue import CATALOGUE
from detectors.combine import NAME, Rules
from detectors.profiles.loading import SHIPPED, parse
from ingest.registry.entities import Limit, Prescription, Profile, Trend

PAGE = (Path(__file__).parents[3] / "docs/reference/profiles.md").read_text("utf-8")
PROFILES = PAGE.partition("## Sections")[0]
SECTIONS = dict(re.findall(r"^### `\[(\w+)\]`(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE))
# What stands in a table of its own within a section.
WITHIN: dict[str, Any] = {
    "artefact": Plausible,
    "limits": Limit,
    "trends": Trend,
    "silence": Prescription,
}
OPTIONS = {name: kind.options_type for name, kind in CATALOGUE.items()} | {NAME: Rules}
TEXTS = {
    one.stem: one.read_text("utf-8")
    for one in Path(str(files("detectors.profiles"))).glob("*.toml")
}


@pytest.mark.parametrize(("name", "options"), OPTIONS.items(), ids=OPTIONS)
def test_the_page_names_every_option_of_a_section_and_no_other(name: str, options: Any) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", SECTIONS[name], re.MULTILINE)
    assert rows == [one.name for one in msgspec.structs.fields(options)]
    for field in msgspec.structs.fields(WITHIN[name]) if name in WITHIN else ():
        assert f"`{field.name}`" in SECTIONS[name], field.name


def test_the_page_has_no_section_that_is_no_detector() -> None:
    assert SECTIONS.keys() >= OPTIONS.keys()
    assert all(find_spec(f"detectors.{name}") for name in SECTIONS)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_page_says_which_detectors_a_profile_has(name: str) -> None:
    (said,) = re.findall(rf"^\| `{name}` \| .* \| ([\w, ]+) \|$", PROFILES, re.MULTILINE)
    assert said.split(", ") == [kind.name for kind, _ in parse(name, TEXTS[name]).detectors]


def test_every_profile_for_patients_watches_what_a_patient_can_be_set() -> None:
    assert {*TEXTS} == {*Profile, "generic"}
    for profile, watched in SHIPPED.items():
        asked = ("artefact", "news2", "limits", "trends", "silence")
        assert not [name for name in asked if watched.options(name) is None], profile
