"""What was asked of the detectors, task by task, and by which figure it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.evaluation.record import Figure


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand.

    `reached` and `baseline` name figures, by words that are in their names (see `figures_of`;
    None: there is none). `must` and `goal` are figures as well, or words.
    """

    what: str
    reached: tuple[str, ...]
    baseline: tuple[str, ...] | None
    must: str
    goal: str = ""


DEMANDS: Mapping[str, tuple[Demand, ...]] = {
    "sepsis": (
        Demand(
            "sepsis, AUROC per row", ("risk_sepsis", "auroc"), ("news2", "auroc"), "0.675", "0.72"
        ),
    ),
    "deterioration": (
        Demand(
            "deterioration within 6 h, AUROC",
            ("risk_deterioration", "auroc"),
            ("news2", "auroc"),
            "0.80",
            "0.83",
        ),
        Demand(
            "the same, sensitivity at 1 alert per patient-day",
            ("risk_deterioration", "sensitivity"),
            ("news2", "sensitivity"),
            "more than NEWS2",
        ),
        Demand(
            "the same, median lead time (h)",
            ("risk_deterioration", "lead"),
            ("news2", "lead"),
            "more than NEWS2",
        ),
    ),
    "nab": (
        Demand(
            "generic series, F1 with one threshold",
            ("`anomaly`: f1", "-leave"),
            ("plain z", "f1", "-leave"),
            "more than plain z",
        ),
    ),
    "welltory": (
        Demand(
            "onset of symptoms, ill windows alarmed at 8 % of the others",
            ("`anomaly`", "ill windows"),
            ("resting pulse", "ill windows"),
            "0.45",
            "0.60",
        ),
    ),
    "bidmc": (
        Demand(
            "false alarms per hour, stable: `icu` profile against a plain monitor",
            ("`icu` profile, stable",),
            ("plain monitor, stable",),
            "a third",
            "a tenth",
        ),
        Demand(
            "the same: `limits` with `artefact` against a plain monitor",
            ("`limits` and `artefact`, stable",),
            ("plain monitor, stable",),
            "a third",
            "a tenth",
        ),
        Demand(
            "the same: `icu` profile against our own `limits` alone",
            ("`icu` profile, stable",),
            ("`limits`, stable",),
            "a third",
            "a tenth",
        ),
    ),
    "news2": (
        Demand(
            "NEWS2, rows that differ from published counts",
            ("each row alone: rows that differ",),
            None,
            "0, but for refused values",
        ),
    ),
}


def figures_of(figures: Mapping[str, Figure], words: tuple[str, ...]) -> list[Figure]:
    """Find the figures whose names have all words, and none that is written with a minus.

    >>> known = {"NEWS2 now: AUROC": (0.73, 0.7, 0.76), "NEWS2, 3 h mean: AUROC": (0.78, 0.7, 0.8)}
    >>> [value for value, _, _ in figures_of(known, ("news2", "auroc", "-mean"))]
    [0.73]
    """
    wanted = [word for word in words if not word.startswith("-")]
    unwanted = [word[1:] for word in words if word.startswith("-")]
    return [
        one
        for name, one in figures.items()
        if all(word in name.lower() for word in wanted)
        and not any(word in name.lower() for word in unwanted)
    ]


def reached(figures: Mapping[str, Figure], demand: Demand) -> Figure | None:
    """Return the figure that answers a demand: the first of its name."""
    return next(iter(figures_of(figures, demand.reached)), None)


def baseline(figures: Mapping[str, Figure], demand: Demand) -> Figure | None:
    """Return the highest of the figures that a demand is held against."""
    known = [] if demand.baseline is None else figures_of(figures, demand.baseline)
    return max(known, default=None)
