"""UCUM conversions, checked against definitions and tables."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.readings import SPECS, Vital
from ingest.units import contradicts, conversion, taken


@pytest.mark.parametrize(
    ("vital", "unit", "value", "expected"),
    [
        (Vital.TEMPERATURE, "[degF]", 98.6, 37.0),
        (Vital.TEMPERATURE, "[degF]", 32, 0.0),
        (Vital.TEMPERATURE, "K", 310.15, 37.0),
        (Vital.SYSTOLIC, "kPa", 16, 120.010_201),
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


@pytest.mark.parametrize(
    ("vital", "unit", "value", "expected"),
    [
        (Vital.TEMPERATURE, "[degF]", 98.6, 37.0),
        (Vital.TEMPERATURE, "[degF]", 100.4, 38.0),
        (Vital.TEMPERATURE, "K", 310.15, 37.0),
        (Vital.GLUCOSE, "kg/L", 0.00096, 96.0),
        (Vital.GLUCOSE, "g/L", 1.1, 110.0),
        (Vital.GLUCOSE, "mol/L", 0.0055, 99.0858),
        (Vital.SPO2, "1", 0.97, 97.0),
        (Vital.WEIGHT, "g", 70_300, 70.3),
        (Vital.WEIGHT, "[lb_av]", 154.3, 69.989_302_691),
        (Vital.OXYGEN_FLOW, "mL/min", 2500, 2.5),
    ],
)
def test_a_decimal_becomes_the_decimal_that_one_would_write(
    vital: Vital, unit: str, value: float, expected: float
) -> None:
    convert = conversion(vital, unit)
    assert convert is not None
    assert convert(value) == expected


FOREIGN = [(vital, unit) for vital in Vital for unit in taken(vital) if unit != SPECS[vital].unit]


@given(which=st.sampled_from(FOREIGN), share=st.floats(0, 1))
def test_a_conversion_can_be_undone(which: tuple[Vital, str], share: float) -> None:
    vital, unit = which
    convert = conversion(vital, unit)
    assert convert is not None
    zero = Fraction(convert(0.0))
    slope = (Fraction(convert(2.0**20)) - zero) / 2**20
    low, high = SPECS[vital].hard
    own = low + share * (high - low)
    given_value = float((Fraction(own) - zero) / slope)
    assert convert(given_value) == pytest.approx(own, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("vital", "unit"),
    [
        (Vital.HEART_RATE, "1/min"),
        (Vital.HEART_RATE, "min-1"),
        (Vital.RESPIRATORY_RATE, "{breaths}/min"),
        (Vital.GLUCOSE, "mg/dl"),
        (Vital.OXYGEN_FLOW, "l/min"),
        (Vital.STEPS, "{steps}/d"),
    ],
)
def test_another_spelling_of_ucum_is_the_same_unit(vital: Vital, unit: str) -> None:
    convert = conversion(vital, unit)
    assert convert is not None
    assert convert(12.5) == 12.5


@pytest.mark.parametrize(
    ("vital", "unit"),
    [
        (Vital.HEART_RATE, "bpm"),
        (Vital.HEART_RATE, "beats/min"),
        (Vital.SYSTOLIC, "mmHg"),
        (Vital.TEMPERATURE, "C"),
        (Vital.TEMPERATURE, "F"),
        (Vital.WEIGHT, "lb"),
        (Vital.SPO2, "{percent}"),
        (Vital.SPO2, "{" * 5000),
    ],
)
def test_what_is_no_ucum_is_no_unit(vital: Vital, unit: str) -> None:
    assert conversion(vital, unit) is None
    assert not contradicts(vital, unit)


def test_a_unit_of_something_else_contradicts_the_vital() -> None:
    assert contradicts(Vital.HEART_RATE, "mm[Hg]")
    assert contradicts(Vital.DIASTOLIC, "{beats}/min")
    assert contradicts(Vital.TEMPERATURE, "%")
    assert not contradicts(Vital.TEMPERATURE, "[degF]")


@pytest.mark.parametrize("which", FOREIGN)
def test_what_is_no_number_stays_none_and_nothing_raises(which: tuple[Vital, str]) -> None:
    convert = conversion(*which)
    assert convert is not None
    assert math.isnan(convert(math.nan))
    assert convert(math.inf) == math.inf
    for extreme in (1.7e308, -1.7e308, 5e-324, -0.0, 1e300):
        assert isinstance(convert(extreme), float)
