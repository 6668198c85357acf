"""What the checks must know of `anomaly`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.anomaly import Anomaly, Options
from detectors.base import Score
from ingest.readings import Quality, Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random

    from detectors.base import Before, Moment

# What is usual for the patient, as a baseline would say it: the mean and a spread.
USUAL = {
    Vital.HEART_RATE: (72.0, 3.0),
    Vital.RESPIRATORY_RATE: (15.0, 2.0),
    Vital.SPO2: (97.0, 1.0),
    Vital.TEMPERATURE: (36.8, 0.2),
}


def _usual(random: Random, _n: int) -> dict[str, float]:
    return {vital: random.gauss(mean, spread) for vital, (mean, spread) in USUAL.items()}


def before(moment: Moment) -> Before:
    """Say what a baseline would: nothing of a suspect value."""
    scores = {}
    for sample in moment.samples:
        if sample.quality & Quality.SUSPECT:
            continue
        mean, spread = USUAL[Vital(sample.vital)]
        rule, far = f"baseline.{sample.vital}", abs(sample.value - mean) / spread
        low, high = mean - 4 * spread, mean + 4 * spread
        scores[rule] = Score("baseline/3", rule, far, None, sample.vital, sample.value, low, high)
    return scores


SUBJECT = Subject(
    kind=Anomaly,
    rule="anomaly",
    usual=_usual,
    ill=[{Vital.HEART_RATE: 72.0 + 9 * n, Vital.TEMPERATURE: 36.8 + 0.5 * n} for n in range(1, 5)],
    options=Options(low=2.5, medium=4.0),
    before=before,
    state_bytes=350,
)
