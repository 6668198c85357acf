"""The model card: what a model was fitted to, how good it is, what it must not be used for.

References
----------
Mitchell, M. et al. Model cards for model reporting. FAT* 2019. Collins, G. S. et al. Transparent
reporting of a multivariable prediction model (TRIPOD+AI). BMJ 385, 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.risk.features import WATCHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.evaluation.measure import Figure, ScoreFigures
    from detectors.risk.training import Trained

NOT_FOR = """\
- It is no diagnosis and no urgent alarm. What it raises is closer follow-up or advice; the limits
  and NEWS2 stay in force beside it.
- Not for patients under 16 or in pregnancy: Vigie gives no score for them.
- Not validated outside the population above. At home, on a ward or with a wearable it is one more
  number, whose probability is not to be taken at its word.
- Not a reason to withhold care: a low risk says only that the vitals look like those of patients to
  whom nothing of the kind happened.
- Not for billing, triage between patients, or the comparison of hospitals."""

FEATURES = """\
A logistic regression over statistics of {vitals}: the newest value (a curve with knots at the edges
of the NEWS2 bands), the mean over 24 h, the mean step between two readings, how far readings were
beyond an edge on average (3 h and 24 h), and NEWS2 points (3 h); half-lives by the clock of the
readings. A vital that never came gives nothing. Age, hours since admission, other detectors' scores
and the pattern of what was measured are no inputs."""

PATTERN = """\
Whether the inputs tell the pattern of care in disguise was checked: every value was dealt out anew
among all readings of its vital, while who was measured, when, and which vitals stayed as they were.
On these values the model has an AUROC of **{pattern:.3f}** (0.5: the pattern tells nothing). All
averages have weights that add up to 1, so that none of them grows as it warms up."""


SAME_ROWS = """\
Platt's scaling has its two figures from these same left-out rows, so the slope is near 1 whatever
the model: read the tenths."""


def card(trained: Trained) -> str:
    """Write the model card in Markdown; the same figures give the same text."""
    return "\n".join(_lines(trained)) + "\n"


def _lines(trained: Trained) -> Iterator[str]:
    plan, model, found = trained.plan, trained.model, trained.evaluation
    figures = found.scores["risk"]
    yield f"# Model card: {model.question}, version {model.version}"
    yield ""
    how = "[how to train a risk model](../how-to/train-a-risk-model.md)"
    yield f"Written by `vigie train`; see {how}."
    if plan.about:
        yield f"\n## Question\n\n{plan.about}"
    yield "\n## Data\n"
    yield f"- Recordings: {plan.data}"
    yield f"- Licence: {plan.licence}"
    yield (
        f"- {found.patients:,} patients, {found.rows:,} labelled times, {found.patient_days:,.0f}"
        f" patient-days; {found.positive_rows:,} times with label 1"
        f" ({found.positive_rows / found.rows:.2%}), {found.events:,} events"
    )
    yield "\n## Model\n"
    vitals = ", ".join(str(one.vital).replace("_", " ") for one in WATCHED)
    yield FEATURES.format(vitals=vitals)
    yield ""
    yield (
        f"Fitted with a ridge penalty of {plan.penalty:g}; seed {plan.seed}. Platt's scaling of"
        f" out-of-fold log-odds: slope {model.calibration.slope:.3f}, intercept"
        f" {model.calibration.intercept:.3f}."
    )
    yield "\n" + PATTERN.format(pattern=trained.pattern)
    yield "\n## How good\n"
    yield from _figures(trained, figures)
    yield "\n## Calibration\n"
    yield from _calibration(figures)
    yield "\n## Going on learning\n"
    progressive = trained.progressive
    yield (
        f"River's own model, started from the weights of the other folds, went through"
        f" {progressive.rows:,} times of the last fold patient by patient, predicting a whole stay"
        f" first and learning it then: AUROC {progressive.learning:.3f}, against"
        f" {progressive.frozen:.3f} with the weights left as they were."
    )
    yield "\n## What it must not be used for\n"
    yield NOT_FOR


def _figures(trained: Trained, figures: ScoreFigures) -> Iterator[str]:
    plan, found = trained.plan, trained.evaluation
    folds = ", ".join(f"{one:.3f}" for one in trained.by_fold)
    yield (
        f"{plan.folds}-fold cross-validation by patient; 95 % intervals by drawing patients"
        f" ({found.replicates} times). An alert is a time at or above the threshold, none within"
        f" {found.refractory_hours:g} h after another."
    )
    yield ""
    yield f"- AUROC **{_with(figures.auroc)}** (folds: {folds})"
    yield f"- AUPRC {_with(figures.auprc)}"
    yield ""
    yield "| alerts per patient-day | threshold | sensitivity | PPV | median lead time, h |"
    yield "|---|---|---|---|---|"
    for one in figures.budgets:
        threshold = "-" if one.threshold is None else f"{one.threshold:.4f}"
        yield (
            f"| {one.budget:g} | {threshold} | {_with(one.sensitivity)} | {_with(one.ppv)}"
            f" | {_with(one.lead_hours.median, 1)} |"
        )
    thresholds = trained.model.thresholds
    yield ""
    yield (
        f"The shipped threshold is that of the first row: a finding begins at {thresholds.alert:g}"
        f" and ends below {thresholds.release:g}."
    )


def _calibration(figures: ScoreFigures) -> Iterator[str]:
    one = figures.calibration
    if one is None:
        yield "Not known."
        return
    yield (
        f"Brier score {_with(one.brier, 4)}; slope {_with(one.slope, 2)}. {SAME_ROWS} Tenths of the"
        " rows by prediction:"
    )
    yield ""
    yield "| predicted | observed | rows |"
    yield "|---|---|---|"
    for each in one.curve:
        yield f"| {each.predicted:.4f} | {_with(each.observed, 4)} | {each.rows:,} |"


def _with(figure: Figure, digits: int = 3) -> str:
    if figure.value is None:
        return "-"
    value = f"{figure.value:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"
