"""What a score is worth to a team that can answer so many alerts a day: sensitivity and PPV.

A figure over all thresholds (AUROC) says little to a ward; this one asks at the threshold that the
ward could bear.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.evaluation.labelled import Events, Floats, Labelled, Places

# Thresholds of the curve, closest together where alerts are rare: so many tell a smooth curve.
POINTS = 60
MILLISECONDS = 1000.0
SECONDS_PER_HOUR = 3600.0


class Alert(StrEnum):
    """When a score at or above the threshold is an alert."""

    REPEATED = "repeated"  # at any such row, but for the refractory time after the last alert
    CROSSING = "crossing"  # only where the row before was below, and again not so soon after


class AtThreshold(NamedTuple):
    """What a threshold leads to, by patient and by event.

    `alerts` and `true` count alerts, and those within an event, of each patient; `detected` and
    `lead` are by event: whether an alert fell into it, and how many hours before the onset the
    first one did (NaN: none did; below 0: after the onset).
    """

    threshold: float
    alerts: Floats
    true: Floats
    detected: Floats
    lead: Floats


class Point(NamedTuple):
    """A point of the alarm budget curve; `ppv` is NaN without any alert."""

    threshold: float
    alerts_per_day: float
    sensitivity: float
    ppv: float


class Alarms:
    """The alerts that a score gives, at any threshold.

    An alert is a row at or above the threshold, unless the same patient's last alert is less than
    the refractory time before. While a score stays high it is so repeated: the alert of a patient
    who was high before the event began may still fall into it, the number of alerts never falls
    when the threshold is lowered, and a score that is always high is an expensive one. An unknown
    score is no alert.

    Parameters
    ----------
    data, score, found
        The rows, one of the scores, and the events.
    refractory_hours
        0: every row at or above the threshold is an alert.
    alert
        See `Alert`.
    horizon_hours
        See `Events.onset`; for lead times.
    """

    def __init__(
        self,
        data: Labelled,
        score: Floats,
        found: Events,
        refractory_hours: float = 1.0,
        alert: Alert = Alert.REPEATED,
        horizon_hours: float | None = None,
    ) -> None:
        self._data, self._events = data, found
        self._score = np.where(np.isfinite(score), score, -np.inf)
        self._before = np.full(len(score), -np.inf)
        same = data.patient[1:] == data.patient[:-1]
        self._before[1:][same] = self._score[:-1][same]
        self._alert = alert
        self._refractory = int(refractory_hours * SECONDS_PER_HOUR * MILLISECONDS)
        self._key = self._keys(same)
        # Rows so far apart that no alert can silence the next.
        self._apart = not self._refractory or bool((np.diff(self._key) >= self._refractory).all())
        self._onset = found.onset(data, horizon_hours)
        self._days = float(data.days.sum())

    def alerts(self, threshold: float) -> Places:
        """Return the rows that are alerts, in order."""
        alarmed = np.isfinite(self._score) & (self._score >= threshold)
        if self._alert is Alert.CROSSING:
            alarmed &= self._before < threshold
        rows = np.flatnonzero(alarmed)
        if self._apart or not len(rows):
            return rows
        # Of each row, the first one that it does not silence: from the patient's first row a chain
        # of alerts, and from its end to the next patient, for whom nothing is silenced.
        keys = self._key[rows]
        following = np.searchsorted(keys, keys + self._refractory).tolist()
        chosen, place = [], 0
        while place < len(following):
            chosen.append(place)
            place = following[place]
        return rows[chosen]

    def at(self, threshold: float) -> AtThreshold:
        """Work out what a threshold leads to; infinity: no alert at all."""
        data, found = self._data, self._events
        rows = self.alerts(threshold)
        ones = np.ones(len(rows))
        hits = rows[data.label[rows]]
        which, first = np.unique(found.run[hits], return_index=True)
        lead = np.full(len(found.first), np.nan)
        lead[which] = (self._onset[which] - data.at[hits[first]]) / SECONDS_PER_HOUR
        return AtThreshold(
            threshold,
            data.summed(ones, rows),
            data.summed(ones[: len(hits)], hits),
            np.isfinite(lead).astype(np.float64),
            lead,
        )

    def curve(self) -> list[Point]:
        """Return the alarm budget curve, from the highest threshold down."""
        known = self._thresholds()
        if not len(known):
            return []
        ranks = np.unique(np.geomspace(1, len(known), POINTS).astype(int))
        return [self._point(float(known[-rank])) for rank in ranks]

    def within(self, budgets: Sequence[float], curve: Sequence[Point]) -> list[AtThreshold]:
        """Find the lowest threshold of each budget (alerts per patient-day), and what it leads to.

        All thresholds above it keep the budget too (of crossings, whose number may fall again,
        those of the curve). Where none does, it is infinite: no alerts.
        """
        known = self._thresholds()
        return [self.at(self._lowest(known, curve, budget)) for budget in budgets]

    def _lowest(self, known: Floats, curve: Sequence[Point], budget: float) -> float:
        """Look between the last point of the curve that keeps the budget and the first above it."""
        kept = np.inf
        for point in curve:
            if point.alerts_per_day > budget:
                low = int(np.searchsorted(known, point.threshold))
                high = int(np.searchsorted(known, kept))
                while high - low > 1:
                    middle = (low + high) // 2
                    if self._rate(float(known[middle])) > budget:
                        low = middle
                    else:
                        high = middle
                return float(known[high]) if high < len(known) else np.inf
            kept = point.threshold
        return kept

    def _thresholds(self) -> Floats:
        return np.unique(self._score[np.isfinite(self._score)])

    def _rate(self, threshold: float) -> float:
        return len(self.alerts(threshold)) / self._days

    def _point(self, threshold: float) -> Point:
        found = self.at(threshold)
        alerts = float(found.alerts.sum())
        events = len(found.detected)
        sensitivity = float(found.detected.sum()) / events if events else float("nan")
        ppv = float(found.true.sum()) / alerts if alerts else float("nan")
        return Point(threshold, alerts / self._days, sensitivity, ppv)

    def _keys(self, same: Places) -> Places:
        """Give each row its time in milliseconds, patients far apart, so that one order holds."""
        data = self._data
        starts = np.flatnonzero(np.append(True, ~same.astype(bool)))
        elapsed = data.at - data.at[starts][data.patient]
        keys = np.rint(elapsed * MILLISECONDS).astype(np.int64)
        apart = int(keys.max(initial=0)) + self._refractory + 1
        return np.asarray(keys + apart * data.patient)
