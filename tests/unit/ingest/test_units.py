"""UCUM conversions, checked against definitions and tables."""

from __future__ import annotations

import pytest

from ingest.readings import SPECS, Vital
from ingest.units import conversion


@pytest.mark.parametrize(
    ("vital", "unit", "value", "expected"),
    [
        (Vital.TEMPERATURE, "[degF]", 98.6, 37.0),
        (Vital.TEMPERATURE, "[degF]", 32, 0.0),
        (Vital.TEMPERATURE, "K", 310.15, 37.0),
        (Vital.SYSTOLIC, "kPa", 16, 120.01),
        (Vital.WEIGHT, "[lb_av]", 100, 45.359_237),
        (Vital.WEIGHT, "g", 70_500, 70.5),
        (Vital.GLUCOSE, "mmol/L", 5.5, 99.0858),
        (Vital.OXYGEN_FLOW, "mL/min", 2500, 2.5),
        (Vital.HEART_RATE, "{beats}/min", 72, 72),
        (Vital.STEPS, "/d", 4000, 4000),
    ],
)
def test_a_foreign_unit_becomes_the_vital_s_own(
    vital: Vital, unit: str, value: float, expected: float
) -> None:
    convert = conversion(vital, unit)
    assert convert is not None
    assert convert(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("vital", list(Vital))
def test_every_vital_takes_its_own_unit_as_it_is_and_no_nonsense(vital: Vital) -> None:
    convert = conversion(vital, SPECS[vital].unit)
    assert convert is not None
    assert convert(12.5) == 12.5
    assert conversion(vital, "parsec") is None
    assert conversion(vital, "") is None
