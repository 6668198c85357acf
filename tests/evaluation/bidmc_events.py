"""Events put into a recording: true ones of a patient, and false ones of a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping


class Bed(NamedTuple):
    """A recording: its name, and the values at each second of it."""

    name: str
    instants: list[tuple[float, dict[Vital, float]]]

    @property
    def hours(self) -> float:
        """How long it is."""
        return (self.instants[-1][0] - self.instants[0][0]) / 3600


@dataclass(frozen=True, slots=True)
class Event:
    """A true event: these vitals move to `level` within `ramp` seconds, and stay there."""

    name: str
    vitals: tuple[Vital, ...]
    level: float
    ramp: float
    holds: float = 120.0

    def into(self, bed: Bed, begin: float) -> Bed:
        """Inject it; the recording's own variation stays on top, its dropouts stay out."""
        usual = {
            vital: median(known) if (known := _known(bed, vital, begin)) else self.level
            for vital in self.vitals
        }
        instants = []
        for second, values in bed.instants:
            part = (second - begin) / self.ramp if self.ramp else float(second >= begin)
            if part <= 0 or second > begin + self.ramp + self.holds:
                instants.append((second, values))
                continue
            moved = dict(values)
            for vital in self.vitals:
                if vital in values:
                    shift = (self.level - usual[vital]) * min(1.0, part)
                    most = 100.0 if vital is Vital.SPO2 else 300.0
                    moved[vital] = float(min(most, max(0.0, round(values[vital] + shift))))
            instants.append((second, moved))
        return Bed(bed.name, instants)


EVENTS = (
    Event("desaturation", (Vital.SPO2,), 80.0, 60.0),
    Event("tachycardia", (Vital.HEART_RATE, Vital.PULSE_RATE), 150.0, 10.0),
    Event("sudden tachycardia", (Vital.HEART_RATE, Vital.PULSE_RATE), 150.0, 0.0),
    Event("slow breathing", (Vital.RESPIRATORY_RATE,), 4.0, 10.0),
)


def _known(bed: Bed, vital: Vital, begin: float) -> list[float]:
    return [v[vital] for second, v in bed.instants if second < begin and vital in v]


@dataclass(frozen=True, slots=True)
class Fault:
    """A false event: what a sensor shows for some seconds, whatever the patient does."""

    name: str
    shows: Mapping[Vital, float]
    seconds: float

    def into(self, bed: Bed, begin: float) -> Bed:
        """Put it in the place of what was measured; dropouts stay out."""
        return Bed(
            bed.name,
            [
                (second, values | {v: x for v, x in self.shows.items() if v in values})
                if begin <= second < begin + self.seconds
                else (second, values)
                for second, values in bed.instants
            ],
        )


FAULTS = (
    Fault("tremor on the ECG", {Vital.HEART_RATE: 180.0}, 30.0),
    Fault("clip fell off", {Vital.PULSE_RATE: 0.0, Vital.SPO2: 0.0}, 45.0),
)
