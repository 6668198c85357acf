"""How a letter in French writes a reading and a moment, in the words of the explanations. Pure."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from detectors.explain import values
from detectors.explain.words_fr import FRENCH, PARIS

if TYPE_CHECKING:
    from datetime import datetime

    from detectors.findings import Evidence


def evidence(one: Evidence, told: datetime) -> str:
    """Write one reading: what, how much, against what was expected, and when.

    `told` is the moment of the letter: a reading of another day has its date.
    """
    digits = values.digits(one)
    value = values.quantity(FRENCH, one.vital, one.value, digits)
    aside = values.beside(FRENCH, one, one.points)
    local = one.time.astimezone(PARIS)
    clock = f"à {local:%H:%M:%S}"
    if local.date() != told.astimezone(PARIS).date():
        clock = f"le {local:%d/%m/%Y} {clock}"
    said = f"{values.noun(FRENCH, one.vital).alone} : {value}"
    return f"{said} ({aside}) {clock}" if aside else f"{said} {clock}"


def moment(time: datetime) -> str:
    """Write a moment in French legal time, with the zone's name, and in UTC.

    >>> from datetime import datetime
    >>> moment(datetime(2026, 11, 24, 3, 0, 7, tzinfo=UTC))
    '24/11/2026 à 04:00:07 (heure de Paris, CET), 24/11/2026 à 03:00:07 UTC'
    """
    day = "%d/%m/%Y à %H:%M:%S"
    local = time.astimezone(PARIS)
    return f"{local:{day}} (heure de Paris, {local:%Z}), {time.astimezone(UTC):{day}} UTC"
