"""Unusual stretches in series of unknown names: the seven of the Numenta benchmark's known causes.

They are no vital signs: a check of the generic detectors only.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from detectors.panel import Panel
from detectors.profiles.loading import parse
from ingest.readings import Instant
from ingest.registry.entities import Patient, Profile
from tests.evaluation.report import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from rich.console import Console

    Floats = NDArray[np.float64]

FOLDER = "realKnownCause"
# Readings before a plain z speaks.
WARMUP = 30
WINDOWS = (100, 288, 1000, 2016)
THRESHOLDS = 2000

METHOD = """\
Each series goes alone through the panel of `vigie score --generic`, in time order, scored before it
is learned; `anomaly` is what that prints. A point is alarmed from a threshold on; if any point of a
labelled window is, all its points count as found (the benchmark's windows, point-adjusted), all
points outside that are alarmed are false. Precision, recall and F1 are over the points of all seven
series, with one threshold for all: the best one, chosen with the labels in hand, and, for an honest
figure, the best one for the six others, series by series (leave one out). The plain z is the
distance from the mean of the past in its standard deviations: the whole past, or the last 100, 288,
1000, 2016 readings; each has its own best threshold. The design and its constants (memory of 12
readings, the tail's threshold and prior, how much one reading counts in the memory) were chosen
with these series in view (half and twice the memory do alike), so no figure here is held out."""


class Series(NamedTuple):
    """One series: seconds since 1970, values, and the places of each labelled window."""

    name: str
    at: Floats
    values: Floats
    windows: list[NDArray[np.intp]]


def run(recordings: Path, console: Console) -> Section:
    """Measure how well one threshold finds the labelled windows of all series."""
    series = read(recordings / "nab")
    section = Section(
        title="Unusual stretches in generic series (NAB, known causes)",
        question="Does one threshold on `anomaly` find the labelled windows of all seven series?",
        method=METHOD,
        header=("", "F1", "precision", "recall", "threshold", "F1, leave one out"),
    )
    ways: dict[str, Callable[[Series], Floats]] = {
        "plain z, whole past": lambda one: plain_z(one.values),
        **{f"plain z, last {window}": partial(_rolling, window) for window in WINDOWS},
        "`anomaly`": anomaly,
    }
    best: dict[str, float] = {}
    for name, way in ways.items():
        console.print(f"nab: {name}")
        best[name] = _row(section, name, [way(one) for one in series], series)
    ours = best.pop("`anomaly`")
    plain = max(best, key=lambda name: best[name])
    section.verdict = (
        f"`anomaly` reaches an F1 of {ours:.3f}, the best plain z ({plain}) {best[plain]:.3f}. "
        "Seven series are few, and one long window (1499 points) weighs a quarter of all: "
        "differences of a few hundredths mean nothing."
    )
    return section


def read(folder: Path) -> list[Series]:
    """Read the seven series and their windows."""
    found = []
    for name, windows in json.loads((folder / "windows.json").read_text("utf-8")).items():
        if not name.startswith(FOLDER):
            continue
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        at = np.array([_seconds(row["timestamp"]) for row in rows])
        spans = [(_seconds(start), _seconds(end)) for start, end in windows]
        places = [np.flatnonzero((at >= start) & (at <= end)) for start, end in spans]
        values = np.array([float(row["value"]) for row in rows])
        found.append(Series(name.partition("/")[2], at, values, places))
    return found


def plain_z(values: Floats, window: int | None = None) -> Floats:
    """Return how many standard deviations each value is from the mean of those before."""
    found = np.full(len(values), np.nan)
    for place in range(WARMUP, len(values)):
        past = values[0 if window is None else max(0, place - window) : place]
        spread = float(past.std())
        found[place] = abs(values[place] - past.mean()) / max(spread, 1e-9)
    return found


def _rolling(window: int, series: Series) -> Floats:
    return plain_z(series.values, window)


def anomaly(series: Series) -> Floats:
    """Return what `vigie score --generic` prints for each reading; NaN is unknown."""
    text = (files("detectors.profiles") / "generic.toml").read_text("utf-8")
    settings = Patient("nab", profile=Profile.WARD)
    panel = Panel(profiles={Profile.WARD: parse("generic", text)})
    found = np.full(len(series.values), np.nan)
    for place, (at, value) in enumerate(zip(series.at, series.values, strict=True)):
        values: dict[str, float] = {"value": float(value)}
        instant = Instant(datetime.fromtimestamp(float(at), UTC), values)  # type: ignore[arg-type]  # a series of any name
        assessment = panel.feed(settings, "table", instant).assessment
        if assessment is not None and assessment.anomaly is not None:
            found[place] = assessment.anomaly
    return found


def counted(scores: Floats, series: Series, thresholds: Floats) -> Floats:
    """Count points found, false and missed at each threshold, by the windows."""
    known = np.nan_to_num(scores, nan=-1.0)
    outside = np.ones(len(known), dtype=bool)
    found, missed = np.zeros(len(thresholds)), np.zeros(len(thresholds))
    for window in series.windows:
        outside[window] = False
        hit = known[window].max() >= thresholds
        found += hit * len(window)
        missed += ~hit * len(window)
    rest = np.sort(known[outside])
    false = len(rest) - np.searchsorted(rest, thresholds, side="left")
    return np.stack([found, false.astype(float), missed])


def f1(counts: Floats) -> Floats:
    """Return the F1 of counts of found, false and missed."""
    found, false, missed = counts
    return np.asarray(2 * found / np.maximum(2 * found + false + missed, 1))


def _row(section: Section, name: str, scores: Sequence[Floats], series: list[Series]) -> float:
    known = np.concatenate([one[np.isfinite(one)] for one in scores])
    tail = 1 - np.logspace(-1, -5.5, THRESHOLDS)
    shares = np.concatenate([np.linspace(0, 0.9, 300), tail])
    thresholds = np.unique(np.quantile(known[known > 0], shares))
    counts = [counted(one, of, thresholds) for one, of in zip(scores, series, strict=True)]
    total = np.sum(counts, axis=0)
    place = int(f1(total).argmax())
    found, false, missed = (float(one) for one in total[:, place])
    held_out = np.sum([one[:, int(f1(total - one).argmax())] for one in counts], axis=0)
    best, honest = float(f1(total)[place]), float(f1(held_out))
    precision, recall = found / max(found + false, 1), found / max(found + missed, 1)
    section.rows.append(
        (
            name,
            f"{best:.3f}",
            f"{precision:.3f}",
            f"{recall:.3f}",
            f"{thresholds[place]:.2f}",
            f"{honest:.3f}",
        )
    )
    section.figures[f"{name}: F1"] = (best, None, None)
    section.figures[f"{name}: F1, leave one series out"] = (honest, None, None)
    return best


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
