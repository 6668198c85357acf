"""What was asked of the detectors, task by task, and by which figure it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.evaluation.bounds import MORE, NO_MORE, TENTH, THIRD, at_least

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.evaluation.bounds import Bound
    from tests.evaluation.record import Figure

    # Names of a task's figures by what the table calls them ("": a row of one figure).
    Told = Mapping[str, str]

HOURS = "median lead (h)"


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand: `reached` is held against `must` and `goal`, and against each of `baselines`.

    `baselines` have figures of the same names as `reached`.
    """

    what: str
    reached: Told
    baselines: Mapping[str, Told] = field(default_factory=dict)
    must: Bound | None = None
    goal: Bound | None = None


def _alarms() -> Iterator[Demand]:
    """Ask for more of both at one alert a day, and at as many alerts as NEWS2 gives.

    By how soon a team is told again of the same patient: it decides who is better. NEWS2 >= 5 may
    give more than one alert a day; NEWS2 at one a day has the lowest threshold that does not.
    """
    for ours, theirs, words in (
        ("risk,_1_a_day", "NEWS2,_1_a_day", "at 1 alert per patient-day, NEWS2 too"),
        ("risk,_1_a_day", "NEWS2_>=_5_alone", "at 1 alert per patient-day"),
        ("risk,_as_many_alerts", "NEWS2_>=_5_alone", "at as many alerts as NEWS2 >= 5 gives"),
    ):
        for hours in (1, 3, 6):
            ending = f"_(told_again_after_{hours}_h)"
            yield Demand(
                f"the same events {words}, told again after {hours} h",
                _both(f"{ours}{ending}"),
                {theirs.replace("_", " "): _both(f"{theirs}{ending}")},
                MORE,
            )


def _both(name: str) -> Told:
    return {"sensitivity": f"sensitivity.{name}", HOURS: f"lead.{name}"}


DEMANDS: Mapping[str, tuple[Demand, ...]] = {
    "sepsis": (
        Demand(
            "sepsis, AUROC per row",
            {"": "auroc.risk"},
            {"NEWS2": {"": "auroc.NEWS2"}, "its mean of 6 h": {"": "auroc.NEWS2,_mean_of_6_h"}},
            at_least("0.675"),
            at_least("0.72"),
        ),
    ),
    "deterioration": (
        Demand(
            "NEWS2 of 7 or more within 6 h, AUROC per row",
            {"": "auroc.risk"},
            {"NEWS2": {"": "auroc.NEWS2"}, "its mean of 3 h": {"": "auroc.NEWS2,_mean_of_3_h"}},
            at_least("0.80"),
            at_least("0.83"),
        ),
        *_alarms(),
    ),
    "nab": (
        Demand(
            "generic series, F1 with one threshold for all",
            {"": "`anomaly`: F1"},
            {"best plain z": {"": "plain z, last 100: F1"}},
            MORE,
        ),
        Demand(
            "the same, its threshold from the six other series",
            {"": "`anomaly`: F1, leave one series out"},
            {"best plain z": {"": "plain z, last 100: F1, leave one series out"}},
            MORE,
        ),
    ),
    "welltory": (
        Demand(
            "onset of symptoms, share of ill windows alarmed at 8 % of the others",
            {"": "`anomaly`: share of ill windows at 8 %"},
            {
                "resting pulse": {"": "resting pulse, plain z: share of ill windows at 8 %"},
                "any pulse": {"": "pulse of any kind, plain z: share of ill windows at 8 %"},
            },
            at_least("0.45"),
            at_least("0.60"),
        ),
    ),
    "bidmc": tuple(
        Demand(what, {"": f"{ours}, stable, per hour"}, {held: {"": theirs}}, THIRD, TENTH)
        for what, ours, held, theirs in (
            (
                "false alarms per hour, stable: `icu` profile",
                "`icu` profile",
                "our `limits` alone",
                "`limits`, stable, per hour",
            ),
            (
                "the same, without `artefact`",
                "`icu` profile without `artefact`",
                "our `limits` alone",
                "`limits`, stable, per hour",
            ),
            (
                "the same: `icu` profile",
                "`icu` profile",
                "plain monitor",
                "plain monitor, stable, per hour",
            ),
            (
                "the same: `limits` with `artefact`",
                "`limits` and `artefact`",
                "plain monitor",
                "plain monitor, stable, per hour",
            ),
        )
    ),
    "news2": (
        Demand(
            "NEWS2, rows that differ from published counts, each row alone",
            {"": "each row alone: rows that differ"},
            {"values that the gateway refuses": {"": "values refused"}},
            NO_MORE,
        ),
        Demand(
            "the same, carried forward",
            {"": "carried forward: rows that differ"},
            {"values that the gateway refuses": {"": "values refused"}},
            NO_MORE,
        ),
    ),
}


def verdict(figures: Mapping[str, Figure], demand: Demand, bound: Bound) -> str:
    """Say plainly whether a bound is reached: by the strictest baseline, in each of the figures.

    >>> asked = Demand("area", {"": "ours"}, must=at_least("0.7"))
    >>> verdict({"ours": (0.72, 0.71, 0.73)}, asked, asked.must)
    'yes'
    >>> verdict({"ours": (0.72, 0.69, 0.75)}, asked, asked.must)
    'yes (not the whole interval)'
    >>> verdict({"ours": (0.69, 0.67, 0.71)}, asked, asked.must)
    '**no**'
    """
    missed, sure = [], True
    for name, ours in demand.reached.items():
        held = _strictest(figures, demand, name, bound)
        if ours not in figures or (bound.of_baseline and held is None):
            return "not measured"
        found = figures[ours]
        if not bound.met(found[0], held):
            missed.append(name)
        sure = sure and (found[1] is None or bound.surely(found, held))
    if missed:
        both = len(missed) == len(demand.reached)
        return "**no**" if both else f"**no** ({', '.join(missed)})"
    return "yes" if sure else "yes (not the whole interval)"


def _strictest(
    figures: Mapping[str, Figure], demand: Demand, name: str, bound: Bound
) -> float | None:
    known = [figures[told[name]][0] for told in demand.baselines.values() if told[name] in figures]
    return (min if bound.less else max)(known, default=None)
