"""Read an explanation by four questions: what, against what, since when, what is missing.

The checks look at the finding and at the text, not at how the text is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from detectors.explain import Language
from detectors.explain.sentences import LANGUAGES
from detectors.explain.values import noun
from detectors.findings import Against, Pattern
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from detectors.findings import Finding

YES, NO, NONE = "✓", "✗", "(nothing is)"
# What the words of a family leave out, which a physician would ask next.
LACKS: Mapping[str, tuple[str, ...]] = {
    "trends": ("the change that was allowed is not told",),
    "limits": ("who set the limit, and whether for this patient, is not told",),
    "population": ("who the other patients were is not told",),
    "silence": ("whether the device stopped, or the patient stopped using it, is not known",),
}
LONG = 55  # words; more is not read at three in the morning
# What tells the reader that a comparison is meant, by what was compared with; English and French.
COMPARED: Mapping[Against | None, str] = {
    Against.CHART: r"chart|grille",
    Against.LIMITS: r"limit",
    Against.HOURS: r"last hours|dernières heures",
    Against.DAYS: r"last days|derniers jours|in \d+ (days|h)|en \d+ (jours|h)",
    Against.WEEKS: r"last weeks|dernières semaines",
    Against.TIME_OF_DAY: r"time of day|heure de la journée",
    Against.OTHERS: r"other patients|autres patients",
    Against.MODEL: r"model|modèle",
    Against.EXPECTED: r"expected|attendu|prescri(bed|te)|has come|n'est arrivé|has sent|envoyé",
    None: r"usual|habituel|limit|chart|grille|model|modèle|expected|attendu",
}
# A technical finding compares with what a sensor and a body can give.
TECHNICAL = r"body|corps|not agree|ne concorde|sensor|capteur"
CLOCKS = {Language.ENGLISH: ZoneInfo("UTC"), Language.FRENCH: ZoneInfo("Europe/Paris")}
VALUELESS = {Pattern.SILENT, Pattern.MISSED, Pattern.OFF, Pattern.TOGETHER}


class Reading(NamedTuple):
    """The four questions, answered by a mark each, for one language."""

    what: str
    against: str
    since: str
    missing: str


def read(finding: Finding, said: str, language: Language) -> Reading:
    """Answer the four questions."""
    return Reading(
        _mark(_says_what(finding, said, language)),
        _mark(_says_against(finding, said)),
        _mark(_says_since(finding, said, language)),
        _mark(_says_missing(finding, said, language)) if finding.missing else NONE,
    )


def remarks(finding: Finding, english: str) -> list[str]:
    """Say where the words could be better."""
    found = []
    family = finding.rule.partition(".")[0]
    if finding.since is None:
        found.append("it tells when the newest value was measured, not since when it lasts")
    bounded = any(one.low is not None or one.high is not None for one in finding.evidence)
    measured = finding.pattern in {Pattern.ABOVE, Pattern.BELOW, Pattern.RISING, Pattern.FALLING}
    if measured and not bounded and family != "trends":
        found.append("no figures of what was expected")
    found += LACKS.get(family, ())
    if family == "news2" and finding.missing:
        found.append("how many points the missing measurements could add is not told")
    if family == "risk" and not finding.parts:
        found.append("nothing is told of what the probability rests on")
    if family == "combine" or (family != "news2" and finding.pattern is Pattern.TOGETHER):
        found.append("a combination is harder to picture than a value")
    if (words := len(english.split())) > LONG:
        found.append(f"long: {words} words")
    return found


def _mark(holds: bool) -> str:  # noqa: FBT001 (a condition)
    return YES if holds else NO


def _says_what(finding: Finding, said: str, language: Language) -> bool:
    words = LANGUAGES[language]
    family, _, rest = finding.rule.partition(".")
    if family in {"news2", "risk"}:
        return bool(re.search(r"NEWS2|risk|risque", said)) and bool(re.search(r"\d", said))
    vital = next((part for part in rest.split(".") if part in set(Vital)), None)
    spoken = {one.vital for one in finding.evidence} or set(finding.missing)
    spoken = {vital} if vital is not None else spoken
    named = [noun(words, one).alone.lower() in said.lower() for one in spoken if one]
    if not named:
        return bool(re.search(r"device|appareil", said))
    value = finding.pattern in VALUELESS or not finding.evidence or bool(re.search(r"\d", said))
    return any(named) and value


def _says_against(finding: Finding, said: str) -> bool:
    pattern = COMPARED[finding.against]
    if finding.rule.startswith("artefact."):
        pattern = f"{pattern}|{TECHNICAL}"
    return re.search(pattern, said) is not None


def _says_since(finding: Finding, said: str, language: Language) -> bool:
    began: datetime | None = finding.since
    if began is None:
        return False
    zone = "UTC" if language is Language.ENGLISH else "heure de Paris"
    return f"{began.astimezone(CLOCKS[language]):%H:%M}" in said and zone in said


def _says_missing(finding: Finding, said: str, language: Language) -> bool:
    words = LANGUAGES[language]
    return all(noun(words, one).alone.lower() in said.lower() for one in finding.missing)
