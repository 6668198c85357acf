"""The picture of an evaluation: ROC, precision and recall, alarm budget, calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.evaluation import palette
from detectors.evaluation.tables import Unusable

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.evaluation.labelled import Floats
    from detectors.evaluation.measure import Drawn, Evaluation, ScoreFigures

SUFFIXES = (".png", ".svg")
# Points of a curve; a screen shows no more.
POINTS = 800
INCHES = (11.0, 8.5)
DOTS_PER_INCH = 130
# Left of it, the share of recall at which precision jumps from one row to the next is not drawn.
SHOWN = 0.01
# Alerts per patient-day at which the alarm budget curve begins: one in a hundred days.
RAREST = 0.01


def draw(found: Evaluation, drawn: dict[str, Drawn], path: Path) -> None:
    """Draw the four panels into a PNG or SVG file. Raises Unusable."""
    checked(path)
    try:
        import matplotlib as mpl  # noqa: PLC0415 (an extra, and slow to import)
        from matplotlib.figure import Figure  # noqa: PLC0415 (as above)
    except ImportError:
        raise no_matplotlib(path) from None
    with mpl.rc_context(palette.STYLE):
        figure = Figure(figsize=INCHES, layout="constrained")
        panels = figure.subplots(2, 2)
        for number, (name, one) in enumerate(drawn.items()):
            line = {
                "color": palette.LINES[number % len(palette.LINES)],
                "linestyle": palette.DASHES[number % len(palette.DASHES)],
                "linewidth": 1.6,
            }
            _score(panels, one, found.scores[name], name, line)
        _labels(panels, found)
        write(figure, path)


def checked(path: Path) -> None:
    """Raise Unusable unless a picture can have this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise Unusable(f"{path}: the name of a picture must end in {' or '.join(SUFFIXES)}")


def no_matplotlib(path: Path) -> Unusable:
    """Say how to get what draws."""
    return Unusable(f"{path}: pictures need matplotlib: pip install 'vigie[analysis]'")


def write(figure: Any, path: Path) -> None:
    """Write a picture; the same figures give the same bytes. Raises Unusable."""
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata=metadata)
    except OSError as error:
        raise Unusable(f"{path}: cannot be written: {error.strerror}") from None


def _score(panels: Any, one: Drawn, figures: ScoreFigures, name: str, line: dict[str, Any]) -> None:
    roc, recall, budget, calibrated = panels.ravel()
    curve = one.curve
    x, y = _thinned(curve.false_positives, curve.true_positives)
    roc.plot(x, y, label=f"{name} {_short(figures.auroc.value)}", **line)
    shown = curve.true_positives[1:] >= SHOWN
    x, y = _thinned(curve.true_positives[1:][shown], curve.precision[shown])
    recall.plot(x, y, label=f"{name} {_short(figures.auprc.value)}", **line)
    points = [(point.alerts_per_day, point.sensitivity) for point in one.budget]
    if points:
        budget.plot(*zip(*points, strict=True), label=name, **line)
    for at in figures.budgets:
        x0, y0 = at.alerts_per_patient_day.value, at.sensitivity
        if x0 and y0.value is not None and y0.low is not None and y0.high is not None:
            off = [[max(y0.value - y0.low, 0.0)], [max(y0.high - y0.value, 0.0)]]
            budget.errorbar(
                x0, y0.value, yerr=off, fmt="o", ms=4, capsize=2.5, lw=1.1, color=line["color"]
            )
    if figures.calibration is not None:
        _bins(calibrated, figures, name, line)


def _bins(panel: Any, figures: ScoreFigures, name: str, line: dict[str, Any]) -> None:
    bins = figures.calibration.curve if figures.calibration is not None else ()
    known = [(one.predicted, one.observed) for one in bins if one.observed.value is not None]
    x = [predicted for predicted, _ in known]
    y = [float(observed.value or 0.0) for _, observed in known]
    low = [
        max(v - (o.low if o.low is not None else v), 0.0)
        for v, (_, o) in zip(y, known, strict=True)
    ]
    high = [
        max((o.high if o.high is not None else v) - v, 0.0)
        for v, (_, o) in zip(y, known, strict=True)
    ]
    panel.errorbar(x, y, yerr=[low, high], marker="o", ms=3.5, capsize=2.5, label=name, **line)


def _labels(panels: Any, found: Evaluation) -> None:
    roc, recall, budget, calibrated = panels.ravel()
    share = found.positive_rows / found.rows
    roc.plot([0, 1], [0, 1], color=palette.FAINT, linewidth=0.8)
    roc.set(
        title="ROC, with AUROC",
        xlabel="false positive rate (share of rows without event)",
        ylabel="true positive rate (share of rows of events)",
    )
    recall.axhline(share, color=palette.FAINT, linewidth=0.8)
    recall.set(
        title=f"Precision and recall, with AUPRC (chance: {share:.3f})",
        xlabel="recall (share of rows of events)",
        ylabel="precision (share of rows at or above)",
        ylim=(0, None),
    )
    again = f"{found.alert}, {found.refractory_hours:g} h apart"
    budget.set(
        title=f"Alarm budget ({found.events} events; alerts {again})",
        xlabel="alerts per patient-day",
        ylabel="sensitivity (share of events)",
        xscale="log",
    )
    budget.set_ylim(0, 1.02)
    budget.set_xlim(left=RAREST)
    for at in {one.budget for score in found.scores.values() for one in score.budgets}:
        budget.axvline(at, color=palette.FAINT, linewidth=0.8)
    budget.xaxis.set_major_formatter("{x:g}")
    _calibration_axes(calibrated, found)
    for panel in (roc, recall, budget):
        panel.legend(loc="best", fontsize=8)


def _calibration_axes(panel: Any, found: Evaluation) -> None:
    if all(score.calibration is None for score in found.scores.values()):
        panel.set_axis_off()
        panel.text(0.5, 0.5, "no score between 0 and 1", ha="center", transform=panel.transAxes)
        return
    top = max(panel.get_xlim()[1], panel.get_ylim()[1])
    panel.plot([0, top], [0, top], color=palette.FAINT, linewidth=0.8)
    panel.set(
        title="Calibration, tenths of the rows",
        xlabel="predicted probability (mean)",
        ylabel="observed share of rows of events",
        xlim=(0, None),
        ylim=(0, None),
    )
    panel.legend(loc="best", fontsize=8)


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Keep so many points of a curve, evenly along both axes together."""
    if len(x) <= POINTS:
        return x, y
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    keep = np.unique(np.searchsorted(along, np.linspace(0, along[-1], POINTS)))
    keep = np.unique(np.append(keep[keep < len(x)], len(x) - 1))
    return x[keep], y[keep]


def _short(value: float | None) -> str:
    return "" if value is None else f"({value:.3f})"
