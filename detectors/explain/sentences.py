"""From a finding to one to three short sentences.

An explanation never raises: a rule, a pattern or a vital that nobody wrote words for gets a
sentence that is true of any finding. It names no patient and no device, and never quotes a rule,
which may hold a device's id.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from detectors.explain import families, times, values
from detectors.explain.observed import observed
from detectors.explain.words import Language
from detectors.explain.words_en import ENGLISH
from detectors.explain.words_fr import FRENCH
from detectors.findings import Pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from detectors.explain.observed import Said
    from detectors.explain.words import Words
    from detectors.findings import Finding

LANGUAGES: Mapping[Language, Words] = MappingProxyType(
    {Language.ENGLISH: ENGLISH, Language.FRENCH: FRENCH}
)
# What is said by the first word of a rule; all others by the pattern of the finding.
FAMILIES: Mapping[str, Callable[[Words, Finding, str], Said]] = MappingProxyType(
    {
        "news2": families.news2,
        "trends": families.trends,
        "risk": families.risk,
        "artefact": families.artefact,
        "silence": families.silence,
        "combine": families.combined,
    }
)
# Families with a known list of inputs, of which it is worth saying that none is missing.
COMPLETE = frozenset({"news2", "risk"})
# What these speak of did not come: since the last reading, if there was one.
ABSENT = frozenset({Pattern.SILENT, Pattern.MISSED})


def explain(finding: Finding, language: Language, *, moment: datetime | None = None) -> str:
    """Say in plain words what is unusual, against what, since when, and what is missing.

    Parameters
    ----------
    finding
        Any finding, of whatever rule.
    language
        The reader's. French tells the time in France, English in UTC; both name it.
    moment
        When it is told (UTC), for how long it has lasted. None: when the newest reading of the
        finding was made; of what did not come, for how long is not said then.

    Returns
    -------
    str
        One to three short sentences, never empty. Cost: 20 to 50 microseconds.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
    >>> night = datetime(2026, 11, 24, 3, 52, tzinfo=UTC)
    >>> finding = Finding(
    ...     "baseline.heart_rate",
    ...     Kind.ADVISORY,
    ...     Priority.LOW,
    ...     "baseline/3",
    ...     (Evidence("heart_rate", 132.0, night, "dev-1", 58.0, 82.0),),
    ...     since=datetime(2026, 11, 24, 3, 12, tzinfo=UTC),
    ...     pattern=Pattern.ABOVE,
    ...     against=Against.HOURS,
    ... )
    >>> explain(finding, Language.ENGLISH)
    'Heart rate is 132/min, far above what is usual for this patient over the last hours (58 to \
82/min), for 40 min, since 03:12 UTC.'
    """
    words = LANGUAGES[language]
    family, _, rest = finding.rule.partition(".")
    said = FAMILIES.get(family, observed)(words, finding, rest)
    newest = max((one.time for one in finding.evidence), default=None)
    head, began, now = said.head, finding.since, moment
    if finding.pattern in ABSENT:
        began = newest if began is None else began
    elif now is None:
        now = newest
    if began is not None:
        head = f"{head}, {times.since(words, began, now, lasting=not said.lasting)}"
    elif newest is not None:
        head = f"{head}, {times.measured(words, newest, now)}"
    missing = "" if said.names_missing else _missing(words, finding, family)
    return " ".join(_sentence(one) for one in (head, *said.more, missing) if one)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _missing(words: Words, finding: Finding, family: str) -> str:
    if not finding.missing:
        return words.complete if family in COMPLETE else ""
    named = [values.noun(words, one).alone for one in finding.missing]
    return words.missing[0 if len(named) == 1 else 1].format(list=", ".join(named))
