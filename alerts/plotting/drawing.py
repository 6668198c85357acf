"""Draws the picture of one patient: a panel for each vital, then the scores, then the alerts."""

from __future__ import annotations

from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from alerts.plotting.chart import told
from alerts.plotting.rerun import ANOMALY, NEWS2, RISK
from detectors.evaluation import palette
from detectors.evaluation.pictures import checked, no_matplotlib, write
from detectors.findings import Priority
from ingest.readings import ACVPU, SPECS, Vital

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alerts.plotting.chart import Chart, Point

    Panel = tuple[float, Callable[[Any], None]]

WIDTH = 11.0  # inches
PANEL, SMALL, BAR, MARGIN = 1.25, 1.0, 0.19, 1.0  # heights, in inches
# More points than a screen has columns are drawn as the lowest and the highest of each stretch.
COLUMNS = 1500
# Up to so many points each is a dot as well.
DOTTED = 300
# A line is not drawn through a gap of so many times the usual time between two values.
GAP = 8.0

UNITS = {"Cel": "°C", "mm[Hg]": "mmHg", "1/(24.h)": "a day", "{ACVPU}": "ACVPU", "1": ""}
# The thresholds of the Royal College of Physicians' chart: urgent, and emergency response.
NEWS2_RESPONSES = {5: "urgent", 7: "emergency"}
NEWS2_TICKS = (0, *NEWS2_RESPONSES, 10, 15, 20)
COLOURS = {
    Priority.HIGH: palette.VERMILION,
    Priority.MEDIUM: palette.ORANGE,
    Priority.LOW: palette.SKY,
}
# Nor by colour alone: the more urgent, the thicker.
THICK = {Priority.HIGH: 0.9, Priority.MEDIUM: 0.6, Priority.LOW: 0.3}


def draw(chart: Chart, path: Path) -> None:
    """Draw the picture into a PNG or SVG file. Raises Unusable."""
    checked(path)
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra, and slow to import)
        from matplotlib import dates as untyped  # noqa: PLC0415 (as above)
        from matplotlib.figure import Figure  # noqa: PLC0415 (as above)
    except ImportError:
        raise no_matplotlib(path) from None
    dates: Any = untyped
    with mpl.rc_context(palette.STYLE):
        panels = _panels(chart)
        heights = [height for height, _ in panels]
        figure: Any = Figure(figsize=(WIDTH, sum(heights) + MARGIN), layout="constrained")
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[
            :, 0
        ]
        for axis, (_, paint) in zip(axes, panels, strict=True):
            paint(axis)
        locator = dates.AutoDateLocator(tz=UTC)
        axes[-1].xaxis.set_major_locator(locator)
        axes[-1].xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))
        axes[-1].set_xlim(chart.span.start, chart.span.end)
        axes[-1].set_xlabel("time (UTC)")
        axes[0].set_title(
            f"Patient {chart.patient}, {told(chart.span.start)} to {told(chart.span.end)}",
            loc="left",
        )
        figure.align_ylabels(axes[:-1])
        write(figure, path)


def _panels(chart: Chart) -> list[Panel]:
    """Say which panels there are, with their heights."""
    order = {str(vital): place for place, vital in enumerate(Vital)}
    vitals = sorted(chart.series, key=lambda name: (order.get(name, len(order)), name))
    panels: list[Panel] = [(PANEL, partial(_vital, chart=chart, name=name)) for name in vitals]
    risks = sorted(name for name in chart.scores if name.startswith(RISK))
    if NEWS2 in chart.scores:
        panels.append((SMALL, partial(_news2, points=chart.scores[NEWS2])))
    if ANOMALY in chart.scores:
        panels.append((SMALL, partial(_lines, chart=chart, names=[ANOMALY], label=ANOMALY)))
    if risks:
        panels.append((SMALL, partial(_lines, chart=chart, names=risks, label="risk\n(0 to 1)")))
    rows = len({bar.rule for bar in chart.bars})
    panels.append((max(SMALL, BAR * rows), partial(_bars, chart=chart)))
    return panels


def _vital(axis: Any, chart: Chart, name: str) -> None:
    points, bands = chart.series[name], chart.bands.get(name, [])
    if bands:
        axis.fill_between(
            [band.time for band in bands],
            [band.low for band in bands],
            [band.high for band in bands],
            color=palette.SKY,
            alpha=0.3,
            linewidth=0,
            label="usual for this patient",
        )
    good = [point for point in points if not point.suspect]
    _line(axis, good, palette.BLUE, None)
    off = _outside(good, chart, name)
    if off:
        axis.plot(*_thinned(off), "o", ms=3.5, color=palette.VERMILION, label="outside of it")
    axis.set_ylabel(_label(name))
    if name == Vital.CONSCIOUSNESS:
        axis.set_yticks(range(len(ACVPU)), list(ACVPU))
    low, high = _room(good or points)
    axis.set_ylim(low, high)
    doubtful = [point for point in points if point.suspect]
    if doubtful:
        # One wrong number must not flatten the rest: what is beyond the panel is at its edge.
        times, values = _thinned(doubtful)
        held = np.clip(values, low, high)
        axis.plot(times, held, "x", ms=5, color=palette.INK, label="doubtful value", clip_on=False)
    if bands or doubtful:
        _legend(axis)


def _outside(points: list[Point], chart: Chart, name: str) -> list[Point]:
    """Return the points outside of what was usual at their moment."""
    bands = {band.time: band for band in chart.bands.get(name, [])}
    found = []
    for point in points:
        band = bands.get(point.time)
        if band is not None and not band.low <= point.value <= band.high:
            found.append(point)
    return found


def _room(points: list[Point]) -> tuple[float, float]:
    """Make room for values, and for what of the band lies near: a wide one would flatten them."""
    values = np.array([point.value for point in points])
    low, high = float(values.min()), float(values.max())
    room = max(high - low, 1.0)
    bottom = low - 0.5 * room
    # What was never below 0 has no room there.
    return max(bottom, 0.0) if low >= 0 else bottom, high + 0.5 * room


def _news2(axis: Any, points: list[Point]) -> None:
    axis.step(*_thinned(points), where="post", color=palette.INK, linewidth=1.3)
    for threshold, response in NEWS2_RESPONSES.items():
        axis.axhline(threshold, color=palette.VERMILION, linewidth=0.8, linestyle="--")
        axis.annotate(
            response,
            # Beside the panel, where no line is.
            (1.003, threshold),
            xycoords=("axes fraction", "data"),
            fontsize=7,
            ha="left",
            va="center",
        )
    axis.set_ylabel("NEWS2\n(points)")
    top = max(9.0, 1.0 + max(point.value for point in points))
    axis.set_ylim(0, top)
    axis.set_yticks([points for points in NEWS2_TICKS if points <= top])


def _lines(axis: Any, chart: Chart, names: list[str], label: str) -> None:
    for number, name in enumerate(names):
        _line(axis, chart.scores[name], palette.LINES[number], name, palette.DASHES[number])
    axis.set_ylabel(label)
    axis.set_ylim(bottom=0)
    if len(names) > 1 or label != names[0]:
        _legend(axis)


def _bars(axis: Any, chart: Chart) -> None:
    """Draw a row for each rule, in the order in which they began to speak."""
    rules = list(dict.fromkeys(bar.rule for bar in chart.bars))
    for bar in chart.bars:
        for stretch in bar.stretches:
            seen = chart.seen(stretch)
            if seen is None:
                continue
            (left, right), priority = seen, stretch.priority
            thick = THICK[priority]
            place, colour = rules.index(bar.rule), COLOURS[priority]
            axis.barh(place, right - left, left=left, height=thick, color=colour)
            # An alert of a moment has no width: its edge is seen all the same.
            axis.plot([left, left], [place - thick / 2, place + thick / 2], color=colour, lw=1.5)
    axis.set_yticks(range(len(rules)), rules, fontsize=7)
    axis.set_ylim(max(len(rules), 1) - 0.4, -0.6)
    if not rules:
        axis.text(
            0.5, 0.5, "no alert in this span", ha="center", va="center", transform=axis.transAxes
        )
    for priority in Priority:
        if any(one.priority is priority for bar in chart.bars for one in bar.stretches):
            axis.plot([], [], color=COLOURS[priority], lw=8 * THICK[priority], label=priority.value)
    if rules:
        _legend(axis)


def _line(axis: Any, points: list[Point], colour: str, label: str | None, dash: Any = "-") -> None:
    """Draw a line that breaks at gaps, with dots where there are few."""
    if not points:
        return
    times, values = _thinned(points)
    at = np.array([time.timestamp() for time in times])
    gaps = np.diff(at)
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    breaks = np.flatnonzero(gaps > GAP * usual) + 1 if usual else np.empty(0, dtype=int)
    marker = "o" if len(points) <= DOTTED else None
    drawn = np.insert(np.array(times, dtype=object), breaks, [times[place] for place in breaks])
    known = np.insert(np.array(values, dtype=float), breaks, np.nan)
    axis.plot(
        drawn, known, color=colour, linewidth=1.0, marker=marker, ms=2.2, ls=dash, label=label
    )


def _thinned(points: list[Point]) -> tuple[list[Any], list[float]]:
    """Return times and values; of many points the lowest and the highest of each stretch."""
    if len(points) > 2 * COLUMNS:
        at = np.array([point.time.timestamp() for point in points])
        width = max((at[-1] - at[0]) / COLUMNS, 1e-6)
        column = ((at - at[0]) / width).astype(np.int64)
        values = np.array([point.value for point in points])
        order = np.lexsort((values, column))
        ends = np.flatnonzero(np.diff(column[order], append=-1))
        starts = np.append(0, ends[:-1] + 1)
        keep = np.unique(np.concatenate([order[starts], order[ends]]))
        points = [points[place] for place in keep]
    return [point.time for point in points], [point.value for point in points]


def _label(name: str) -> str:
    words = name.replace("_", " ")
    if name not in SPECS:
        return words
    unit = SPECS[Vital(name)].unit
    shown = UNITS.get(unit, unit)
    return f"{words}\n({shown})" if shown else words


def _legend(axis: Any) -> None:
    """Put it above the panel, where nothing is drawn; the picture's title is at the left."""
    axis.legend(loc="lower right", fontsize=7, ncols=3, bbox_to_anchor=(1.0, 0.97))
