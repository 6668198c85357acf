"""What a finding of the population tells: which vitals, in what way, against what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from detectors.findings import Against, Evidence, Finding, Kind, Part, Pattern, Priority
from detectors.population.memory import BASELINE, HUNDREDTHS, SLOTS, Kept, column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detectors.base import Before, Moment
    from detectors.population.model import Distance, Reference

RULE = "population"
DETECTOR = "population/1"
# One vital speaks for itself when it gives half of the distance and is by itself beyond three
# spreads, as one value in 370 is, were it normal (engineering choice): else it is the combination.
ALONE_SHARE, ALONE_SPREADS = 0.5, 3.0
# A vital is evidence when it gives at least this part of the distance (engineering choice); the one
# that gives most always is.
SHARE = 0.1
# Bounds of what is expected of others, for the evidence: as wide as above.
WIDE = ALONE_SPREADS


class View(NamedTuple):
    """A moment as it was judged: against which reference, and what was known by slot.

    `own`: the reference is of distances from the patient's own usual, not of the values themselves.
    """

    moment: Moment
    before: Before
    reference: Reference
    found: Mapping[int, Kept]
    own: bool


def told(
    view: View,
    distance: Distance,
    devices: Sequence[str],
    since: datetime,
    missing: tuple[str, ...],
) -> Finding:
    """Build the advice that a far distance is.

    `parts` has every vital that was known, with its share of the distance: they sum to 1, and one
    below 0 speaks against. `devices` are the names behind `Kept.device`.
    """
    shares = {slot: distance.shares[column(slot)] for slot in sorted(view.found)}
    most = max(shares, key=lambda slot: shares[slot])
    spreads = distance.spreads[column(most)]
    pattern = Pattern.TOGETHER
    if shares[most] >= ALONE_SHARE and abs(spreads) >= ALONE_SPREADS:
        pattern = Pattern.ABOVE if spreads > 0 else Pattern.BELOW
    speaks = [slot for slot, share in shares.items() if share >= SHARE or slot == most]
    return Finding(
        rule=RULE,
        kind=Kind.ADVISORY,
        priority=Priority.LOW,
        detector=DETECTOR,
        evidence=tuple(_evidence(view, speaks, devices)),
        score=distance.value,
        missing=missing,
        since=since,
        pattern=pattern,
        against=_against(view, speaks),
        parts=tuple(Part(str(SLOTS[slot]), share) for slot, share in shares.items()),
    )


def _against(view: View, slots: Sequence[int]) -> Against:
    """Name what a reader sees the values compared with: the patient's own usual once it is known.

    Over what time that was learned, the baseline says where it found a value unusual itself; else
    it is taken for the shortest.
    """
    if not view.own:
        return Against.OTHERS
    usuals = [view.before.get(BASELINE[slot]) for slot in slots]
    told = [one.finding.against for one in usuals if one is not None and one.finding is not None]
    return next((one for one in told if one is not None), Against.HOURS)


def _bounds(view: View, slot: int) -> tuple[float | None, float | None]:
    """Say what was expected of a vital; of an own usual, only where it came with this moment."""
    if view.own:
        usual = view.before.get(BASELINE[slot]) if view.found[slot].age == 0 else None
        return (None, None) if usual is None else (usual.low, usual.high)
    marginal = view.reference.joint.marginals[column(slot)]
    return marginal.centre - WIDE * marginal.below, marginal.centre + WIDE * marginal.above


def _evidence(view: View, slots: Sequence[int], devices: Sequence[str]) -> Iterator[Evidence]:
    moment = view.moment
    samples = {sample.vital: sample for sample in moment.samples}
    for slot in slots:
        vital, one = str(SLOTS[slot]), view.found[slot]
        low, high = _bounds(view, slot)
        if one.age == 0 and (sample := samples.get(vital)) is not None:
            yield Evidence(
                vital, sample.value, moment.time, moment.device, low, high, None, sample.original
            )
        else:
            time = datetime.fromtimestamp(moment.at - one.age, UTC)
            yield Evidence(vital, one.value / HUNDREDTHS, time, devices[one.device], low, high)
