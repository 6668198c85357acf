"""Numbers as clinicians write them, in the words of a language."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.readings import ACVPU, SPECS, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.explain.words import Noun, Words
    from detectors.findings import Evidence

# Decimals that a clinician reads; those not named are read as whole numbers.
DECIMALS: Mapping[str, int] = MappingProxyType(
    {Vital.TEMPERATURE: 1, Vital.WEIGHT: 1, Vital.OXYGEN_FLOW: 1}
)
# Vitals whose numbers stand for words.
STATES = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})
# Of a series without a unit that we know, this many digits are read.
SIGNIFICANT = 4
# One decimal more than usual tells a value from a limit that it has passed; learned bounds have any
# number of decimals, which help nobody (engineering choice).
MORE_DECIMALS = 1
# A value is called far off when it is beyond its bound by the whole width of what is usual
# (engineering choice: a word should be worth its ink).
FAR_WIDTHS = 1.0


def noun(words: Words, vital: str) -> Noun:
    """Name a vital, or any other series by its own name."""
    return words.vitals.get(vital) or words.series(vital)


def decimals(vital: str, *values: float) -> int:
    """Say how many decimals tell these values of one vital apart, so far as that makes sense.

    A saturation of 87.6 % below a limit of 88 % is not written "88 %, below 88 %"; a heart rate is
    not written "69 (69.01 to 79.34)".

    >>> decimals("spo2", 85.2, 88.0), decimals("spo2", 87.6, 88.0), decimals("ph", 7.31)
    (0, 1, 3)
    >>> decimals("heart_rate", 69.0, 69.01, 79.34)
    0
    """
    if vital in SPECS:
        least = DECIMALS.get(vital, 0)
    else:
        largest = max(abs(value) for value in values)
        size = 1 + math.floor(math.log10(largest)) if largest > 0 else 1
        least = max(0, SIGNIFICANT - max(size, 1))
    distinct = set(values)
    for digits in range(least, least + MORE_DECIMALS + 1):
        if len({f"{value:.{digits}f}" for value in distinct}) == len(distinct):
            return digits
    return least


def number(words: Words, value: float, digits: int = 2) -> str:
    """Write a number without needless digits.

    >>> from detectors.explain.words_fr import FRENCH
    >>> number(FRENCH, 39.4), number(FRENCH, 88.0), number(FRENCH, -0.001, 1)
    ('39,4', '88', '0')
    """
    written = f"{value:.{digits}f}"
    if digits:
        written = written.rstrip("0").rstrip(".")
    return "0" if written == "-0" else written.replace(".", words.decimal)


def quantity(words: Words, vital: str, value: float, digits: int | None = None) -> str:
    """Write a value with its unit, or as a word where it stands for one.

    >>> from detectors.explain.words_fr import FRENCH
    >>> quantity(FRENCH, Vital.TEMPERATURE, 39.4), quantity(FRENCH, Vital.CONSCIOUSNESS, 2)
    ('39,4 °C', 'réagit à la voix')
    """
    if vital == Vital.CONSCIOUSNESS:
        return words.consciousness[ACVPU[min(max(round(value), 0), len(ACVPU) - 1)]]
    if vital == Vital.SUPPLEMENTAL_OXYGEN:
        return words.yes_no[0 if value else 1]
    digits = decimals(vital, value) if digits is None else digits
    return number(words, value, digits) + _unit(words, vital)


def bounds(
    words: Words, vital: str, low: float | None, high: float | None, digits: int | None = None
) -> str:
    """Write what was expected; empty when no bound is known.

    >>> from detectors.explain.words_en import ENGLISH
    >>> bounds(ENGLISH, Vital.SPO2, 96, None), bounds(ENGLISH, Vital.HEART_RATE, 51, 90)
    ('at least 96%', '51 to 90/min')
    """
    if digits is None:
        digits = decimals(vital, *_known(low, high)) if _known(low, high) else 0
    both, least, most = words.bounds
    if low is not None and high is not None:
        if low == high:
            return quantity(words, vital, low, digits)
        first = quantity(words, vital, low) if vital in STATES else number(words, low, digits)
        return both.format(low=first, high=quantity(words, vital, high, digits))
    if low is not None:
        return least.format(low=quantity(words, vital, low, digits))
    return "" if high is None else most.format(high=quantity(words, vital, high, digits))


def digits(one: Evidence) -> int:
    """Say how many decimals a reading is written with, beside a bound that it has passed."""
    low = one.low if one.low is not None and one.value < one.low else None
    high = one.high if one.high is not None and one.value > one.high else None
    return decimals(one.vital, one.value, *_known(low, high))


def is_far(one: Evidence) -> bool:
    """Whether a reading is beyond its bound by the whole width of what is usual."""
    if one.low is None or one.high is None or one.high <= one.low:
        return False
    width = FAR_WIDTHS * (one.high - one.low)
    return one.value >= one.high + width or one.value <= one.low - width


def short(words: Words, one: Evidence, points: int | None = None) -> str:
    """Write a reading with what was expected, without a verb.

    >>> from datetime import UTC, datetime
    >>> from detectors.explain.words_en import ENGLISH
    >>> from detectors.findings import Evidence
    >>> night = datetime(2026, 11, 24, 3, tzinfo=UTC)
    >>> short(ENGLISH, Evidence(Vital.SPO2, 88.0, night, "dev-1", low=96.0), points=3)
    'oxygen saturation (SpO2) 88% (expected: at least 96%; 3 points)'
    """
    name = noun(words, one.vital).alone
    gap = words.colon if one.vital in STATES else " "
    value = f"{name}{gap}{quantity(words, one.vital, one.value, digits(one))}"
    aside = beside(words, one, points)
    return f"{value} ({aside})" if aside else value


def beside(words: Words, one: Evidence, points: int | None) -> str:
    """Write what was expected of a reading and the points it gave; empty when neither is known."""
    said = []
    if expected := bounds(words, one.vital, one.low, one.high, digits(one)):
        said.append(words.expected.format(bounds=expected))
    if points is not None:
        said.append(words.points[0 if abs(points) <= 1 else 1].format(n=points))
    return words.semicolon.join(said)


def listed(words: Words, items: Sequence[str], most: int) -> str:
    """Join items by commas, those above `most` by their number alone.

    >>> from detectors.explain.words_en import ENGLISH
    >>> listed(ENGLISH, ["a", "b", "c"], 3), listed(ENGLISH, ["a", "b", "c"], 1)
    ('a, b, c', 'a, 2 more')
    """
    kept, left = list(items[:most]), len(items) - most
    if left > 0:
        kept.append(words.more[0 if left == 1 else 1].format(n=left))
    return ", ".join(kept)


def _known(*values: float | None) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)


def _unit(words: Words, vital: str) -> str:
    return words.units[SPECS[Vital(vital)].unit] if vital in SPECS else ""
