"""What a risk model says, in words: its probability, and what it rests on."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from detectors.explain import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.explain.words import Words
    from detectors.findings import Part

# Odds that people can picture. A probability is read as the nearest; beyond the ends it is less or
# more than that.
ODDS = tuple(
    Fraction(k, n)
    for k, n in (
        *((1, 100), (1, 50), (1, 30), (1, 20), (1, 15), (1, 10), (1, 8), (1, 6), (1, 5)),
        *((1, 4), (1, 3), (2, 5), (1, 2), (3, 5), (2, 3), (3, 4), (4, 5), (9, 10)),
    )
)
# So many contributions are named.
MOST_PARTS = 3


def odds(words: Words, probability: float) -> str:
    """Write a probability as people picture it.

    >>> from detectors.explain.words_en import ENGLISH
    >>> [odds(ENGLISH, p) for p in (0.001, 0.19, 0.97)]
    ['less than 1 in 100', 'about 1 in 5', 'more than 9 in 10']
    """
    about, less, more, ratio = words.odds
    nearest = min(ODDS, key=lambda one: abs(float(one) - probability))
    written = ratio.format(k=nearest.numerator, n=nearest.denominator)
    if probability < ODDS[0]:
        return less.format(odds=written)
    return (more if probability > ODDS[-1] else about).format(odds=written)


def question(words: Words, name: str) -> str:
    """Name what a model was asked; a question that has no words is named as it is."""
    return words.questions.get(name) or words.question.format(name=plain(name))


def raised(words: Words, parts: Sequence[Part]) -> str:
    """Name the largest contributions that speak for concern; empty when none does."""
    largest = sorted((one for one in parts if one.weight > 0), key=lambda one: -one.weight)
    names = list(dict.fromkeys(feature(words, one.name) for one in largest))
    return ", ".join(names[:MOST_PARTS])


def feature(words: Words, name: str) -> str:
    """Name a model's input: a vital, and what was made of it; else its name without signs.

    >>> from detectors.explain.words_en import ENGLISH
    >>> feature(ENGLISH, "heart_rate.mean3h"), feature(ENGLISH, "news2"), feature(ENGLISH, "a_b.c")
    ('heart rate (mean of the last 3 h)', 'NEWS2 score', 'a b, c')
    """
    subject, _, made = name.partition(".")
    if subject in words.vitals:
        called = values.noun(words, subject).alone
    else:
        called = words.features.get(subject) or plain(subject)
    if not made:
        return called
    said = statistic(words, made)
    return f"{called} ({said})" if said else f"{called}, {plain(made)}"


def statistic(words: Words, made: str) -> str:
    """Name what was made of a vital; empty when it has no words."""
    for pattern, said in words.statistics:
        if found := re.fullmatch(pattern, made):
            return said.format(*(one.replace(".", words.decimal) for one in found.groups()))
    return ""


def plain(name: str) -> str:
    """Write an identifier as words."""
    return re.sub(r"[_.\-]+", " ", name).strip()
