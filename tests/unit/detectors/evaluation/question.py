"""Made-up questions: patients, hourly rows, events, scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from detectors.evaluation.labelled import Labelled, labelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.evaluation.labelled import Floats

HOUR = 3600.0


def one_patient(labels: Sequence[int], score: Sequence[float], every: float = HOUR) -> Labelled:
    """Build the rows of one patient, an hour apart."""
    at = np.array([every * row for row in range(len(labels))])
    names = ["p-1"] * len(labels)
    return labelled(names, at, np.array(labels) > 0, {"score": np.array(score, dtype=float)})


def ward(seed: int, patients: int = 40, hours: int = 30, *, digits: int | None = None) -> Labelled:
    """Build a ward of which a fifth gets ill; `digits` rounds the score, so that there are ties."""
    random = np.random.default_rng(seed)
    names, at, label, score = [], [], [], []
    for number in range(patients):
        onset = int(random.integers(5, hours)) if random.random() < 0.2 or number == 0 else hours
        for hour in range(hours):
            names.append(f"p-{number}")
            at.append(hour * HOUR)
            label.append(onset - 5 <= hour < onset)
            score.append(random.normal() + label[-1])
    figures: Floats = np.array(score)
    if digits is not None:
        figures = np.round(figures, digits)
    figures[random.random(len(figures)) < 0.05] = np.nan
    return labelled(names, np.array(at), np.array(label), {"score": figures})
