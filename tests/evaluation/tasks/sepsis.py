"""Sepsis in intensive care: the risk model against NEWS2 and plain thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.risk.training import Plan
from tests.evaluation.report import Section
from tests.evaluation.risk_compared import ASKED, crossed, hours, judged, written
from tests.evaluation.risk_tables import Stay, table_rows

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from detectors.evaluation.measure import ScoreFigures
    from tests.evaluation.risk_compared import Crossed

PLAN = Plan("sepsis", "", "", penalty=0.02, horizon_hours=6.0)
MUST, GOAL = 0.675, 0.72
METHOD = """\
Every hour of the PhysioNet 2019 recordings in which one of the seven vitals was measured; label 1
from 6 h before the onset of sepsis. The model is fitted four times to three quarters of the
patients and judged on the rest (`vigie train sepsis`, penalty 0.02, seed 7). NEWS2 and the plain
thresholds take the last value carried forward, what is missing gives no points. Intervals: 95 %, by
drawing patients 500 times. An alert is an hour at or above the threshold."""


def run(recordings: Path, console: Console) -> Section:
    """Cross-validate the model and compare it."""
    console.print("sepsis: following the patients")
    found = hours(recordings, _asked, mean=6)
    console.print("sepsis: cross-validation")
    by = crossed(found, PLAN, lambda: table_rows(recordings, "sepsis"))
    console.print("sepsis: intervals")
    figures = judged(found, by.risk, PLAN).scores
    section = Section(
        title="Sepsis (PhysioNet 2019)",
        question="Does `risk.sepsis` tell hours before and in sepsis from all others?",
        method=METHOD,
        header=("score", "AUROC", "AUPRC", "sensitivity at 1 alert per patient-day", "PPV there"),
    )
    for name, one in figures.items():
        at = one.budgets[0]
        cells = (written(one.auroc), written(one.auprc), written(at.sensitivity), written(at.ppv))
        section.rows.append((name, *cells))
        key = name.replace(" ", "_")
        section.figures[f"auroc.{key}"] = (one.auroc.value or 0.0, one.auroc.low, one.auroc.high)
    section.figures["pattern"] = (by.pattern, None, None)
    section.verdict = _verdict(figures, by)
    return section


def _verdict(figures: dict[str, ScoreFigures], by: Crossed) -> str:
    """Say plainly what was reached and what was not; every number is of this run."""
    ours, theirs = figures["risk"].auroc.value or 0.0, figures["NEWS2"].auroc.value or 0.0
    folds = ", ".join(f"{one:.3f}" for one in by.by_fold)
    ppv = figures["risk"].budgets[0].ppv.value
    said = (
        f"The model reaches {ours:.3f} (folds: {folds}), NEWS2 {theirs:.3f}; {MUST} was asked for,"
        f" {'and is kept' if ours >= MUST else 'and is NOT reached'}; {GOAL}, hoped for,"
        f" {'is reached' if ours >= GOAL else 'is not reached'}. On values that were dealt out"
        " anew, so that only the pattern of measurements is left, the model has"
        f" {by.pattern:.3f} (0.5: the pattern tells nothing)."
    )
    if ppv:
        said += f" At one alert per patient-day, one alert in {1 / ppv:.0f} falls into a sepsis."
    return said


def _asked(stay: Stay) -> tuple[Any, Any]:
    return np.full(len(stay.hours), ASKED), stay.sepsis
