"""UCUM units in which devices may send a vital, and how each becomes the vital's own unit.

Conversions follow UCUM (version 2.2, tables of base and customary units) and the molar mass of
glucose. They are computed in decimal, from the shortest decimal that the value stands for, so that
98.6 [degF] is 37.0 Cel and no 36.99999999999999. The value as it came is kept beside.
Annotations in braces carry no meaning in UCUM: `{beats}/min` is `/min`.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.readings import SPECS, Refusal, Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# UCUM: a metre of mercury is 133.3220 kPa (a conventional mmHg is 133.322387415 Pa: 3e-6 more).
MMHG_PASCAL = "133.322"
# UCUM: [lb_av]; exact by the international yard and pound agreement of 1959.
POUND_KG = "0.45359237"
# C6H12O6 is 180.156 g/mol (IUPAC's abridged atomic weights: C 12.011, H 1.008, O 15.999).
GLUCOSE_GRAM = "180.156"
# UCUM: Cel and [degF] are measured from other zeros than K.
KELVIN_OF_0_CEL, DEGF_OF_0_CEL = "273.15", "32"

# More digits than a double has, no limits of the exponent that it could meet, and nothing raises:
# what is infinite or no number stays so, to be refused by whoever judges the value.
_decimal = Context(prec=40, Emax=9999, Emin=-9999, traps=[])
_ANNOTATION = re.compile(r"\{[^{}]*\}")


def _same(value: float) -> float:
    return value


def _linear(up: str, down: str = "1", zero: str = "0") -> Callable[[float], float]:
    """Return `(value - zero) * up / down`, rounded once."""
    numerator, denominator, origin = Decimal(up), Decimal(down), Decimal(zero)

    def convert(value: float) -> float:
        given = Decimal(repr(float(value)))
        moved = _decimal.multiply(_decimal.subtract(given, origin), numerator)
        return float(_decimal.divide(moved, denominator))

    return convert


_Conversions = dict[str, "Callable[[float], float]"]

_PER_MINUTE: _Conversions = {"/min": _same, "1/min": _same, "min-1": _same}
_PRESSURE: _Conversions = {
    "mm[Hg]": _same,
    "kPa": _linear("1000", MMHG_PASCAL),
    "Pa": _linear("1", MMHG_PASCAL),
}
_SHARE: _Conversions = {"%": _same, "1": _linear("100")}
_BY_MASS: _Conversions = {
    "mg/dL": _same,
    "mg/dl": _same,
    "mg/L": _linear("1", "10"),
    "mg/mL": _linear("100"),
    "g/L": _linear("100"),
    "kg/L": _linear("100000"),  # Bluetooth's
}
_BY_AMOUNT: _Conversions = {
    "mmol/L": _linear(GLUCOSE_GRAM, "10"),
    "mmol/l": _linear(GLUCOSE_GRAM, "10"),
    "mol/L": _linear(GLUCOSE_GRAM + "e2"),  # Bluetooth's
}
_TAKEN: Mapping[Vital, _Conversions] = MappingProxyType(
    {
        Vital.HEART_RATE: _PER_MINUTE,
        Vital.PULSE_RATE: _PER_MINUTE,
        Vital.RESPIRATORY_RATE: _PER_MINUTE,
        Vital.SPO2: _SHARE,
        Vital.TEMPERATURE: {
            "Cel": _same,
            "[degF]": _linear("5", "9", DEGF_OF_0_CEL),
            "K": _linear("1", "1", KELVIN_OF_0_CEL),
        },
        Vital.SYSTOLIC: _PRESSURE,
        Vital.DIASTOLIC: _PRESSURE,
        Vital.MEAN_PRESSURE: _PRESSURE,
        Vital.WEIGHT: {
            "kg": _same,
            "g": _linear("1", "1000"),
            "[lb_av]": _linear(POUND_KG),
        },
        Vital.GLUCOSE: {**_BY_MASS, **_BY_AMOUNT},
        Vital.STEPS: {"1/(24.h)": _same, "/d": _same, "1/d": _same, "d-1": _same, "/(24.h)": _same},
        Vital.OXYGEN_FLOW: {
            "L/min": _same,
            "l/min": _same,
            "mL/min": _linear("1", "1000"),
            "ml/min": _linear("1", "1000"),
        },
        Vital.SUPPLEMENTAL_OXYGEN: {"1": _same},
        Vital.CONSCIOUSNESS: {"{ACVPU}": _same},
        Vital.BATTERY: _SHARE,
    }
)
_ANY = frozenset(unit for units in _TAKEN.values() for unit in units)


def conversion(vital: Vital, unit: str) -> Callable[[float], float] | None:
    """Return how a value in this unit becomes one in the vital's own; None for a foreign unit.

    The function never raises: an infinity stays one.

    >>> fahrenheit = conversion(Vital.TEMPERATURE, "[degF]")
    >>> fahrenheit(98.6) if fahrenheit else None
    37.0
    >>> conversion(Vital.TEMPERATURE, "parsec") is None
    True
    """
    taken = _TAKEN[vital]
    found = taken.get(unit)
    if found is None and "{" in unit:
        found = taken.get(plain(unit))
    return found


def contradicts(vital: Vital, unit: str) -> bool:
    """Whether a unit is one we know, but of something else: "mm[Hg]" of a heart rate.

    Then the code or the unit is wrong, and nobody can tell which.

    >>> contradicts(Vital.HEART_RATE, "mm[Hg]"), contradicts(Vital.HEART_RATE, "parsec")
    (True, False)
    """
    return conversion(vital, unit) is None and (unit in _ANY or plain(unit) in _ANY)


def fault(vital: Vital, unit: str) -> Refusal:
    """Say why a unit is refused that a vital has no `conversion` from.

    >>> fault(Vital.HEART_RATE, "mm[Hg]")
    <Refusal.UNIT_CONTRADICTS_CODE: 'unit-contradicts-code'>
    """
    return Refusal.UNIT_CONTRADICTS_CODE if contradicts(vital, unit) else Refusal.UNKNOWN_UNIT


def taken(vital: Vital) -> tuple[str, ...]:
    """List the UCUM codes in which a device may send this vital, its own unit first."""
    own = SPECS[vital].unit
    return (own, *(unit for unit in _TAKEN[vital] if unit != own))


def plain(unit: str) -> str:
    """Return a unit without its annotations, which carry no meaning.

    >>> plain("{beats}/min")
    '/min'
    """
    return _ANNOTATION.sub("", unit) if "{" in unit else unit
