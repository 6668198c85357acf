"""What a language must have words for: one table of these per language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime, tzinfo

    from detectors.findings import Against, Pattern


class Language(StrEnum):
    """The languages that an explanation comes in (ISO 639-1)."""

    ENGLISH = "en"
    FRENCH = "fr"


@dataclass(frozen=True, slots=True)
class Noun:
    """What a measure is called: alone, as a subject, after "of", and how a participle ends on it.

    English needs no article and no ending; French says "le poids", "du poids", "est passé à", and
    "la température", "de la température", "est passée à".
    """

    alone: str
    the: str
    of: str
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Times:
    """How a language speaks of time: `zone` is where its clock stands, and is named.

    `date` takes the moment and whether its year must be told. `spans` are for less than a minute,
    minutes, hours, one day and days. `lasting` takes a `span` and a `start`. A moment is told `at`
    a clock of today or `on` another date: as a `start`, alone (`began`), or of the newest reading.
    """

    zone: tzinfo
    zone_name: str
    date: Callable[[datetime, bool], str]
    spans: tuple[str, str, str, str, str]
    lasting: str
    began_at: str
    began_on: str
    start_at: str
    start_on: str
    measured_at: str
    measured_on: str


@dataclass(frozen=True, slots=True)
class Words:
    """All the words of one language.

    Sentences are templates. Their fields: `the`, `of`, `noun`, `ending` of the vital, `value` with
    its unit, `ref` what it was compared with, `far` the word for far or nothing, `list` readings.
    """

    decimal: str
    colon: str
    semicolon: str
    # Names.
    vitals: Mapping[str, Noun]
    series: Callable[[str], Noun]  # of a series that Vigie does not know
    units: Mapping[str, str]  # by UCUM code, with the space before them, if any
    consciousness: Mapping[str, str]
    yes_no: tuple[str, str]
    # Values.
    bounds: tuple[str, str, str]  # both, at least, at most
    expected: str
    points: tuple[str, str]
    more: tuple[str, str]
    # Sentences.
    reading: str
    state: str  # of a vital whose values are words
    patterns: Mapping[Pattern, str]
    bare: Mapping[Pattern, str]  # the same without the value: it is not known, or back to usual
    newest_level: str  # of a level that had moved and is back
    disagrees: str  # of one vital, with another that is not named
    passable: str  # of a combination where no value is out of its own bounds
    against: Mapping[Against | None, str]
    far: str
    trend: tuple[str, str]
    unusual: tuple[str, str]  # against nothing in particular, against something
    readings: str
    besides: str
    device_silent: tuple[str, str, str]  # which is not known, one, several
    withheld: str
    believed: str
    several: str  # systems of the body that are unusual at once
    news2: tuple[str, str]  # whole, partial
    contributions: str
    # Models.
    risk: str
    odds: tuple[str, str, str, str]  # about, less than, more than; and how one in n is written
    questions: Mapping[str, str]
    question: str
    raised: str
    features: Mapping[str, str]
    statistics: tuple[tuple[str, str], ...]  # pattern of a statistic's name, its words
    # What is missing.
    missing: tuple[str, str]
    complete: str
    times: Times
