"""Does the score rank rows of events above the others? AUROC, AUPRC, and their curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from detectors.evaluation.labelled import Flags, Floats, Labelled, Places

Which = Literal["auroc", "auprc"]


class Curve(NamedTuple):
    """The points of both curves, from the highest threshold down: a point for each threshold.

    `false_positives` and `true_positives` are shares (0..1) of the rows without and with an event
    at or above it; `precision` is the share of events among all rows at or above it.
    """

    false_positives: Floats
    true_positives: Floats
    precision: Floats


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows by score, made ready to be weighed by patient again and again.

    Only groups of equal scores that hold an event matter; the rows between two of them are one
    sum. So a sample of patients costs one pass over the rows: about 1.5 ms for 300,000.
    """

    _whose: Places  # patients of all rows, the highest score first
    _hits: Places  # patients of the rows with an event, in the same order
    _segments: Places  # where each stretch of rows begins
    _held: Flags  # which of these stretches are groups that hold an event
    _groups: Places  # where each group begins among `_hits`

    def over(self, weights: Floats, which: Which) -> Floats:
        """Work out AUROC or AUPRC (average precision) for samples of patients.

        Ties count half in AUROC, and as one threshold in AUPRC. NaN where a sample holds no event,
        or nothing else.
        """
        return np.array([self._one(sample, which) for sample in weights])

    def _one(self, weights: Floats, which: Which) -> float:
        rows = np.add.reduceat(weights[self._whose], self._segments)
        hits = np.add.reduceat(weights[self._hits], self._groups)
        total, events = rows.sum(), hits.sum()
        others = total - events
        if events <= 0 or others <= 0:
            return float("nan")
        above = np.cumsum(rows)[self._held]
        found = np.cumsum(hits)
        if which == "auprc":
            # A group of which nobody was drawn stands above nothing.
            precision = found / np.maximum(above, 1e-300)
            return float((hits * precision).sum() / events)
        false = above - found
        same = rows[self._held] - hits
        return float((hits * (others - false + same / 2)).sum() / (events * others))


class Ranked(NamedTuple):
    """One of the two figures of a ranking, as a measure."""

    ranking: Ranking
    which: Which

    def over(self, weights: Floats) -> Floats:
        """Work it out for samples of patients."""
        return self.ranking.over(weights, self.which)


def ranking(data: Labelled, score: Floats) -> Ranking:
    """Put the rows in the order of a score; an unknown score is the lowest of all.

    >>> from detectors.evaluation.labelled import labelled
    >>> label = np.array([0, 1, 0, 1]) > 0
    >>> data = labelled(list("abcd"), np.zeros(4), label, {})
    >>> found = ranking(data, np.array([0.1, 0.4, np.nan, 0.1]))
    >>> [round(float(found.over(np.ones((1, 4)), which)[0]), 3) for which in ("auroc", "auprc")]
    [0.875, 0.833]
    """
    known = _known(score)
    order = np.argsort(-known, kind="stable")
    label = data.label[order]
    starts = _starts(known[order])
    ends = np.append(starts[1:], len(order))
    hits = np.flatnonzero(label)
    group = np.searchsorted(starts, hits, side="right") - 1
    held, first = np.unique(group, return_index=True)
    segments = np.unique(np.concatenate([[0], starts[held], ends[held]]))
    segments = segments[segments < len(order)]
    whose = data.patient[order]
    return Ranking(whose, whose[hits], segments, np.isin(segments, starts[held]), first)


def curve(data: Labelled, score: Floats) -> Curve:
    """Return the points of the ROC and the precision-recall curve; both classes must be there."""
    known = _known(score)
    order = np.argsort(-known, kind="stable")
    ends = np.append(_starts(known[order])[1:], len(order)) - 1
    found = np.cumsum(data.label[order])[ends].astype(np.float64)
    above = ends + 1.0
    events = float(data.label.sum())
    false = (above - found) / max(len(order) - events, 1.0)
    return Curve(np.append(0.0, false), np.append(0.0, found / max(events, 1.0)), found / above)


def _known(score: Floats) -> Floats:
    return np.where(np.isfinite(score), score, -np.inf)


def _starts(ordered: Floats) -> Places:
    """Return where each group of equal scores begins."""
    new = np.ones(len(ordered), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return np.flatnonzero(new)
