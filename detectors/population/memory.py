"""The newest value of each vital that is still valid, in a few bytes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from detectors.population.model import VITALS
from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Before, Moment, Score

# A pulse stands in for a heart rate that is not measured.
SLOTS: tuple[Vital, ...] = (*VITALS, Vital.PULSE_RATE)
PULSE = len(VITALS)
SLOT: Mapping[str, int] = MappingProxyType({vital: n for n, vital in enumerate(SLOTS)})
BASELINE: tuple[str, ...] = tuple(f"baseline.{vital}" for vital in SLOTS)
SUSPECT = int(Quality.SUSPECT)
# Values are kept in hundredths of their unit, distances in thousandths: finer than any device
# measures, and a third of the bytes of a float. Nothing from this world is larger than the bound.
HUNDREDTHS, THOUSANDTHS, BOUND = 100.0, 1000.0, 1e7


class Kept(msgspec.Struct, array_like=True, gc=False):
    """A vital's newest value (hundredths of its unit).

    `age` is in seconds at the memory's `at`, below 0 for what came after it. `own` is the signed
    distance from the patient's own usual (thousandths of a half-width); None: not known.
    """

    device: int
    age: int
    value: int
    own: int | None = None


class Memory(msgspec.Struct, array_like=True):
    """What is known of one patient.

    `at` (seconds since 1970, UTC) is when the patient was last judged, `since` when an unbroken row
    of far distances began (None: the last one was not far). `kept` has a place for each of `SLOTS`.
    """

    at: int
    kept: list[Kept | None]
    devices: list[str]
    since: int | None = None


def taken(memory: Memory, moment: Moment, before: Before, slots: frozenset[int]) -> dict[int, Kept]:
    """Note the moment's values of these slots, with ages as of the moment itself (0)."""
    device = _device(memory, moment.device)
    found: dict[int, Kept] = {}
    for vital, value, quality, _ in moment.samples:
        slot = SLOT.get(vital)
        if slot is not None and slot in slots and not quality & SUSPECT:
            score = before.get(BASELINE[slot])
            own = None if score is None else own_distance(score)
            kept = None if own is None else round(_bounded(own) * THOUSANDTHS)
            found[slot] = Kept(device, 0, round(_bounded(value) * HUNDREDTHS), kept)
    return found


def own_distance(score: Score) -> float | None:
    """Return the signed distance from the patient's own usual, in half-widths of what is expected.

    None where the baseline does not bound it on both sides.

    >>> from detectors.base import Score
    >>> own_distance(Score("baseline/3", "baseline.spo2", 2.0, None, "spo2", 96.0, low=90, high=98))
    0.5
    """
    low, high, reading = score.low, score.high, score.reading
    if low is None or high is None or reading is None or high <= low:
        return None
    return (reading - (low + high) / 2) / ((high - low) / 2)


def moved(memory: Memory, at: int, limit: float) -> list[Kept | None]:
    """Return what is still valid at `at`, with ages as of then."""
    later = at - memory.at
    return [
        Kept(one.device, one.age + later, one.value, one.own)
        if one is not None and -limit <= one.age + later <= limit
        else None
        for one in memory.kept
    ]


def known(kept: list[Kept | None], *, own: bool) -> dict[int, Kept]:
    """Return what is known by slot, the values themselves or the own distances; one pulse only."""
    found = {
        slot: one
        for slot, one in enumerate(kept)
        if one is not None and not (own and one.own is None)
    }
    if 0 in found:
        found.pop(PULSE, None)
    return found


def column(slot: int) -> int:
    """Return the model's column for a slot."""
    return 0 if slot == PULSE else slot


def forget_devices(memory: Memory) -> None:
    """Drop the devices of which nothing is kept any more."""
    used = sorted({one.device for one in memory.kept if one is not None})
    if len(used) < len(memory.devices):
        place = {device: n for n, device in enumerate(used)}
        memory.devices = [memory.devices[device] for device in used]
        for one in memory.kept:
            if one is not None:
                one.device = place[one.device]


def _device(memory: Memory, device: str) -> int:
    """Return the device's place; one past the end: it is new."""
    devices = memory.devices
    return devices.index(device) if device in devices else len(devices)


def _bounded(value: float) -> float:
    return min(max(value, -BOUND), BOUND)
