"""By which profiles a table is scored: the shipped ones, with what the caller wants otherwise."""

from __future__ import annotations

import math
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec.structs import replace

from detectors.news2 import News2Detector
from detectors.profiles.loading import Watched, parse
from ingest.ports import SettingError
from ingest.registry.entities import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

UNLIMITED = "unlimited"


def named(name: str) -> Profile:
    """Find a profile by its name. Raises SettingError, which lists the names.

    >>> named("icu")
    <Profile.ICU: 'icu'>
    """
    try:
        return Profile(name)
    except ValueError:
        raise SettingError(f"no profile `{name}`; there are {', '.join(Profile)}") from None


def validity(text: str) -> float:
    """Read for how many hours a value is carried forward. Raises SettingError.

    >>> validity("6"), validity("unlimited")
    (6.0, inf)
    """
    if text == UNLIMITED:
        return math.inf
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours < math.inf:
        raise SettingError(f"validity `{text}`: write a number of hours, or `{UNLIMITED}`")
    return hours


def with_validity(
    watched: Mapping[Profile, Watched], hours: float | None
) -> Mapping[Profile, Watched]:
    """Return the profiles, but NEWS2 takes values as old as this; None: as the profiles say."""
    if hours is None:
        return watched
    return {name: _carrying(one, hours) for name, one in watched.items()}


def generic() -> Watched:
    """Read the detectors that watch series of which nothing is known."""
    text = (files("detectors.profiles") / "generic.toml").read_text("utf-8")
    return parse("generic", text)


def _carrying(watched: Watched, hours: float) -> Watched:
    detectors = tuple(
        (kind, replace(given, validity_hours=hours, validity_hours_of={}))
        if kind is News2Detector
        else (kind, given)
        for kind, given in watched.detectors
    )
    return watched._replace(detectors=detectors)


def questions(watched: Watched) -> tuple[str, ...]:
    """Name the risks that a profile asks for (`[risk]`, `questions`); none without that detector.

    >>> from detectors.profiles.loading import parse
    >>> questions(parse("tiny", 'about = "nobody"'))
    ()
    """
    options = watched.options("risk")
    return tuple(getattr(options, "questions", ()))
