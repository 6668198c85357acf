"""What was observed, by the pattern of a finding, against what it was compared with."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from detectors.explain import values
from detectors.findings import Against, Evidence, Finding, Pattern
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.explain.words import Words

# What a family of rules compares with, where the finding does not say.
AGAINST: Mapping[str, Against] = MappingProxyType(
    {
        "news2": Against.CHART,
        "limits": Against.LIMITS,
        "population": Against.OTHERS,
        "risk": Against.MODEL,
        "artefact": Against.EXPECTED,
        "silence": Against.EXPECTED,
    }
)
# Readings that are listed; a letter has all of them below.
MOST_READINGS = 4
# Patterns that speak of the value of one vital.
VALUED = frozenset(
    {
        *(Pattern.ABOVE, Pattern.BELOW, Pattern.RISING, Pattern.FALLING),
        *(Pattern.FLAT, Pattern.JUMP),
    }
)
# Of those, the ones that say something without the value too.
BARE = frozenset({Pattern.FLAT, Pattern.JUMP})
VITALS = frozenset(map(str, Vital))


class Said(NamedTuple):
    """What is unusual and against what, and the sentences that come after since when.

    `names_missing`: the words speak of `Finding.missing` already; `lasting`: of how long, too.
    """

    head: str
    more: tuple[str, ...] = ()
    names_missing: bool = False
    lasting: bool = False


def observed(words: Words, finding: Finding, rest: str) -> Said:
    """Say what was observed; `rest` is the rule without its first word."""
    subject = spoken_of(finding, rest)
    one = newest(finding, subject)
    pattern = finding.pattern or _direction(one)
    others = tuple(e for e in finding.evidence if e.vital != subject)
    if pattern is Pattern.TOGETHER or (pattern in VALUED and others and not _leads(finding, rest)):
        return _together(words, finding)
    if pattern is Pattern.DISAGREES:
        return Said(_disagreement(words, finding))
    if pattern is None or subject is None or (one is None and pattern in VALUED - BARE):
        return Said(_unusual(words, finding, subject))
    more = readings(words, others, besides=True) if pattern in VALUED else ()
    head = _by_pattern(words, finding, pattern, subject, one)
    if one is not None and _is_back(pattern, one):
        newest_level = values.quantity(words, subject, one.value, values.digits(one))
        more = (words.newest_level.format(value=newest_level), *more)
    return Said(head, more)


def spoken_of(finding: Finding, rest: str) -> str | None:
    """Name the vital that a finding speaks of; None when it speaks of none.

    By its rule; else what gave most to its score; else its last evidence; else what is missing.
    """
    for part in (*rest.split("."), finding.rule):
        if part in VITALS:
            return part
    seen = {one.vital for one in finding.evidence}
    parts = [one for one in finding.parts if one.name in seen]
    if parts:
        return max(parts, key=lambda one: one.weight).name
    if finding.evidence:
        return finding.evidence[-1].vital
    return finding.missing[0] if finding.missing else None


def newest(finding: Finding, vital: str | None) -> Evidence | None:
    """Return the last reading of a vital in the evidence."""
    return next((one for one in reversed(finding.evidence) if one.vital == vital), None)


def readings(
    words: Words, evidence: Sequence[Evidence], *, besides: bool = False
) -> tuple[str, ...]:
    """Write readings as a sentence of their own; empty when there are none."""
    if not evidence:
        return ()
    template = words.besides if besides else words.readings
    return (template.format(list=_list(words, evidence)),)


def reference(words: Words, finding: Finding, one: Evidence | None) -> str:
    """Name what a finding was compared with; of a limit, the side that was passed."""
    against = _against(finding)
    said = words.against[against]
    if one is None:
        return said
    low, high = one.low, one.high
    if against is Against.LIMITS and high is not None and one.value > high:
        low = None
    elif against is Against.LIMITS and low is not None and one.value < low:
        high = None
    bounds = values.bounds(words, one.vital, low, high, values.digits(one))
    return f"{said} ({bounds})" if bounds else said


def _by_pattern(
    words: Words, finding: Finding, pattern: Pattern, subject: str, one: Evidence | None
) -> str:
    noun = values.noun(words, subject)
    value, back = "", one is not None and _is_back(pattern, one)
    if one is not None:
        if subject in values.STATES and pattern in VALUED:
            return _state(words, one)
        if not back:
            value = values.quantity(words, subject, one.value, values.digits(one))
    template = (
        words.bare[pattern] if back or (pattern in BARE and not value) else words.patterns[pattern]
    )
    return template.format(
        the=noun.the,
        of=noun.of,
        noun=noun.alone,
        ending=noun.ending,
        value=value,
        reading=words.reading.format(the=noun.the, value=value),
        ref=reference(words, finding, one),
        far=words.far if one is not None and _is_far(finding, one) else "",
    )


def _state(words: Words, one: Evidence) -> str:
    """Write a reading whose value is a word: nothing is above or below that."""
    the = values.noun(words, one.vital).the
    said = words.state.format(the=the, value=values.quantity(words, one.vital, one.value))
    aside = values.beside(words, one, None)
    return f"{said} ({aside})" if aside else said


def _unusual(words: Words, finding: Finding, subject: str | None) -> str:
    """Say what is true of any finding."""
    names = _list(words, finding.evidence)
    if not names and subject is not None:
        names = values.noun(words, subject).alone
    colon = words.colon if names else ""
    template = words.unusual[0 if _against(finding) is None else 1]
    return template.format(ref=reference(words, finding, None), colon=colon, list=names)


def _together(words: Words, finding: Finding) -> Said:
    """Say that a combination is unusual; each alone may pass only if none is out of its bounds."""
    head = words.patterns[Pattern.TOGETHER].format(ref=reference(words, finding, None))
    listed = readings(words, finding.evidence)
    if not listed or any(_direction(one) is not None for one in finding.evidence):
        return Said(head, listed)
    return Said(head, (words.semicolon.join((*listed, words.passable)),))


def _disagreement(words: Words, finding: Finding) -> str:
    """Say which measurements do not agree; where one is spoken of alone, that one."""
    seen = {one.vital: one for one in finding.evidence}
    vitals = list(dict.fromkeys((*seen, *finding.missing)))
    if not vitals:
        return _unusual(words, finding, None)
    if len(vitals) > 1:
        shown = [
            values.short(words, seen[vital]) if vital in seen else values.noun(words, vital).alone
            for vital in vitals
        ]
        return words.patterns[Pattern.DISAGREES].format(list=", ".join(shown))
    one, the = seen.get(vitals[0]), values.noun(words, vitals[0]).the
    # What the believed source would allow is the bound of what was expected.
    said = (
        ()
        if one is None
        else (values.quantity(words, one.vital, one.value), values.beside(words, one, None))
    )
    value = f" ({words.semicolon.join(filter(None, said))})" if said else ""
    return words.disagrees.format(the=the, value=value)


def _list(words: Words, evidence: Sequence[Evidence]) -> str:
    return values.listed(words, [values.short(words, one) for one in evidence], MOST_READINGS)


def _leads(finding: Finding, rest: str) -> bool:
    """Whether one vital of several is the one that is spoken of."""
    return bool(finding.parts) or any(part in VITALS for part in rest.split("."))


def _direction(one: Evidence | None) -> Pattern | None:
    """Say which bound was passed; None when that cannot be told."""
    if one is None:
        return None
    if one.high is not None and one.value > one.high:
        return Pattern.ABOVE
    return Pattern.BELOW if one.low is not None and one.value < one.low else None


def _is_back(pattern: Pattern, one: Evidence) -> bool:
    """Whether a level that had moved is no longer on that side of what was usual before."""
    if pattern is Pattern.RISING:
        return one.high is not None and one.value <= one.high
    return pattern is Pattern.FALLING and one.low is not None and one.value >= one.low


def _against(finding: Finding) -> Against | None:
    return finding.against or AGAINST.get(finding.rule.partition(".")[0])


def _is_far(finding: Finding, one: Evidence) -> bool:
    """Whether a value is far off; of a prescribed limit or a chart, nobody knows what is far."""
    return _against(finding) not in {Against.LIMITS, Against.CHART} and values.is_far(one)
