"""When devices and vitals were last heard, and how often they come: what `silence` remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from detectors.base import Feed

# The usual interval is learned from the gaps between hearings, by the feed's clock: a gap that is
# longer raises it by a tenth, a shorter one takes off a hundredth of that gap's length. So what is
# sent in one go weighs no more than the seconds it took, and one holiday raises it by a tenth only
# (engineering choice: a stochastic approximation of a high quantile, weighted by time).
RAISED, TAKEN_OFF = 1.1, 0.01
# Until so many gaps came, over at least the shortest silence that would be told of, nothing is
# expected, and the longest gap stands (engineering choice).
WARM = 8


class Heard(msgspec.Struct, array_like=True, gc=False):
    """When a device or a vital was last heard, and how often it comes.

    `fed` is the feed's second, `first` that of the first time (None: what is usual is known),
    `back` that at which it came back from its last silence (None: never); `gap` is the learned
    interval in such seconds (None: shorter than matters), `count` how many gaps there were, up to
    WARM. `at` (seconds since 1970, UTC), `vital` (of a device), `value` and the device's `number`
    are the newest reading. Whole seconds are enough here, and half the room.
    """

    fed: int
    first: int | None
    at: int
    vital: str
    value: float
    number: int
    gap: float | None = None
    count: int = 0
    back: int | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """What was heard, by device and by vital; `fed` and `at` are since when the patient is watched.

    None: the patient is not watched yet. `ordered` has the same two by vital, since when it is
    known to be prescribed.
    """

    devices: dict[str, Heard] = msgspec.field(default_factory=dict)
    vitals: dict[str, Heard] = msgspec.field(default_factory=dict)
    fed: float | None = None
    at: float | None = None
    ordered: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)


def begun(feed: Feed) -> State:
    """Make the state of a patient who is watched from now on and has not sent anything yet."""
    return State(fed=feed.fed, at=feed.time.timestamp())


def order(state: State, vitals: Iterable[str], feed: Feed) -> None:
    """Take in what is prescribed now: what is new of it cannot have been missed before."""
    now = float(feed.fed), feed.time.timestamp()
    state.ordered = {vital: state.ordered.get(vital, now) for vital in sorted(vitals)}


def without(state: State, devices: Collection[str]) -> None:
    """Expect nothing more of devices that were taken off the patient.

    Nor of the vitals that they measured last, until those have come often enough again; when they
    were measured last is kept for the prescriptions.
    """
    gone = {state.devices.pop(name).number for name in devices}
    for one in state.vitals.values():
        if one.number in gone:
            one.first, one.back, one.gap, one.count = one.fed, None, None, 0


def learn(heard: Heard, gap: int, *, matters: float, floor: float) -> None:
    """Take in a gap before it is heard again; all in seconds of the feed.

    A gap up to `matters` makes no difference to what is late; `floor` is the shortest silence that
    is told of.
    """
    warm, usual = heard.first is None, heard.gap or 0.0
    if gap <= usual:
        if warm:
            shorter = usual - TAKEN_OFF * gap
            heard.gap = shorter if shorter > matters else None
    elif gap > matters:
        heard.gap = RAISED * max(usual, matters) if warm else float(gap)
    if heard.first is not None:
        heard.count = min(WARM, heard.count + 1)
        if heard.count == WARM and heard.fed + gap - heard.first >= floor:
            heard.first = None
