"""How simulated patients get worse, and what a watcher should make of it: named, with ground truth.

Scores in the notes are NEWS2 on SpO2 scale 1 (Royal College of Physicians, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.ports import SettingError
from ingest.readings import Vital
from simulators.series import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from simulators.series import Bed

DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A course that a patient can take.

    Each vital of `targets` goes from the patient's own level to the target, in the vital's unit,
    straight over `over_seconds` (0 = at once). `priority` is what is expected: "high" for an urgent
    consultation, "medium" for closer follow-up, None for no alert at all; the alert should stand
    `within_seconds` after the onset. `kg_per_day` is a gain of weight that began `days_before` the
    start of the run, and is told by a daily weighing.
    """

    name: str
    story: str
    targets: Mapping[Vital, float]
    over_seconds: float = 0.0
    priority: str | None = None
    within_seconds: float = 0.0
    kg_per_day: float = 0.0
    days_before: int = 0
    profile: str = "ward"

    @property
    def vitals(self) -> tuple[Vital, ...]:
        """The vitals that give it away."""
        return (*self.targets, *((Vital.WEIGHT,) if self.kg_per_day else ()))

    def weight(self, since_onset_seconds: float) -> float:
        """How far along it is, 0 before the onset to 1 when it is fully there.

        >>> SCENARIOS["hypoxaemia"].weight(-1), SCENARIOS["hypoxaemia"].weight(0)
        (0.0, 1.0)
        """
        if since_onset_seconds < 0:
            return 0.0
        if since_onset_seconds >= self.over_seconds:
            return 1.0
        return since_onset_seconds / self.over_seconds

    def lasts(self, onset_seconds: float) -> float:
        """How many seconds to play so that it can be noticed; what takes days has its past sent."""
        return onset_seconds + (60.0 if self.kg_per_day else max(self.within_seconds, 60.0))


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happens to one simulated patient, for tests and back-tests. Times are UTC."""

    bed: Bed
    scenario: Scenario
    onset: datetime

    @property
    def noticed_by(self) -> datetime:
        """When the alert should stand at the latest."""
        return self.onset + timedelta(seconds=self.scenario.within_seconds)

    def row(self) -> dict[str, object]:
        """Return it as a JSON object."""
        return {
            "patient": self.bed.patient,
            "device": self.bed.device,
            "physician": self.bed.physician,
            "ens": self.bed.ens,
            "scenario": self.scenario.name,
            "onset": stamp(self.onset),
            "noticed_by": stamp(self.noticed_by),
            "priority": self.scenario.priority,
            "vitals": [vital.value for vital in self.scenario.vitals],
        }


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario("healthy", "Nothing happens; any alert is a false one.", {}),
            Scenario(
                "hypoxaemia",
                "Oxygen saturation falls from one second to the next (3 points), the rest is well.",
                {Vital.SPO2: 88.5},
                priority="medium",
                within_seconds=180,
            ),
            Scenario(
                "sepsis",
                "Fast pulse and breathing, fever, falling pressure over five minutes (9 points).",
                {
                    Vital.HEART_RATE: 124,
                    Vital.RESPIRATORY_RATE: 28,
                    Vital.TEMPERATURE: 39.6,
                    Vital.SYSTOLIC: 94,
                    Vital.DIASTOLIC: 52,
                },
                over_seconds=300,
                priority="high",
                within_seconds=480,
            ),
            Scenario(
                "bradycardia",
                "The heart slows down within a minute (3 points).",
                {Vital.HEART_RATE: 34},
                over_seconds=60,
                priority="medium",
                within_seconds=240,
            ),
            Scenario(
                "haemorrhage",
                "Pressure falls and the heart races within three minutes (8 points).",
                {
                    Vital.HEART_RATE: 142,
                    Vital.RESPIRATORY_RATE: 23,
                    Vital.SYSTOLIC: 80,
                    Vital.DIASTOLIC: 46,
                },
                over_seconds=180,
                priority="high",
                within_seconds=360,
            ),
            # More than 2 kg in three days is the usual sign (ESC 2021 heart failure guidelines).
            Scenario(
                "heart-failure",
                "Weight rises by 0.8 kg a day for four days: fluid is being retained.",
                {},
                priority="medium",
                within_seconds=4 * DAY_SECONDS,
                kg_per_day=0.8,
                days_before=4,
                profile="home-heart",
            ),
        )
    }
)


def scenario(name: str) -> Scenario:
    """Return the scenario of this name. Raises SettingError, which lists the names."""
    found = SCENARIOS.get(name)
    if found is None:
        raise SettingError(f"no scenario `{name}`; there are: {', '.join(SCENARIOS)}")
    return found
