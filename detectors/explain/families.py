"""What a family of rules says besides its pattern: points, changes, odds, what is withheld."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.explain import models, times, values
from detectors.explain.observed import (
    MOST_READINGS,
    VITALS,
    Said,
    observed,
    readings,
    reference,
    spoken_of,
)
from detectors.findings import Pattern
from ingest.readings import SPECS

if TYPE_CHECKING:
    from detectors.explain.words import Words
    from detectors.findings import Evidence, Finding

# Vitals whose unit is the percent itself.
PERCENT = frozenset(vital for vital, spec in SPECS.items() if spec.unit == "%")


def news2(words: Words, finding: Finding, rest: str) -> Said:
    """Say the score, whether it is whole, and where its points come from."""
    if finding.score is None:
        return observed(words, finding, rest)
    score = values.number(words, finding.score, 0)
    head = words.news2[1 if finding.missing else 0].format(score=score)
    given = sorted((one for one in finding.evidence if one.points), key=_points, reverse=True)
    named = [values.short(words, one, one.points) for one in given]
    if not named:
        return Said(head, readings(words, finding.evidence))
    shown = values.listed(words, named, MOST_READINGS)
    return Said(head, (words.contributions.format(list=shown),))


def trends(words: Words, finding: Finding, rest: str) -> Said:
    """Say by how much a vital moved between its first reading and its last."""
    subject = spoken_of(finding, rest)
    same = [one for one in finding.evidence if one.vital == subject]
    if subject is None or not same or subject in values.STATES:
        return observed(words, finding, rest)
    first, last = same[0], same[-1]
    if first.value == last.value or first.time >= last.time:
        return observed(words, finding, rest)
    digits = values.decimals(subject, first.value, last.value)
    # Of the two values as they are told, so that the reader's own subtraction agrees.
    change = round(last.value, digits) - round(first.value, digits)
    if subject in PERCENT:  # a fall "by 4 %" could be taken for one from 99 to 95.04 %
        by = words.points[1].format(n=values.number(words, abs(change), digits))
    else:
        by = values.quantity(words, subject, abs(change), digits)
    head = words.trend[0 if change > 0 else 1].format(
        the=values.noun(words, subject).the,
        change=by,
        span=times.span(words, last.time - first.time),
        first=values.number(words, first.value, digits),
        value=values.quantity(words, subject, last.value, digits),
    )
    return Said(head, lasting=True)


def risk(words: Words, finding: Finding, rest: str) -> Said:
    """Say the probability as people picture it, what raises it, and that it is a model's."""
    if finding.score is None:
        return observed(words, finding, rest)
    asked = models.question(words, rest)
    head = words.risk.format(question=asked, odds=models.odds(words, finding.score))
    raised = models.raised(words, finding.parts)
    return Said(head, (words.raised.format(list=raised),) if raised else ())


def artefact(words: Words, finding: Finding, rest: str) -> Said:
    """Say what is wrong with a sensor, and whether its values are judged all the same.

    Values that are withheld are the finding's evidence; believable ones are named in `missing`.
    """
    said = observed(words, finding, rest)
    about = words.withheld if finding.evidence else words.believed
    return _unless_named(words, finding, said._replace(more=(*said.more, about)))


def silence(words: Words, finding: Finding, rest: str) -> Said:
    """Say what has stopped coming or was missed: a vital, or all of a device."""
    if finding.pattern is Pattern.MISSED or any(part in VITALS for part in rest.split(".")):
        return _unless_named(words, finding, observed(words, finding, rest))
    devices = len({one.device for one in finding.evidence})
    vitals = dict.fromkeys(one.vital for one in finding.evidence)
    named = ", ".join(values.noun(words, vital).alone for vital in vitals)
    return Said(words.device_silent[min(devices, 2)].format(n=devices, list=named))


def combined(words: Words, finding: Finding, rest: str) -> Said:
    """Say that several functions of the body are unusual at once."""
    if rest != "agreement":
        return observed(words, finding, rest)
    head = words.several.format(ref=reference(words, finding, None))
    return Said(head, readings(words, finding.evidence))


def _unless_named(words: Words, finding: Finding, said: Said) -> Said:
    """Keep what is missing from being named again where the first sentence does already."""
    head = said.head.lower()
    named = all(values.noun(words, one).alone.lower() in head for one in finding.missing)
    return said._replace(names_missing=named)


def _points(one: Evidence) -> int:
    return one.points or 0
