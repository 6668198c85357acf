"""What was asked of the detectors, and whether the page says plainly that it is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.evaluation.__main__ import PAGE
from tests.evaluation.bounds import MORE, NO_MORE, at_least
from tests.evaluation.demands import DEMANDS, Demand, verdict
from tests.evaluation.page import page as written
from tests.evaluation.record import Kept, Record, read

if TYPE_CHECKING:
    from tests.evaluation.record import Figure


@pytest.mark.parametrize(
    ("figures", "cells"),
    [
        pytest.param(
            {"ours": (0.72, 0.71, 0.73), "theirs": (0.6, 0.5, 0.7)},
            "| plain: 0.600 [0.500, 0.700] | 0.720 [0.710, 0.730] | 0.70: yes | 0.75: **no** |",
            id="kept, and the goal is not reached",
        ),
        pytest.param(
            {"ours": (0.76, 0.69, 0.83), "theirs": (0.6, None, None)},
            "| 0.70: yes (not the whole interval) | 0.75: yes (not the whole interval) |",
            id="reached, but not surely",
        ),
        pytest.param(
            {"ours": (0.5, None, None)},
            "| plain: not measured | 0.500 | 0.70: **no** | 0.75: **no** |",
            id="not reached, and it says so",
        ),
    ],
)
def test_a_demand_says_plainly_whether_it_is_reached(
    figures: dict[str, Figure], cells: str
) -> None:
    asked = Demand(
        "area", {"": "ours"}, {"plain": {"": "theirs"}}, at_least("0.70"), at_least("0.75")
    )
    section = Kept("2026-11-24", "", "A", figures=figures)
    assert cells in written(Record({"one": section}), {"one": (asked,)})


@pytest.mark.parametrize(
    ("ours", "lead", "said"),
    [
        (0.8, 4.0, "more than that: yes"),
        (0.8, 3.0, "more than that: **no** (median lead (h))"),
        (0.6, 4.0, "more than that: **no** (sensitivity)"),
        (0.6, 3.0, "more than that: **no** |"),
    ],
)
def test_more_of_both_is_more_of_each_of_the_two(ours: float, lead: float, said: str) -> None:
    [demand] = [
        one
        for one in DEMANDS["deterioration"]
        if "1 alert per patient-day, told again after 3 h" in one.what
    ]
    [news2] = demand.baselines.values()
    figures: dict[str, Figure] = {
        demand.reached["sensitivity"]: (ours, None, None),
        demand.reached["median lead (h)"]: (lead, None, None),
        news2["sensitivity"]: (0.7, None, None),
        news2["median lead (h)"]: (3.0, None, None),
    }
    section = Kept("2026-11-24", "", "A", figures=figures)
    top = written(Record({"deterioration": section}))
    [row] = [line for line in top.splitlines() if f"| {demand.what} |" in line]
    assert said in row
    assert "NEWS2 >= 5 alone: sensitivity 0.700, median lead (h) 3" in row


def test_the_strictest_baseline_counts() -> None:
    baselines = {"one": {"": "low"}, "other": {"": "high"}}
    figures: dict[str, Figure] = {
        "ours": (0.7, None, None),
        "low": (0.6, None, None),
        "high": (0.8, None, None),
    }
    assert verdict(figures, Demand("", {"": "ours"}, baselines), MORE) == "**no**"
    assert verdict(figures, Demand("", {"": "ours"}, baselines), NO_MORE) == "**no**"


def test_every_demand_is_answered_by_figures_of_the_page_that_is_kept() -> None:
    sections = read(PAGE.with_suffix(".json")).sections
    for task, asked in DEMANDS.items():
        for demand in asked:
            for told in (demand.reached, *demand.baselines.values()):
                assert set(told.values()) <= set(sections[task].figures), demand.what
