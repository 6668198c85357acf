"""Which detectors watch a patient, and how: one TOML file for each way of living with devices.

The files beside this one are documented in `docs/reference/profiles.md`.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from detectors.catalogue import CATALOGUE
from detectors.combine import Rules
from detectors.prescriptions import lacking
from detectors.silence import Silence
from ingest.ports import VigieError
from ingest.registry.entities import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class BadProfile(VigieError):
    """The text is no profile; the message says where, and what would be right."""


class Watched(NamedTuple):
    """A profile: what it is for, its detectors with their options in order, and what combines."""

    name: str
    about: str
    detectors: tuple[tuple[type[Any], Any], ...]
    rules: Rules

    def options(self, name: str) -> Any:
        """Return the options of a detector; None: it is not in this profile."""
        return next((options for kind, options in self.detectors if kind.name == name), None)


Profiles = dict[Profile, Watched]


def parse(name: str, text: str) -> Watched:
    """Read a profile. Raises BadProfile.

    >>> parse("tiny", 'about = "an empty one, which watches nobody"').detectors
    ()
    """
    try:
        sections = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"profile {name}: {error}") from None
    about = sections.pop("about", None)
    if not isinstance(about, str) or not about.strip():
        raise BadProfile(f"profile {name}: say in `about` whom it is for")
    rules = _section(name, "combine", sections.pop("combine", {}), Rules)
    unknown = sorted(sections.keys() - CATALOGUE.keys())
    if unknown:
        known = ", ".join(CATALOGUE)
        raise BadProfile(f"profile {name}: no detector `{unknown[0]}`; there are {known}")
    found = tuple(
        (kind, _section(name, section, sections[section], kind.options_type))
        for section, kind in CATALOGUE.items()
        if section in sections
    )
    watched = Watched(name, about, found, rules)
    if name in set(Profile):
        silence = watched.options(Silence.name)
        fault = lacking(Profile(name), {} if silence is None else silence.prescriptions)
        if fault is not None:
            raise BadProfile(f"profile {name}: {fault}")
    return watched


def shipped() -> Profiles:
    """Read the profiles that Vigie comes with."""
    folder = files("detectors.profiles")
    return {
        profile: parse(profile, (folder / f"{profile}.toml").read_text("utf-8"))
        for profile in Profile
    }


def in_force(folder: Path | None) -> Profiles:
    """Read the profiles, with a site's own in the place of those that have a file in `folder`.

    Raises BadProfile, also for a file that is named like no profile.
    """
    found = shipped()
    if folder is None:
        return found
    if not folder.is_dir():
        raise BadProfile(f"{folder} is no folder with profiles")
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in set(Profile):
            raise BadProfile(f"{path}: there are the profiles {', '.join(Profile)}")
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise BadProfile(f"{path} cannot be read as text") from None
        found[Profile(path.stem)] = parse(path.stem, text)
    return found


def _section(name: str, section: str, given: object, type_: type[Any]) -> Any:
    try:
        return msgspec.convert(given, type_)
    except (msgspec.ValidationError, ValueError) as error:
        said = str(error).replace("`$", f"`{section}").replace("Object", "the section")
        raise BadProfile(f"profile {name}: [{section}]: {said}") from None


SHIPPED: Mapping[Profile, Watched] = MappingProxyType(shipped())
