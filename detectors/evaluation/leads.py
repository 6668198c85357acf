"""How early? The lead times of detected events, with their quartiles for samples of patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from detectors.evaluation.labelled import Floats, Places

QUARTILES = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}


class Lead(NamedTuple):
    """A quantile of the lead times; `ordered` are those of detected events, with whose they are."""

    ordered: Floats
    patient: Places
    quantile: float

    def over(self, weights: Floats) -> Floats:
        """Return the lead time (hours) that this share of the detected events did not exceed.

        Of an even number of events the median is between the two in the middle. NaN: none was
        detected.

        >>> lead = Lead(np.array([1.0, 2.0, 9.0]), np.array([0, 1, 2]), 0.5)
        >>> lead.over(np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]]))
        array([2. , 5.5, nan])
        """
        counts = weights[:, self.patient]
        known = np.cumsum(counts, axis=1)
        total = known[:, -1] if len(self.ordered) else np.zeros(len(weights))
        # Each event stands as often as its patient was drawn; quantiles as numpy has them.
        place = np.maximum(total - 1, 0) * self.quantile
        lower, upper = np.floor(place), np.ceil(place)
        found = np.full(len(weights), np.nan)
        for number in np.flatnonzero(total > 0):
            low = self.ordered[np.searchsorted(known[number], lower[number], side="right")]
            high = self.ordered[np.searchsorted(known[number], upper[number], side="right")]
            found[number] = low + (high - low) * (place[number] - lower[number])
        return found


def leads(hours: Floats, patient: Places) -> dict[str, Lead]:
    """Make the quartiles ready; `hours` are by event, NaN where it was not detected."""
    detected = np.flatnonzero(np.isfinite(hours))
    order = detected[np.argsort(hours[detected], kind="stable")]
    return {name: Lead(hours[order], patient[order], share) for name, share in QUARTILES.items()}
