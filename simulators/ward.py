"""A ward of simulated patients: who lies in which bed, what happens to them, what devices send."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from ingest.ports import SettingError
from ingest.readings import Vital
from simulators.faults import FAULTS, Fault
from simulators.scenarios import SCENARIOS, Scenario, Truth
from simulators.series import Sample, bed
from simulators.vitals import Body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from simulators.series import Bed

# Everyday trouble. A clock that is wrong is left out: it moves the readings of the whole stay.
EVERYDAY = (Fault.MOTION, Fault.SENSOR_OFF, Fault.DUPLICATES, Fault.DISORDER, Fault.UNITS)
# Daily weighings before the gain began.
STEADY_DAYS = 6
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stay:
    """One patient's stay on the simulated ward. Times are UTC.

    The course sets in `onset_seconds` after `start`; an instant comes every `every_seconds`, for
    `seconds` of the patient's time, or without end when that is None. The same stay gives the same
    samples, byte for byte.
    """

    bed: Bed
    seed: int
    start: datetime
    course: Scenario = field(default=SCENARIOS["healthy"])
    onset_seconds: float = 0.0
    every_seconds: float = 1.0
    seconds: float | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def truth(self) -> Truth:
        """What really happens to the patient; a gain of weight began days before the start."""
        began = -self.course.days_before * DAY if self.course.kg_per_day else None
        after = began if began is not None else timedelta(seconds=self.onset_seconds)
        return Truth(self.bed, self.course, self.start + after)

    def samples(self) -> Iterator[Sample]:
        """Return what the patient's device sends, in the order in which it sends it."""
        body = Body(self.seed, self.bed.patient)
        rng = random.Random(f"{self.seed}/{self.bed.device}")
        stream: Iterable[Sample] = self._measured(body, phase=rng.random() * self.every_seconds)
        for fault in self.faults:
            stream = FAULTS[fault](stream, random.Random(f"{self.seed}/{self.bed.device}/{fault}"))
        yield from self._weighed(body)
        yield from stream

    def _measured(self, body: Body, phase: float) -> Iterator[Sample]:
        for number in count():
            elapsed = phase + number * self.every_seconds
            if self.seconds is not None and elapsed >= self.seconds:
                return
            # A device writes milliseconds: what is finer would be lost on the way.
            time = self.start + timedelta(milliseconds=round(1000 * elapsed))
            values = body.at(time, self.course, elapsed - self.onset_seconds)
            yield Sample(time, time, values)

    def _weighed(self, body: Body) -> Iterator[Sample]:
        if not self.course.kg_per_day:
            return
        for day in range(-self.course.days_before - STEADY_DAYS, 1):
            gained = self.course.kg_per_day * max(0, day + self.course.days_before)
            values = {Vital.WEIGHT.value: round(body.kilograms + gained, 1)}
            yield Sample(self.start, self.start + day * DAY, values)


def beds(
    seed: int, patients: int, course: Scenario, ill: int, prefix: str = "sim"
) -> list[tuple[Bed, Scenario]]:
    """Fill a ward: the first `ill` patients take the course, the others stay well.

    Raises SettingError when more should be ill than there are.
    """
    if ill > patients:
        raise SettingError(f"{ill} of {patients} patients cannot take a course")
    courses = [course if number < ill else SCENARIOS["healthy"] for number in range(patients)]
    return [
        (bed(f"{prefix}-{seed}-{number:03d}", number, profile=taken.profile), taken)
        for number, taken in enumerate(courses)
    ]


def truths(stays: Sequence[Stay]) -> list[Truth]:
    """Return what happens to those to whom something happens."""
    return [stay.truth for stay in stays if stay.course.vitals]
