"""Heart rate by ECG and pulse by light: one heart, and which of two sources to believe."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.artefact.state import Options, State
    from detectors.base import Sample

HEART = Vital.HEART_RATE.value
PULSE = Vital.PULSE_RATE.value
SUSPECT = int(Quality.SUSPECT)
# The level that both agreed on follows them with this time constant: long against movement, short
# against a fever. An engineering choice.
LEVEL_SECONDS = 60.0


class Pair(NamedTuple):
    """What came of the two in one moment; None: it did not come."""

    heart: Sample | None
    pulse: Sample | None

    @property
    def apart(self) -> float | None:
        """How far the two differ (per minute); None when they did not both come."""
        if self.heart is None or self.pulse is None:
            return None
        return abs(self.heart.value - self.pulse.value)


def pair(samples: Sequence[Sample]) -> Pair:
    """Find the two in a moment."""
    heart = pulse = None
    for sample in samples:
        if sample.vital == HEART:
            heart = sample
        elif sample.vital == PULSE:
            pulse = sample
    return Pair(heart, pulse)


def alarming(sample: Sample | None, options: Options) -> bool:
    """Whether this source, if it came, shows a patient in danger."""
    return sample is not None and not options.urgent_low < sample.value < options.urgent_high


def shows_life(sample: Sample | None, options: Options) -> bool:
    """Whether this source came, and shows a heart that beats as it should."""
    return sample is not None and not sample.quality & SUSPECT and not alarming(sample, options)


def doubted(both: Pair, options: Options, level: float | None) -> Sample | None:
    """Say which of two that disagree is not to be believed; None: neither can be doubted.

    The one that is farther from the level they agreed on, if the other stayed there (within half of
    what they may differ by) and shows no danger. When both are beyond an urgent bound, or both have
    left the level, the patient may have changed, and both are believed.

    >>> from detectors.artefact.state import Options
    >>> from detectors.base import Sample
    >>> ecg, light = Sample("heart_rate", 180.0), Sample("pulse_rate", 82.0)
    >>> doubted(Pair(ecg, light), Options(), level=80.0).vital
    'heart_rate'
    >>> doubted(Pair(ecg, Sample("pulse_rate", 150.0)), Options(), level=80.0) is None
    True
    """
    heart, pulse = both
    if heart is None or pulse is None:
        return None
    if level is None:
        # No level yet: a zero is never believed against a heart that beats.
        for zero, other in ((heart, pulse), (pulse, heart)):
            if zero.value <= 0 and shows_life(other, options):
                return zero
        return None
    near, far = heart, pulse
    if abs(pulse.value - level) < abs(heart.value - level):
        near, far = pulse, heart
    if not shows_life(near, options):
        return None
    return far if abs(near.value - level) <= options.tolerance / 2 else None


def follow(state: State, both: Pair, options: Options, at: int) -> None:
    """Remember where the two are while they agree, and since when they do not."""
    heart, pulse = both
    if heart is None or pulse is None:
        return
    gap = at - state.met
    if gap < 0:
        return
    state.met = at
    if abs(heart.value - pulse.value) > options.tolerance:
        # After a time without both, nobody knows that it is still the same disagreement.
        if state.apart is None or gap > options.lasting:
            state.apart = at
        return
    state.apart = None
    if (heart.quality | pulse.quality) & SUSPECT:
        return
    mean = (heart.value + pulse.value) / 2
    if state.level is None:
        state.level = mean
    else:
        state.level += (mean - state.level) * min(1.0, gap / LEVEL_SECONDS)
