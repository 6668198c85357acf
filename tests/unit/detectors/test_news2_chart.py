"""NEWS2 as the Royal College of Physicians printed it (2017, chart 1), edge by edge."""

from __future__ import annotations

import pytest

from detectors.findings import Priority
from detectors.news2_chart import CHART, score
from ingest.readings import ACVPU, Vital

WELL = {
    Vital.RESPIRATORY_RATE: 15.0,
    Vital.SPO2: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: 0.0,
    Vital.SYSTOLIC: 120.0,
    Vital.HEART_RATE: 70.0,
    Vital.TEMPERATURE: 37.0,
    Vital.CONSCIOUSNESS: 0.0,
}


@pytest.mark.parametrize(
    ("vital", "value", "points"),
    [
        *((Vital.RESPIRATORY_RATE, v, 3) for v in (0, 8, 25, 60)),
        *((Vital.RESPIRATORY_RATE, v, 1) for v in (8.5, 9, 11)),
        *((Vital.RESPIRATORY_RATE, v, 0) for v in (11.5, 12, 20)),
        *((Vital.RESPIRATORY_RATE, v, 2) for v in (20.5, 21, 24)),
        (Vital.RESPIRATORY_RATE, 24.5, 3),
        *((Vital.SPO2, v, 3) for v in (0, 91)),
        *((Vital.SPO2, v, 2) for v in (91.5, 92, 93)),
        *((Vital.SPO2, v, 1) for v in (93.5, 94, 95)),
        *((Vital.SPO2, v, 0) for v in (95.5, 96, 100)),
        *((Vital.SYSTOLIC, v, 3) for v in (0, 90, 219.5, 220, 300)),
        *((Vital.SYSTOLIC, v, 2) for v in (90.5, 91, 100)),
        *((Vital.SYSTOLIC, v, 1) for v in (100.5, 101, 110)),
        *((Vital.SYSTOLIC, v, 0) for v in (110.5, 111, 219)),
        *((Vital.HEART_RATE, v, 3) for v in (0, 40, 130.5, 131, 250)),
        *((Vital.HEART_RATE, v, 1) for v in (40.5, 41, 50, 90.5, 91, 110)),
        *((Vital.HEART_RATE, v, 0) for v in (50.5, 51, 90)),
        *((Vital.HEART_RATE, v, 2) for v in (110.5, 111, 130)),
        *((Vital.TEMPERATURE, v, 3) for v in (30, 35.0, 35.04)),
        *((Vital.TEMPERATURE, v, 1) for v in (35.06, 35.1, 36.0, 36.04, 38.06, 38.1, 39.0, 39.04)),
        *((Vital.TEMPERATURE, v, 0) for v in (36.06, 36.1, 38.0, 38.04)),
        *((Vital.TEMPERATURE, v, 2) for v in (39.06, 39.1, 42)),
        *((Vital.CONSCIOUSNESS, ACVPU.index(letter), 3) for letter in "CVPU"),
        (Vital.CONSCIOUSNESS, ACVPU.index("A"), 0),
        (Vital.SUPPLEMENTAL_OXYGEN, 1, 2),
        (Vital.SUPPLEMENTAL_OXYGEN, 0, 0),
    ],
)
def test_each_band_gives_its_points(vital: Vital, value: float, points: int) -> None:
    assert score(WELL | {vital: float(value)}).total == points
    assert score({vital: float(value)}).points == ((vital, points),)


@pytest.mark.parametrize(
    ("value", "on_air", "on_oxygen"),
    [
        *((v, 3, 3) for v in (70, 83)),
        *((v, 2, 2) for v in (83.5, 84, 85)),
        *((v, 1, 1) for v in (85.5, 86, 87)),
        *((v, 0, 0) for v in (87.5, 88, 92)),
        *((v, 0, 1) for v in (92.5, 93, 94)),
        *((v, 0, 2) for v in (94.5, 95, 96)),
        *((v, 0, 3) for v in (96.5, 97, 100)),
    ],
)
def test_scale_2_asks_whether_oxygen_is_given(value: float, on_air: int, on_oxygen: int) -> None:
    air = WELL | {Vital.SPO2: float(value)}
    assert score(air, scale=2).total == on_air
    assert score(air | {Vital.SUPPLEMENTAL_OXYGEN: 1.0}, scale=2).total == 2 + on_oxygen


@pytest.mark.parametrize(
    ("oxygen", "expected"),
    [
        pytest.param({Vital.OXYGEN_FLOW: 2.0}, (Vital.OXYGEN_FLOW, 2), id="a flow is oxygen"),
        pytest.param({Vital.OXYGEN_FLOW: 0.0}, (Vital.OXYGEN_FLOW, 0), id="no flow is air"),
        pytest.param(
            {Vital.OXYGEN_FLOW: 2.0, Vital.SUPPLEMENTAL_OXYGEN: 0.0},
            (Vital.OXYGEN_FLOW, 2),
            id="either of the two is enough",
        ),
        pytest.param(
            {Vital.OXYGEN_FLOW: 0.0, Vital.SUPPLEMENTAL_OXYGEN: 1.0},
            (Vital.SUPPLEMENTAL_OXYGEN, 2),
            id="either of the two is enough, the other way",
        ),
    ],
)
def test_when_a_patient_is_on_oxygen(
    oxygen: dict[Vital, float], expected: tuple[Vital, int]
) -> None:
    assert score(oxygen).points == (expected,)
    assert Vital.SUPPLEMENTAL_OXYGEN not in score(oxygen).missing


def test_the_worst_total_is_20() -> None:
    worst = {
        Vital.RESPIRATORY_RATE: 30.0,
        Vital.SPO2: 80.0,
        Vital.SUPPLEMENTAL_OXYGEN: 1.0,
        Vital.SYSTOLIC: 80.0,
        Vital.HEART_RATE: 140.0,
        Vital.TEMPERATURE: 34.0,
        Vital.CONSCIOUSNESS: 4.0,
    }
    assert score(worst).total == 20


def test_nothing_known_is_unknown_and_not_zero() -> None:
    nothing = score({})
    assert nothing.total is None
    assert nothing.missing == CHART
    assert nothing.priority is None


def test_what_is_missing_is_named_in_the_order_of_the_chart() -> None:
    known = {Vital.TEMPERATURE: 39.5, Vital.SPO2: 95.0}
    assert score(known).total == 3
    assert score(known).missing == tuple(v for v in CHART if v not in known)


def test_a_pulse_from_the_finger_stands_in_for_the_heart_rate_only_when_that_is_missing() -> None:
    pulse = {Vital.PULSE_RATE: 135.0}
    assert score(pulse).points == ((Vital.PULSE_RATE, 3),)
    assert Vital.HEART_RATE not in score(pulse).missing
    assert score(pulse | {Vital.HEART_RATE: 70.0}).total == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, None, id="well: nobody"),
        pytest.param({Vital.SPO2: 93.0, Vital.RESPIRATORY_RATE: 22.0}, None, id="4: nobody"),
        pytest.param({Vital.SPO2: 91.0}, Priority.MEDIUM, id="3 by one vital: medium"),
        pytest.param(
            {Vital.SPO2: 93.0, Vital.RESPIRATORY_RATE: 22.0, Vital.HEART_RATE: 100.0},
            Priority.MEDIUM,
            id="5: medium",
        ),
        pytest.param(
            {Vital.SPO2: 93.0, Vital.RESPIRATORY_RATE: 22.0, Vital.HEART_RATE: 120.0},
            Priority.MEDIUM,
            id="6: medium",
        ),
        pytest.param(
            {Vital.SPO2: 91.0, Vital.RESPIRATORY_RATE: 22.0, Vital.HEART_RATE: 120.0},
            Priority.HIGH,
            id="7: high",
        ),
    ],
)
def test_how_soon_a_human_must_look(values: dict[Vital, float], expected: Priority | None) -> None:
    assert score(WELL | values).priority is expected
