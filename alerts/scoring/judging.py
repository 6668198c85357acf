"""Can a cell be believed? The judgement of the gateway's door, for the cells of a table."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from alerts.scoring.rows import BadCell
from ingest.readings import ACVPU, SPECS, Original, Refusal, Vital, judge
from ingest.units import conversion, fault

if TYPE_CHECKING:
    from collections.abc import Callable

# Rows that say something of the patient, not of a measurement.
AGE = "age"
PREGNANT = "pregnant"
# Nobody is known to have become older than 122 (J. Calment); room for a mistake of a few years.
OLDEST_AGE = 130
# Times in which a device can have measured something; the registry's years of birth end there too.
FIRST_YEAR, LAST_YEAR = 1900, 2199
# A name as long as this is no name (the identifiers of the registry end here as well).
NAME_LENGTH = 64

_VITALS: dict[str, Vital] = {vital.value: vital for vital in Vital}
_ABSENT = frozenset({"", "nan", "na"})
_FLAGS = {"true": 1.0, "false": 0.0}
_YES_NO = frozenset({0.0, 1.0})
_LETTERS = {letter: float(place) for place, letter in enumerate(ACVPU)}
_CODED = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})


class Measure(NamedTuple):
    """What a row speaks of: a vital (None: an unknown series, or the patient), and its unit.

    `convert` is None when the value comes in the vital's own unit.
    """

    name: str
    vital: Vital | None
    convert: Callable[[float], float] | None = None
    unit: str = ""


class Judged(NamedTuple):
    """A value that can be believed, in the vital's own unit; `quality` as in `Instant`."""

    value: float
    quality: int = 0
    original: Original | None = None


def time(cell: Any) -> datetime | Refusal:
    """Read a time, ISO 8601 with its zone; returns it in UTC.

    >>> time("2026-11-24T04:00:00+01:00")
    datetime.datetime(2026, 11, 24, 3, 0, tzinfo=datetime.timezone.utc)
    >>> time("2026-11-24 04:00"), time("yesterday"), time("")
    (<Refusal.NO_TIME_ZONE: 'no-time-zone'>, <Refusal.BAD_TIME: 'bad-time'>, \
<Refusal.MISSING_TIME: 'missing-time'>)
    """
    if cell is None or cell == "":
        return Refusal.MISSING_TIME
    try:
        found = cell if isinstance(cell, datetime) else datetime.fromisoformat(cell)
        if found.tzinfo is None:
            return Refusal.NO_TIME_ZONE
        if found.tzinfo is not UTC:
            found = found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return Refusal.BAD_TIME
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else Refusal.BAD_TIME


def patient(cell: Any) -> str | None:
    """Read a pseudonym: text, or a whole number; None for anything else.

    >>> patient("p-1"), patient(17), patient(""), patient(1.5)
    ('p-1', '17', None, None)
    """
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    # The sign for bytes that are no UTF-8 could stand for several patients.
    if not isinstance(cell, str) or not cell.strip() or "\ufffd" in cell:
        return None
    return cell


@lru_cache(maxsize=1024)
def measure(name: Any, unit: Any, *, generic: bool = False) -> Measure | BadCell:
    """Say what a row speaks of, by its cells `vital` and `unit`.

    With `generic`, a series that Vigie does not know is one as well, in whatever unit.

    >>> measure("temperature", "[degF]").vital
    <Vital.TEMPERATURE: 'temperature'>
    >>> measure("cpu_load", None)
    BadCell(column='vital', reason=<Refusal.UNKNOWN_VITAL: 'unknown-vital'>)
    """
    vital = _VITALS.get(name) if isinstance(name, str) else None
    given = "" if unit is None else unit
    if vital is None:
        named = isinstance(name, str) and len(name.strip()) > 0 and len(name) <= NAME_LENGTH
        if not named or not (generic or name in {AGE, PREGNANT}):
            return BadCell("vital", Refusal.UNKNOWN_VITAL)
        # UCUM's year; whatever else an age came in, it would be taken for years.
        if name == AGE and given not in {"", "a"}:
            return BadCell("unit", Refusal.UNKNOWN_UNIT)
        return Measure(name, None)
    if not given or given == SPECS[vital].unit:
        return Measure(vital, vital)
    convert = conversion(vital, given) if isinstance(given, str) else None
    if convert is None:
        return BadCell("unit", fault(vital, given) if isinstance(given, str) else _UNIT)
    return Measure(vital, vital, convert, given)


_UNIT = Refusal.UNKNOWN_UNIT


def value(what: Measure, cell: Any) -> Judged | Refusal | None:
    """Read a value and judge it as the gateway would; None: not measured.

    >>> value(measure("spo2", None), "40")
    Judged(value=40.0, quality=1, original=None)
    >>> value(measure("consciousness", ""), "V"), value(measure("spo2", ""), "nan")
    (Judged(value=2.0, quality=0, original=None), None)
    >>> value(measure("spo2", ""), "high")
    <Refusal.NOT_A_NUMBER: 'not-a-number'>
    """
    found = _number(what, cell)
    if found is None or isinstance(found, Refusal):
        return found
    vital = what.vital
    if vital is None:
        return _plain(what.name, found)
    if vital in _CODED and not _code(vital, found):
        return Refusal.UNKNOWN_CODE
    original = None
    if what.convert is not None:
        original, found = Original(found, what.unit), what.convert(found)
    verdict = judge(vital, found)
    if isinstance(verdict, Refusal):
        return verdict
    return Judged(found, int(verdict), original)


def _number(what: Measure, cell: Any) -> float | Refusal | None:
    """Read a finite number out of a cell, whatever its type."""
    if isinstance(cell, bool):
        return float(cell) if _flag(what) else Refusal.NOT_A_NUMBER
    if cell is None:
        return None
    if not isinstance(cell, str | int | float | Decimal):
        return Refusal.NOT_A_NUMBER
    try:
        found = float(cell)
    except ValueError:
        return _word(what, str(cell).strip())
    except OverflowError:
        return Refusal.NOT_FINITE
    if math.isfinite(found):
        # Python reads 1_000 as a thousand; nobody else does.
        return Refusal.NOT_A_NUMBER if isinstance(cell, str) and "_" in cell else found
    return None if math.isnan(found) else Refusal.NOT_FINITE


def _word(what: Measure, text: str) -> float | Refusal | None:
    """Read what is no number: nothing, a letter of consciousness, true or false."""
    if text.lower() in _ABSENT:
        return None
    if what.vital is Vital.CONSCIOUSNESS:
        return _LETTERS.get(text, Refusal.UNKNOWN_CODE)
    return _FLAGS.get(text.lower(), Refusal.UNKNOWN_CODE) if _flag(what) else Refusal.NOT_A_NUMBER


def _flag(what: Measure) -> bool:
    return what.vital is Vital.SUPPLEMENTAL_OXYGEN or what.name == PREGNANT


def _code(vital: Vital, found: float) -> bool:
    """Whether a number is one of a coded vital's: a flag, or a letter's place in ACVPU."""
    return found in (_YES_NO if vital is Vital.SUPPLEMENTAL_OXYGEN else _LETTERS.values())


def _plain(name: str, found: float) -> Judged | Refusal:
    """Judge what is no vital: nothing is known of an unknown series but that it is finite."""
    if name == AGE and not 0 <= found <= OLDEST_AGE:
        return Refusal.OUT_OF_RANGE
    if name == PREGNANT and found not in _YES_NO:
        return Refusal.UNKNOWN_CODE
    return Judged(found)
