"""Deterioration in intensive care: the risk model against NEWS2 and plain thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detectors.evaluation.budgets import Alarms, AtThreshold
from detectors.evaluation.labelled import Labelled, events, labelled
from detectors.evaluation.measure import Figure
from detectors.risk.training import Plan
from tests.evaluation.report import Section
from tests.evaluation.risk_compared import (
    ASKED,
    REPLICATES,
    SEED,
    WATCHED,
    Hours,
    crossed,
    hours,
    judged,
    written,
)
from tests.evaluation.risk_tables import BELOW, HOURS, REACHED, Stay, table_rows

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

PLAN = Plan("deterioration", "", "", penalty=0.001)
MUST, GOAL = 0.80, 0.83
METHOD = """\
PhysioNet 2019: NEWS2 (carried forward, what is missing gives no points) of 7 or more within the
next 6 h, asked in hours with NEWS2 below 5, never 7 or more before, at least 6 h into the stay. The
model is fitted four times to three quarters of the patients and judged on the rest (`vigie train
deterioration`, penalty 0.001, seed 7); it learns from hours with a NEWS2 of 5 or 6 too. Alarms are
compared over all hours before the first NEWS2 of 7, as `NEWS2 >= 5` speaks in those with 5 or 6
only: an hour at or above a threshold is an alert unless the same patient had one within the
refractory time (three of them are shown), an event is found by an alert in the 6 h before it, the
lead is from the first such alert. Intervals: 95 %, by drawing patients 500 times."""
# How soon a team is told again, in hours: each hour, in the middle, once within the horizon.
REFRACTORY = (1.0, 3.0, 6.0)


class Alarmed(NamedTuple):
    """What a threshold gives; `lead` in hours, median over the events that were found."""

    rate: float
    sensitivity: Figure
    lead: Figure


def run(recordings: Path, console: Console) -> Section:
    """Cross-validate the model and compare it."""
    console.print("deterioration: following the patients")
    found = hours(recordings, _asked, mean=3)
    console.print("deterioration: cross-validation")
    by = crossed(found, PLAN, lambda: table_rows(recordings, "deterioration"))
    console.print("deterioration: intervals")
    figures = judged(found, by.risk, PLAN).scores
    section = Section(
        title="Deterioration (PhysioNet 2019)",
        question="Does `risk.deterioration` foretell a NEWS2 of 7 while it is below 5?",
        method=METHOD,
        header=("score", "AUROC", "AUPRC", "alerts per day", "sensitivity", "median lead, h"),
    )
    for name, one in figures.items():
        section.rows.append((name, written(one.auroc), written(one.auprc), "", "", ""))
        key = name.replace(" ", "_")
        section.figures[f"auroc.{key}"] = (one.auroc.value or 0.0, one.auroc.low, one.auroc.high)
    section.figures["pattern"] = (by.pattern, None, None)
    _alarms(section, found, by.risk)
    ours = figures["risk"].auroc.value or 0.0
    folds = ", ".join(f"{one:.3f}" for one in by.by_fold)
    said = "and is kept" if ours >= MUST else "and is NOT reached"
    hoped = "is reached" if ours >= GOAL else "is not reached"
    section.verdict = (
        f"AUROC {ours:.3f} (folds: {folds}); {MUST} was asked for, {said}; {GOAL}, hoped for,"
        f" {hoped}. On values that were dealt out anew, so that only the pattern of measurements is"
        f" left, the model has {by.pattern:.3f} (0.5: the pattern tells nothing)."
        f" {_compared(section)}"
    )
    return section


def _alarms(section: Section, found: Hours, risk: Any) -> None:
    """Compare alarms at NEWS2 >= 5, at as many by the model, and at one a day by either."""
    part = found.watched
    mean = "NEWS2, mean of 3 h"
    data = labelled(
        np.array([f"{one:08d}" for one in found.features.whose[part]]),
        found.features.at[part],
        found.features.labels[part] == 1,
        {"NEWS2": found.others["NEWS2"][part], mean: found.others[mean][part], "risk": risk[part]},
    )
    runs = events(data)
    for hours_ in REFRACTORY:
        alarms = {name: Alarms(data, score, runs, hours_) for name, score in data.scores.items()}
        fives = alarms["NEWS2"].at(float(BELOW))
        rate = float(fives.alerts.sum() / data.days.sum())
        for name, at in (
            ("NEWS2 >= 5 alone", fives),
            ("risk, as many alerts", _within(alarms["risk"], rate)),
            ("risk, 1 a day", _within(alarms["risk"], 1.0)),
            ("NEWS2, 1 a day", _within(alarms["NEWS2"], 1.0)),
            (f"{mean}, 1 a day", _within(alarms[mean], 1.0)),
        ):
            _add(section, f"{name} (told again after {hours_:g} h)", _told(data, at))


def _compared(section: Section) -> str:
    """Say plainly how the alarms compare, where the model is the worse one too."""
    said, fewer = [], []
    for hours_ in REFRACTORY:
        again = f"_(told_again_after_{hours_:g}_h)"
        (ours, lead), (theirs, their_lead) = (
            [section.figures[f"{what}.{name}{again}"][0] for what in ("sensitivity", "lead")]
            for name in ("risk,_as_many_alerts", "NEWS2_>=_5_alone")
        )
        said.append(
            f"after {hours_:g} h: {ours:.3f} of the events, median lead {lead:.1f} h, against"
            f" {theirs:.3f}, {their_lead:.1f} h"
        )
        if ours < theirs:
            fewer.append(f"{hours_:g} h")
    worse = f" It finds FEWER events where the team is told again after {', '.join(fewer)}."
    return (
        "With as many alerts as NEWS2 >= 5 gives, by how soon a team is told of the same patient"
        f" again, the model finds, {'; '.join(said)}.{worse if fewer else ''}"
    )


def _add(section: Section, name: str, one: Alarmed) -> None:
    cells = (f"{one.rate:.2f}", written(one.sensitivity), written(one.lead, 1))
    section.rows.append((name, "", "", *cells))
    section.figures[f"rate.{name.replace(' ', '_')}"] = (one.rate, None, None)
    for which, figure in (("sensitivity", one.sensitivity), ("lead", one.lead)):
        known = (figure.value or 0.0, figure.low, figure.high)
        section.figures[f"{which}.{name.replace(' ', '_')}"] = known


def _within(alarms: Alarms, rate: float) -> AtThreshold:
    return alarms.within([rate], alarms.curve())[0]


def _told(data: Labelled, at: AtThreshold) -> Alarmed:
    """Put intervals to what a threshold gives; a patient has one event at most."""
    # The event is an hour after the last watched one.
    lead, found = at.lead + 1, at.detected > 0
    random = np.random.default_rng(SEED)
    drawn = [random.integers(0, len(lead), len(lead)) for _ in range(REPLICATES)]
    shares = [float(found[one].mean()) for one in drawn]
    medians = [float(np.median(lead[one][found[one]])) for one in drawn if found[one].any()]
    median = float(np.median(lead[found])) if found.any() else 0.0
    rate = float(at.alerts.sum() / data.days.sum())
    return Alarmed(rate, _figure(float(found.mean()), shares), _figure(median, medians))


def _figure(value: float, drawn: list[float]) -> Figure:
    low, high = np.percentile(drawn, (2.5, 97.5)) if drawn else (value, value)
    return Figure(value, float(low), float(high))


def _asked(stay: Stay) -> tuple[Any, Any]:
    """Say of each hour whether it is asked, and whether NEWS2 reaches 7 within 6 h."""
    reached = np.flatnonzero(stay.news2 >= REACHED)
    first = stay.hours[reached[0]] if len(reached) else np.inf
    watched = (stay.hours < first) & (stay.hours >= stay.hours[0] + HOURS)
    asked = watched & (stay.news2 < BELOW)
    return np.where(asked, ASKED, np.where(watched, WATCHED, 0)), first - stay.hours <= HOURS
