"""Fills a simulated ward and plays it: the plan of a run, and its ground truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console

from ingest.ports import SettingError
from simulators import screen, session, ward
from simulators.play import PER_MESSAGE, Feed, Outcome, Pace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simulators.faults import Fault
    from simulators.scenarios import Scenario
    from simulators.series import Bed


@dataclass(frozen=True, slots=True)
class Plan:
    """How a ward is played; `seconds` of the patients' time, None without end.

    `end` is where the last instants stand, as text of the command line; empty means now.
    """

    seed: int
    seconds: float | None
    every_seconds: float = 1.0
    onset_seconds: float = 0.0
    faults: tuple[Fault, ...] = ()
    end: str = ""
    per_message: int = PER_MESSAGE

    def pace(self, speed: float | None, now: datetime) -> Pace:
        """Lay the patients' time over the wall clock from `now` on (UTC).

        Raises SettingError for a ward without end at another speed than 1: its readings would
        soon lie in the future.
        """
        if self.seconds is None:
            if speed != 1 or self.end:
                raise SettingError("a ward at another speed, or with an --end, needs --seconds")
            return Pace(now, now, 1.0)
        given = session.parse_moment(self.end) if self.end else None
        end = given or session.finish(now, self.seconds, speed)
        return Pace(now, end - timedelta(seconds=self.seconds), speed)


def admit(
    people: Sequence[tuple[Bed, Scenario]],
    plan: Plan,
    options: session.Options,
    truth_file: Path | None,
) -> Outcome:
    """Play the people's stays, and write what happens to whom. Raises SettingError."""
    plan.pace(options.speed, datetime.now(UTC))  # wrong options show before anything is done

    def feeds() -> tuple[Pace, list[Feed]]:
        pace = plan.pace(options.speed, datetime.now(UTC))
        stays = [_stay(bed, course, plan, pace.data) for bed, course in people]
        _tell(stays, truth_file)
        return pace, [Feed(s.bed.device, s.samples(), plan.per_message) for s in stays]

    instants = None
    if plan.seconds is not None:
        instants = round(len(people) * plan.seconds / plan.every_seconds)
    return session.run(options, [bed for bed, _ in people], feeds, instants=instants)


def _stay(bed: Bed, course: Scenario, plan: Plan, start: datetime) -> ward.Stay:
    return ward.Stay(
        bed,
        plan.seed,
        start,
        course,
        plan.onset_seconds,
        plan.every_seconds,
        plan.seconds,
        plan.faults,
    )


def _tell(stays: Sequence[ward.Stay], file: Path | None) -> None:
    truths = ward.truths(stays)
    if truths:
        Console(stderr=True).print(screen.courses(truths))
    if file is not None:
        lines = "".join(f"{json.dumps(stay.truth.row())}\n" for stay in stays)
        try:
            file.write_text(lines, encoding="utf-8")
        except OSError as error:
            raise SettingError(f"{file}: cannot be written: {error.strerror}") from None
