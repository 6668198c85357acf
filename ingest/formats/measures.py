"""Gathers what a message tells, value by value, each judged as it comes.

For the formats of others; Vigie's own JSON is most of the traffic and has a faster way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.codec import Refused
from ingest.formats import times
from ingest.formats.port import REFUSALS, Decoded
from ingest.readings import SPECS, Instant, Original, Quality, Refusal, Vital, judge
from ingest.units import conversion, fault

if TYPE_CHECKING:
    from datetime import datetime

NAME_CHARACTERS = 64


class TooManyFaults(Exception):
    """More is wrong with the message than is listed; what is gathered so far counts."""


@dataclass(slots=True)
class _Moment:
    place: str
    values: dict[Vital, float] = field(default_factory=dict)
    quality: dict[Vital, int] = field(default_factory=dict)
    original: dict[Vital, Original] = field(default_factory=dict)


class Measures:
    """The values of one message, gathered by the moment at which they were measured.

    Whatever refuses may raise TooManyFaults: then the rest of the message is not read.
    """

    def __init__(self, received: datetime) -> None:
        self._received = received
        self._moments: dict[datetime, _Moment] = {}
        self._refused: list[Refused] = []

    def moment(self, text: object, at: str) -> datetime | None:
        """Read a device's time, RFC 3339; None when it was refused, which is noted."""
        return self._believed(times.moment(text, self._received), at)

    def plausible(self, time: datetime, at: str) -> datetime | None:
        """Hold a time (UTC) that was read otherwise against the gateway's; None: it was refused."""
        return self._believed(times.plausible(time, self._received), at)

    def _believed(self, found: datetime | Refusal, at: str) -> datetime | None:
        if isinstance(found, Refusal):
            self.refuse(found, at)
            return None
        return found

    def add(
        self,
        time: datetime,
        vital: Vital,
        value: object,
        unit: str,
        at: str,
        *,
        doubt: Quality = Quality.GOOD,
        within: str = "",
    ) -> None:
        """Take one value in a UCUM unit, measured at `time` (UTC); refuses it when it must.

        The value as it came is kept beside when it has to be converted. `doubt` marks what the
        device itself does not trust. `within` is the place of what was measured together, which
        names the instant; without it, the instant has the place of its first value.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.refuse(Refusal.NULL if value is None else Refusal.NOT_A_NUMBER, at)
        convert = conversion(vital, unit)
        if convert is None:
            return self.refuse(fault(vital, unit), at)
        try:
            given = float(value)
        except OverflowError:
            given = math.inf
        found = convert(given)
        spec = SPECS[vital]
        low, high = spec.suspect
        # The common case without a call. Marks are combined only where there are any: it is slow.
        verdict = Quality.GOOD if low <= found <= high else judge(vital, found)
        if isinstance(verdict, Refusal):
            return self.refuse(verdict, at)
        moment = self._moments.get(time)
        if moment is None:
            moment = self._moments[time] = _Moment(within or at)
        if vital in moment.values:
            if moment.values[vital] != found:
                self.refuse(Refusal.REPEATED, at)
            return None
        moment.values[vital] = found
        ahead = times.doubt(time, self._received)
        if verdict or ahead or doubt:
            moment.quality[vital] = int(doubt | verdict | ahead)
        if unit != spec.unit:
            moment.original[vital] = Original(given, shown(unit))
        return None

    def refuse(self, reason: Refusal, at: str = "") -> None:
        """Note a refusal and its place. Raises TooManyFaults."""
        if len(self._refused) >= REFUSALS:
            self._refused.append(Refused(Refusal.TOO_MANY, at))
            raise TooManyFaults
        self._refused.append(Refused(reason, at))

    def decoded(self, seq: int | None = None, name: str | None = None) -> Decoded:
        """Return what was gathered; a message that told nothing at all is refused as such."""
        if not self._moments and not self._refused:
            self.refuse(Refusal.NO_VITALS)
        instants = [
            Instant(time, m.values, m.quality, m.original) for time, m in self._moments.items()
        ]
        places = [moment.place for moment in self._moments.values()]
        return Decoded(seq, instants, self._refused, places, name)


def shown(name: str) -> str:
    """Cut a foreign name to what a place can carry.

    The standard library lets half a surrogate pair through, which no encoder takes again: one such
    message must not hold up the others of its flush.
    """
    return name[:NAME_CHARACTERS].encode("utf-8", "replace").decode()
