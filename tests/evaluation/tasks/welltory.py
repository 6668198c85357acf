"""The onset of symptoms, seen in a consumer's wearable: one row a day (Welltory)."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, date, datetime, time, timedelta
from math import floor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from alerts.watch import Watch
from ingest.readings import Instant, Quality, Refusal, Vital, judge
from ingest.registry.entities import Patient, Profile
from tests.evaluation.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    # What a way makes of each day; a day that is missing is unknown.
    Scores = Mapping[date, float]

# Control windows end so many days before an onset, or start so many after it.
WELL_BEFORE, WELL_AFTER = 14, 21
BUDGET = 0.08
RESAMPLES, SEED = 1000, 20261124
# The plain z: days of the past, the least of them, the least spread in beats per minute.
PAST, LEAST, SPREAD = 28, 7, 1.0

METHOD = """\
One row a day of each participant (pulse: the resting pulse, else the day's average; steps;
temperature) goes through `alerts.watch.Watch` with the `wearable` profile, as `vigie score` does
it. Ill windows: eleven days, from 3 before to 7 after the onset of symptoms that a participant
stated, where there are 7 days with data before and 3 in it. Control windows: as long, one after the
other without overlap, by the same rule, of all participants; ending 14 days or more before an onset
or starting 21 or more after it. Some of the controls may have been ill without saying so. A window
is alarmed when its highest score is above the threshold, and the threshold is that which alarms at
most 8 % of all control windows; a window of which nothing is known is not alarmed. Leave one out:
the threshold for a participant comes from the others' control windows. Intervals: 1000 resamples of
the participants, each with its own threshold. Plain z: the pulse of the day against the mean of the
28 days before (7 at least), in their standard deviations (1 beat at least). "Other windows" is the
mean (and the range) of the same share over 17 other definitions: five other spans about the onset,
from -7..7 to 0..7 and -2..14 days, 14 days before or a single day in it. The weights of the profile
are equal and were not fitted; the memory of the score (2 readings), the half-life of the baseline
(14 days) and how much one day counts in the memory (3 spreads) were chosen with these windows in
view, so no figure here is held out."""


class Rule(NamedTuple):
    """What a window is: days about the stated onset, and how many days with data it needs.

    `before`: days with data before the window. `within`: in it.
    """

    first: int
    last: int
    before: int
    within: int

    @property
    def days(self) -> int:
        """How long a window is."""
        return self.last - self.first + 1


class Window(NamedTuple):
    """Some days of a participant."""

    user: str
    start: date
    days: int


MAIN = Rule(-3, 7, 7, 3)
# Others would have done as well.
OTHERS = tuple(
    Rule(first, last, before, within)
    for first, last in ((-3, 7), (0, 7), (-7, 7), (-1, 5), (-5, 10), (-2, 14))
    for before, within in ((7, 3), (14, 3), (0, 1))
)[1:]


Days = dict[date, dict[str, float]]


def run(recordings: Path, console: Console) -> Section:
    """Measure the share of ill windows that are alarmed when 8 % of the control windows are."""
    people, onsets = read(recordings / "welltory")
    ill, control = windows(people, onsets, MAIN)
    others = [windows(people, onsets, rule) for rule in OTHERS]
    section = Section(
        title="Onset of symptoms in a wearable (Welltory)",
        question=(
            "How many illnesses are seen when 8 % of eleven-day windows of the well are alarmed?"
        ),
        method=METHOD,
        header=(
            *("", "ill windows alarmed at 8 %", "leave one out"),
            *("other windows", "at 4 %", "at 12 %", "AUROC of windows", "threshold"),
        ),
    )
    ways: dict[str, Callable[[Days], Scores]] = {
        "resting pulse, plain z": lambda days: plain_z(days, ("rest",)),
        "pulse of any kind, plain z": lambda days: plain_z(days, ("rest", "average")),
        "`anomaly`": anomaly,
    }
    shares: dict[str, tuple[float, float, float]] = {}
    for name, way in ways.items():
        console.print(f"welltory: {name}")
        scores = {user: way(days) for user, days in people.items()}
        shares[name] = _row(section, name, scores, ill, control)
        elsewhere = [_share_at(scores, *one) for one in others]
        _elsewhere(section, name, elsewhere)
    share, low, high = shares["`anomaly`"]
    section.verdict = (
        f"{len(ill)} ill and {len(control)} control windows of "
        f"{len({one.user for one in control})} participants: `anomaly` alarms {share:.0%} of the "
        f"ill [{low:.0%}, {high:.0%}], the resting pulse alone "
        f"{shares['resting pulse, plain z'][0]:.0%}. With so few illnesses one more or less is "
        "eight points, and other definitions of the windows give less: the gain over a plain z of "
        "the pulse is likely, its size is not known."
    )
    return section


def read(folder: Path) -> tuple[dict[str, Days], dict[str, date]]:
    """Read the days of each participant, and the stated onsets."""
    onsets = {}
    for row in _rows(folder / "participants.csv.gz"):
        if row["symptoms_onset"]:
            month, day, year = (int(part) for part in row["symptoms_onset"].split("/"))
            onsets[row["user_code"]] = date(year, month, day)
    people: dict[str, Days] = {}
    columns = {
        "rest": "resting_pulse",
        "average": "pulse_average",
        Vital.STEPS: "steps_count",
        Vital.TEMPERATURE: "body_temperature_avg",
    }
    for row in _rows(folder / "wearables.csv.gz"):
        known = {name: float(row[column]) for name, column in columns.items() if row[column]}
        if known:
            people.setdefault(row["user_code"], {})[date.fromisoformat(row["day"])] = known
    return people, onsets


def windows(
    people: Mapping[str, Days], onsets: Mapping[str, date], rule: Rule
) -> tuple[list[Window], list[Window]]:
    """Return the ill and the control windows."""
    ill, control = [], []
    for user in sorted(people):
        days = sorted(people[user])
        onset = onsets.get(user)
        if onset is not None and not days[0] <= onset <= days[-1] + timedelta(days=rule.last):
            onset = None  # long before the recording, or a slip of the pen
        if onset is not None:
            first = onset + timedelta(days=rule.first)
            if _enough(days, first, rule):
                ill.append(Window(user, first, rule.days))
        start = days[0] + timedelta(days=7)
        while start + timedelta(days=rule.days - 1) <= days[-1]:
            if _well(start, onset, rule) and _enough(days, start, rule):
                control.append(Window(user, start, rule.days))
                start += timedelta(days=rule.days)
            else:
                start += timedelta(days=1)
    return ill, control


def plain_z(days: Days, kinds: Sequence[str]) -> Scores:
    """Return how far each day's pulse is above the mean of the last weeks, in their deviations."""
    found, past = {}, dict[date, float]()
    for day in sorted(days):
        pulse = next((days[day][kind] for kind in kinds if kind in days[day]), None)
        if pulse is None:
            continue
        known = [value for then, value in past.items() if (day - then).days <= PAST]
        if len(known) >= LEAST:
            found[day] = float((pulse - np.mean(known)) / max(float(np.std(known)), SPREAD))
        past[day] = pulse
    return found


def anomaly(days: Days) -> Scores:
    """Return what `vigie score --profile wearable` prints for each day."""
    watch, settings, found = Watch("welltory"), Patient("welltory", profile=Profile.WEARABLE), {}
    for day in sorted(days):
        known = dict(days[day])
        average, rest = known.pop("average", None), known.pop("rest", None)
        pulse = average if rest is None else rest
        if pulse is not None:
            known[Vital.PULSE_RATE] = pulse
        judged = {Vital(vital): judge(Vital(vital), value) for vital, value in known.items()}
        instant = Instant(
            datetime.combine(day, time(), UTC),
            {vital: known[vital] for vital, one in judged.items() if not isinstance(one, Refusal)},
            {vital: int(one) for vital, one in judged.items() if isinstance(one, Quality) and one},
        )
        assessment = watch.observe(settings, "watch", instant).assessment
        if assessment is not None and assessment.anomaly is not None:
            found[day] = assessment.anomaly
    return found


def highest(scores: Scores, window: Window) -> float:
    """Return the highest score of a window; nothing known is below everything."""
    days = (window.start + timedelta(days=n) for n in range(window.days))
    return max((scores[day] for day in days if day in scores), default=-np.inf)


def threshold(control: Sequence[float], budget: float = BUDGET) -> float:
    """Return the score above which at most this share of the control windows lies."""
    ranked = sorted(control, reverse=True)
    return ranked[floor(budget * len(ranked))]


def _row(
    section: Section,
    name: str,
    scores: Mapping[str, Scores],
    ill: Sequence[Window],
    control: Sequence[Window],
) -> tuple[float, float, float]:
    sick = [(one.user, highest(scores[one.user], one)) for one in ill]
    well = [(one.user, highest(scores[one.user], one)) for one in control]
    all_well, all_sick = [score for _, score in well], [score for _, score in sick]
    shares = {
        budget: _share(all_sick, threshold(all_well, budget)) for budget in (0.04, BUDGET, 0.12)
    }
    apart = [
        score > threshold([other for owner, other in well if owner != user]) for user, score in sick
    ]
    pairs = np.subtract.outer(np.nan_to_num(all_sick), np.nan_to_num(all_well))
    area = float((pairs > 0).mean() + (pairs == 0).mean() / 2)
    low, high = _interval(sick, well)
    section.rows.append(
        (
            name,
            f"{shares[BUDGET]:.3f} [{low:.3f}, {high:.3f}]",
            f"{np.mean(apart):.3f}",
            f"{shares[0.04]:.3f}",
            f"{shares[0.12]:.3f}",
            f"{area:.3f}",
            f"{threshold(all_well):.2f}",
        )
    )
    section.figures[f"{name}: share of ill windows at 8 %"] = (shares[BUDGET], low, high)
    section.figures[f"{name}: share, leave one out"] = (float(np.mean(apart)), None, None)
    section.figures[f"{name}: AUROC of windows"] = (area, None, None)
    return shares[BUDGET], low, high


def _share_at(
    scores: Mapping[str, Scores], ill: Sequence[Window], control: Sequence[Window]
) -> float:
    """Return the share of ill windows that are alarmed at the budget."""
    well = [highest(scores[one.user], one) for one in control]
    return _share([highest(scores[one.user], one) for one in ill], threshold(well))


def _elsewhere(section: Section, name: str, shares: Sequence[float]) -> None:
    """Put what other windows would have given into the last row."""
    mean = float(np.mean(shares))
    row = section.rows[-1]
    cell = f"{mean:.3f} ({min(shares):.2f} to {max(shares):.2f})"
    section.rows[-1] = (*row[:3], cell, *row[3:])
    section.figures[f"{name}: share, mean of other windows"] = (mean, None, None)


def _interval(
    sick: Sequence[tuple[str, float]], well: Sequence[tuple[str, float]]
) -> tuple[float, float]:
    """Return the 95 % interval of the share, by resampling the participants."""
    random = np.random.default_rng(SEED)
    users = sorted({user for user, _ in [*sick, *well]})
    shares = []
    for _ in range(RESAMPLES):
        drawn = random.choice(users, len(users))
        ill = [score for user in drawn for owner, score in sick if owner == user]
        others = [score for user in drawn for owner, score in well if owner == user]
        if ill and others:
            shares.append(_share(ill, threshold(others)))
    return float(np.quantile(shares, 0.025)), float(np.quantile(shares, 0.975))


def _share(scores: Sequence[float], least: float) -> float:
    return float(np.mean([score > least for score in scores]))


def _enough(days: Sequence[date], start: date, rule: Rule) -> bool:
    end = start + timedelta(days=rule.days)
    before, within = sum(day < start for day in days), sum(start <= day < end for day in days)
    return before >= rule.before and within >= rule.within


def _well(start: date, onset: date | None, rule: Rule) -> bool:
    if onset is None:
        return True
    end = start + timedelta(days=rule.days - 1)
    before, after = onset - timedelta(days=WELL_BEFORE), onset + timedelta(days=WELL_AFTER)
    return end < before or start > after


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
