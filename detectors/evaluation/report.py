"""An evaluation as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.evaluation.measure import AtBudget, Evaluation, Figure

NONE = "-"
# Columns of text where nobody says how many there are.
WIDTH = 150


def told(figure: Figure, digits: int = 3, between: str = " ") -> str:
    """Write a figure with its interval, and something between the two.

    >>> from detectors.evaluation.measure import Figure
    >>> told(Figure(0.7012, 0.684, 0.7181)), told(Figure(2.0, None, None), 1)
    ('0.701 [0.684, 0.718]', '2.0')
    >>> told(Figure(None, None, None))
    '-'
    """
    if figure.value is None:
        return NONE
    value = f"{figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value}{between}[{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def lines(found: Evaluation) -> Iterator[str]:
    """Say what was judged, and how."""
    yield (
        f"{found.patients} patients, {found.patient_days:.1f} patient-days, {found.rows} labelled "
        f"rows, {found.positive_rows} of them in {found.events} events"
    )
    if found.unscored_rows:
        yield f"{found.unscored_rows} labelled rows have no row of scores: unknown, so no alert"
    if found.unlabelled_rows:
        yield f"{found.unlabelled_rows} rows of scores have no label: left out"
    for why in dict.fromkeys(found.unjudged.values()):
        names = ", ".join(name for name, own in found.unjudged.items() if own == why)
        yield f"not judged, as {why}: {names}"
    row = "a row at or above the threshold"
    if found.alert == "crossing":
        row += " whose row before was below"
    yield f"an alert: {row}, at least {found.refractory_hours:g} h after the patient's last alert"
    onset = (
        "the end of the run of labels"
        if found.horizon_hours is None
        else f"{found.horizon_hours:g} h after the first label"
    )
    yield f"lead time: from the first alert within the event to {onset}, in hours"
    if found.replicates:
        yield f"in brackets: 95 % intervals over {found.replicates} samples of the patients"


def tables(found: Evaluation) -> Iterator[Table]:
    """Lay the figures out: ranking, alarm budgets, calibration."""
    ranking = Table("score", "known", "AUROC", "AUPRC", title="Ranking of rows")
    for name, score in found.scores.items():
        known = f"{100 * score.coverage:.1f} %"
        ranking.add_row(name, known, told(score.auroc), told(score.auprc))
    yield ranking
    budgets = Table(
        *("score", "budget", "threshold", "alerts/day", "sensitivity", "PPV"),
        "lead time (quartiles)",
        title="Alarm budgets (alerts per patient-day)",
    )
    for name, score in found.scores.items():
        for at in score.budgets:
            budgets.add_row(name, *_cells(at))
    yield budgets
    if any(score.calibration is not None for score in found.scores.values()):
        yield _calibration(found)


def _cells(at: AtBudget) -> tuple[str, ...]:
    return (
        f"{at.budget:g}",
        NONE if at.threshold is None else f"{at.threshold:.4g}",
        told(at.alerts_per_patient_day, 2, "\n"),
        told(at.sensitivity, 3, "\n"),
        told(at.ppv, 3, "\n"),
        _lead(at),
    )


def _lead(at: AtBudget) -> str:
    """Write the median with its interval below, and the quartiles beside it."""
    lead = at.lead_hours
    low, high = lead.lower_quartile.value, lead.upper_quartile.value
    if low is None or high is None:
        return NONE
    return told(lead.median, 1, f" ({low:.1f} to {high:.1f})\n")


def _calibration(found: Evaluation) -> Table:
    table = Table(
        *("score", "Brier", "observed less predicted", "slope"),
        title="Calibration (1 is the right slope, below it too extreme)",
    )
    for name, score in found.scores.items():
        if score.calibration is not None:
            own = score.calibration
            table.add_row(name, told(own.brier, 4), told(own.in_the_large, 4), told(own.slope, 2))
    return table
