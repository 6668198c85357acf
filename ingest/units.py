"""UCUM units in which devices may send a vital, and how each becomes the vital's own unit.

Conversions are those of UCUM and of the molar mass of glucose; the value as it came is kept beside.
Annotations in braces carry no meaning in UCUM: `{beats}/min` is `/min`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.readings import SPECS, Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# 101.325 kPa are 760 mmHg by definition (UCUM: mm[Hg] = 133.3220 Pa).
KPA_TO_MMHG = 7.500_63
POUND = 0.453_592_37  # kg, exact (international yard and pound agreement, 1959)
GLUCOSE = 18.0156  # mg/dL in one mmol/L: molar mass 180.156 g/mol

_ANNOTATION = re.compile(r"\{[^{}]*\}")


def _same(value: float) -> float:
    return value


def _fahrenheit(value: float) -> float:
    return (value - 32) * 5 / 9


def _kelvin(value: float) -> float:
    return value - 273.15


def _kilopascal(value: float) -> float:
    return value * KPA_TO_MMHG


_PRESSURE = {"kPa": _kilopascal}
_OTHER: Mapping[Vital, Mapping[str, Callable[[float], float]]] = MappingProxyType(
    {
        Vital.TEMPERATURE: {"[degF]": _fahrenheit, "K": _kelvin},
        Vital.SYSTOLIC: _PRESSURE,
        Vital.DIASTOLIC: _PRESSURE,
        Vital.MEAN_PRESSURE: _PRESSURE,
        Vital.WEIGHT: {
            "g": lambda value: value / 1000,
            "[lb_av]": lambda value: value * POUND,
        },
        Vital.GLUCOSE: {"mmol/L": lambda value: value * GLUCOSE},
        Vital.STEPS: {"/d": _same, "1/d": _same},
        Vital.OXYGEN_FLOW: {"mL/min": lambda value: value / 1000},
    }
)


def conversion(vital: Vital, unit: str) -> Callable[[float], float] | None:
    """Return how a value in this unit becomes one in the vital's own; None for a foreign unit.

    >>> fahrenheit = conversion(Vital.TEMPERATURE, "[degF]")
    >>> fahrenheit(98.6) if fahrenheit else None
    37.0
    >>> conversion(Vital.TEMPERATURE, "parsec") is None
    True
    """
    plain = _ANNOTATION.sub("", unit)
    own = SPECS[vital].unit
    if unit == own or (plain and plain == _ANNOTATION.sub("", own)):
        return _same
    return _OTHER.get(vital, {}).get(plain)
