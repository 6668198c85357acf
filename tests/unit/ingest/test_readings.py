"""The domain: every vital is defined, ids are stable, limits are two tiers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ingest.readings import SPECS, Quality, Reading, Refusal, Vital, judge, reading_id

MOMENT = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize("vital", list(Vital))
def test_every_vital_has_a_unit_and_suspect_limits_inside_the_hard_ones(vital: Vital) -> None:
    spec = SPECS[vital]
    assert spec.unit
    assert spec.hard.low <= spec.suspect.low < spec.suspect.high <= spec.hard.high


@pytest.mark.parametrize(
    ("vital", "value", "expected"),
    [
        (Vital.RESPIRATORY_RATE, 0, Quality.SUSPECT),
        (Vital.HEART_RATE, 350, Quality.SUSPECT),
        (Vital.HEART_RATE, 351, Refusal.OUT_OF_RANGE),
        (Vital.TEMPERATURE, 37.0, Quality.GOOD),
        (Vital.SPO2, math.nan, Refusal.NOT_FINITE),
        (Vital.WEIGHT, math.inf, Refusal.NOT_FINITE),
    ],
)
def test_whether_a_value_can_be_believed(
    vital: Vital, value: float, expected: Quality | Refusal
) -> None:
    assert judge(vital, value) == expected


def test_the_same_reading_has_the_same_id_in_whatever_zone_its_time_is_written() -> None:
    paris = MOMENT.astimezone(timezone(timedelta(hours=1)))
    one = Reading("p-1", "dev-1", Vital.SPO2, MOMENT, 97, Quality.GOOD, MOMENT)
    assert one.id == reading_id("dev-1", Vital.SPO2, paris)
    assert one.unit == "%"


def test_another_device_vital_or_time_is_another_reading() -> None:
    ids = {
        reading_id("dev-1", Vital.SPO2, MOMENT),
        reading_id("dev-2", Vital.SPO2, MOMENT),
        reading_id("dev-1", Vital.HEART_RATE, MOMENT),
        reading_id("dev-1", Vital.SPO2, MOMENT + timedelta(microseconds=1)),
    }
    assert len(ids) == 4


def test_a_time_without_a_zone_has_no_id() -> None:
    with pytest.raises(ValueError, match="zone"):
        reading_id("dev-1", Vital.SPO2, MOMENT.replace(tzinfo=None))
