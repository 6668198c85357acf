"""Scores beside the truth: rows of patients, the events among them, the time they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """All rows of a question, by patient and then by time.

    `patient` numbers the patients from 0 to `patients` - 1, `at` is in seconds since 1970 (UTC),
    `label` says whether the row belongs to an event. `scores` has a figure for each row by the
    score's name; NaN is unknown. `stands_for` is the time in seconds that each row stands for.
    `unscored` counts labelled rows without any row of scores, `unlabelled` rows of scores that the
    question leaves out. `unjudged` says of columns that are no score here why not.
    """

    patient: Places
    at: Floats
    label: Flags
    scores: Mapping[str, Floats]
    stands_for: Floats
    patients: int
    unscored: int = 0
    unlabelled: int = 0
    unjudged: Mapping[str, str] = field(default_factory=dict)

    @property
    def days(self) -> Floats:
        """Days that each patient was watched."""
        return self.summed(self.stands_for) / DAY

    def summed(self, values: Floats, rows: Places | None = None) -> Floats:
        """Add up values by patient; `rows` are the places they belong to (None: every row)."""
        whose = self.patient if rows is None else self.patient[rows]
        found = np.bincount(whose, weights=values, minlength=self.patients)
        return found.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Events:
    """The events: unbroken runs of rows with label 1 of one patient, in the order of the rows.

    `run` numbers the event of each row (-1: of none), `patient` says whose each event is, `first`
    and `last` are the places of its first and last row.
    """

    run: Places
    patient: Places
    first: Places
    last: Places

    def onset(self, data: Labelled, horizon_hours: float | None) -> Floats:
        """Say when what the labels foretell began, in seconds since 1970.

        None: at the end of the run, as for labels "within the next hours" of rows that end there.
        With a horizon: so long after the run's first row, as for labels that are set for so long
        before the onset and stay after it (PhysioNet 2019: 6 hours).
        """
        if horizon_hours is None:
            return data.at[self.last]
        return data.at[self.first] + 3600.0 * horizon_hours


def labelled(
    patients: Sequence[str] | NDArray[np.str_],
    at: Floats,
    label: Flags,
    scores: Mapping[str, Floats],
    row_hours: float | None = None,
    counts: tuple[int, int] = (0, 0),
    unjudged: Mapping[str, str] | None = None,
) -> Labelled:
    """Put rows in order and count what they stand for.

    Each row stands for the time until the patient's next row, but for no more than `row_hours`
    (None: the median time between two rows of a patient, of all patients); a patient's last row
    stands for as much. So hours that a question leaves out are nobody's time.

    >>> data = labelled(["b", "a", "a"], np.array([0.0, 3600.0, 0.0]), np.array([1, 1, 0]) > 0, {})
    >>> data.patient.tolist(), data.label.tolist(), (data.days * 24).tolist()
    ([0, 0, 1], [False, True, True], [2.0, 1.0])
    """
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    order = np.lexsort((at, codes))
    whose, time = codes[order].astype(np.int64), at[order]
    longest = None if row_hours is None else 3600.0 * row_hours
    return Labelled(
        whose,
        time,
        label[order],
        {name: values[order] for name, values in scores.items()},
        _stands_for(whose, time, longest),
        len(names),
        *counts,
        unjudged or {},
    )


def events(data: Labelled) -> Events:
    """Find the events.

    >>> label = np.array([0, 1, 1, 0, 1]) > 0
    >>> found = events(labelled(list("aaaaa"), np.arange(5.0), label, {}))
    >>> found.run.tolist(), found.first.tolist(), found.last.tolist()
    ([-1, 0, 0, -1, 1], [1, 4], [2, 4])
    """
    new = np.ones(len(data.patient), dtype=bool)
    new[1:] = (data.patient[1:] != data.patient[:-1]) | ~data.label[:-1]
    begins = data.label & new
    run = np.where(data.label, np.cumsum(begins) - 1, -1)
    first = np.flatnonzero(begins)
    members = np.flatnonzero(data.label)
    last = members[np.searchsorted(run[members], np.arange(len(first)), side="right") - 1]
    return Events(run.astype(np.int64), data.patient[first], first, last)


def _stands_for(patient: Places, at: Floats, longest: float | None) -> Floats:
    gaps = np.diff(at)
    same = patient[1:] == patient[:-1]
    if longest is None:
        # One row of each patient says nothing of how often there are rows: a day is a guess.
        longest = float(np.median(gaps[same])) if same.any() else DAY
    found = np.full(len(at), longest)
    found[:-1][same] = np.minimum(gaps[same], longest)
    return found
