"""What the artefact detector is told, and what it remembers."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec

from ingest.readings import Vital


class Plausible(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a body can do with one vital.

    Parameters
    ----------
    rise, fall
        The most it changes within `seconds`, in the vital's unit; over longer, as much more as it
        is longer. None: a change in this direction is never doubted.
    seconds
        See there.
    confirm
        A new level that has held for so many seconds is believed, however it came.
    flat
        For how many seconds a living body may give the very same number, read at least once a
        minute. None: for ever (a saturation of 100 %, a ventilator's rate, the last cuff pressure
        sent again each second).
    off
        Whether 0 means a sensor that is off, if another source shows a heart that beats.
    """

    rise: Annotated[float, msgspec.Meta(gt=0)] | None = None
    fall: Annotated[float, msgspec.Meta(gt=0)] | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    confirm: Annotated[float, msgspec.Meta(ge=0)] = 15.0
    flat: Annotated[float, msgspec.Meta(gt=0)] | None = None
    off: bool = False


# A heart rate that changes by more than 60 within 5 s and a weight by more than 5 kg in a day are
# artefacts: `Input validation` of the project's clinical sources. Engineering choices: 15 s until a
# level is believed (shorter than the 28 s in all that a bedside monitor may take for a saturation
# alarm); saturation, as the meter's own averaging over some 8 s lets it fall by 2 points a second
# at most; a temperature probe that slips or is put elsewhere.
HEART = Plausible(rise=60.0, flat=1800.0, off=True)
USUAL: dict[str, Plausible] = {
    Vital.HEART_RATE: HEART,
    Vital.PULSE_RATE: HEART,
    Vital.SPO2: Plausible(fall=10.0, off=True),
    Vital.TEMPERATURE: Plausible(rise=1.0, fall=1.0, seconds=60.0, confirm=600.0),
    Vital.WEIGHT: Plausible(rise=5.0, fall=5.0, seconds=86_400.0, confirm=129_600.0),
}


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is implausible.

    Parameters
    ----------
    vitals
        By vital; one that is named here replaces what is usual for it.
    tolerance
        By how much heart rate and pulse rate may differ (per minute). 20: an engineering choice;
        monitors average both over seconds and differently, and a few ectopic beats make 10 or 15.
    urgent_low, urgent_high
        Heart or pulse rates up to and from these are a danger: no other value is doubted on their
        word. NEWS2's bands of three points (RCP 2017): 40 and below, 131 and above.
    lasting
        After how many seconds a technical finding becomes medium priority and withholds no more.
    calm
        After how many seconds without a doubt the matter is over.
    """

    vitals: dict[Vital, Plausible] = {}
    tolerance: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    urgent_low: float = 40.0
    urgent_high: float = 131.0
    lasting: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    calm: Annotated[float, msgspec.Meta(ge=0)] = 30.0


class What(IntEnum):
    """What was wrong when the doubts began."""

    JUMP = 1
    OFF = 2


class Doubt(msgspec.Struct, array_like=True, gc=False):
    """Values of a vital that were not believed; times in whole seconds since 1970.

    `since` the first of them, `streak` the first since the last one that was believed (None: the
    newest was), `last` the newest one doubted.
    """

    what: int
    since: int
    streak: int | None
    last: int


class Trace(msgspec.Struct, array_like=True, gc=False):
    """The newest believed value of a vital, its time, and since when it has been the same."""

    value: float
    at: int
    same: int
    doubt: Doubt | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a patient.

    `level` is where heart rate and pulse were lately while they agreed (per minute), `apart` since
    when they do not and `met` when both last came; `asked` when "nothing is wrong" was last said.
    """

    traces: dict[str, Trace]
    level: float | None = None
    apart: int | None = None
    met: int = 0
    asked: int = 0
