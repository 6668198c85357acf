"""What the risk models look at: physiology, and nothing of the pattern of care."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.risk.features import (
    FEATURES,
    MEAN,
    NAMES,
    PLACES,
    RECENT,
    STEP,
    VALUE,
    WATCHED,
    taken,
    vector,
)

if TYPE_CHECKING:
    from detectors.risk.features import Known

RATE = PLACES["heart_rate"]


def after(hours: list[float], values: list[float], place: int = RATE) -> Known:
    known: Known = []
    for hour, value in zip(hours, values, strict=True):
        known = taken(place, known, 3600 * hour, value, 0)
    return known


def alone(known: Known, place: int = RATE) -> dict[str, float | None]:
    every: list[Known] = [[] for _ in WATCHED]
    every[place] = known
    return dict(zip(NAMES, vector(every), strict=True))


def test_the_names_are_unique_and_say_nothing_of_time_or_counts() -> None:
    assert len(set(NAMES)) == len(NAMES)
    statistics = {one.partition(".")[2].split("_")[0] for one in NAMES}
    assert statistics == {"now", "above", "mean24h", "spread24h", "outside"}
    assert {one.group for one in FEATURES} >= {"heart_rate.now", "heart_rate.mean3h"}


def test_a_vital_that_never_came_has_no_feature() -> None:
    found = alone(after([0.0], [80.0]))
    assert all(
        (value is None) == (not name.startswith("heart_rate.")) or name.endswith("spread24h")
        for name, value in found.items()
    )


@given(
    st.lists(st.floats(0.02, 30.0), min_size=1, max_size=30),
    st.sampled_from([45.0, 72.0, 95.0, 124.0]),
)
def test_the_same_value_gives_the_same_features_however_often_it_was_measured(
    gaps: list[float], value: float
) -> None:
    hours = [0.0]
    for gap in gaps:
        hours.append(hours[-1] + gap)
    once, often = alone(after([0.0], [value])), alone(after(hours, [value] * len(hours)))
    for name in NAMES:
        if name == "heart_rate.spread24h":
            assert often[name] == 0.0
        elif once[name] is not None:
            assert often[name] == pytest.approx(once[name])


def test_averages_of_exchangeable_values_do_not_drift_with_the_number_of_readings() -> None:
    random = Random(7)
    early, late = [], []
    for _ in range(1500):
        values = [random.choice([60.0, 80.0, 100.0, 120.0]) for _ in range(24)]
        hours = [float(n) for n in range(24)]
        early.append(alone(after(hours[:2], values[:2])))
        late.append(alone(after(hours, values)))
    for name in (
        "heart_rate.mean24h",
        "heart_rate.spread24h",
        "heart_rate.outside_above_90_3h",
        "heart_rate.outside_above_90_24h",
        "heart_rate.outside_news2_3h",
    ):
        first = sum(one[name] or 0.0 for one in early) / len(early)
        last = sum(one[name] or 0.0 for one in late) / len(late)
        assert last == pytest.approx(first, rel=0.06), name


def test_an_hour_between_readings_lets_the_newest_stand_for_itself() -> None:
    known = after([0.0, 1.0], [80.0, 100.0])
    assert known[VALUE] == 100.0
    assert known[RECENT] == pytest.approx(98.75)
    assert known[STEP] == 20.0


def test_after_a_year_only_the_new_value_counts() -> None:
    known = after([0.0, 1.0, 9000.0], [150.0, 150.0, 70.0])
    assert known[RECENT] == known[MEAN] == 70.0


def test_taking_in_changes_nothing_that_was_known() -> None:
    known = after([0.0, 1.0], [80.0, 90.0])
    kept = list(known)
    taken(RATE, known, 7200.0, 130.0, 0)
    assert known == kept


def test_news2_points_are_those_of_the_chart() -> None:
    for value, points in ((40.0, 3), (50.0, 1), (70.0, 0), (91.0, 1), (131.0, 3)):
        assert alone(after([0.0], [value]))["heart_rate.outside_news2_3h"] == points
    pressure = PLACES["diastolic"]
    assert "diastolic.outside_news2_3h" not in alone(after([0.0], [30.0], pressure), pressure)
