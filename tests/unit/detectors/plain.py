"""Plain detectors for the panel's own tests, and builders that hide what a test does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from detectors.base import Score
from detectors.combine import Rules
from detectors.findings import Against, Evidence, Finding, Kind, Priority
from detectors.panel import Panel
from detectors.profiles.loading import Watched
from ingest.readings import Instant, Vital
from ingest.registry.entities import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.base import Before, Moment, Scores
    from ingest.registry.entities import Patient

START = datetime(2026, 11, 24, tzinfo=UTC)
_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Above(msgspec.Struct, frozen=True):
    """What is too high, and what that means."""

    above: float = 100.0
    kind: Kind = Kind.PHYSIOLOGICAL
    priority: Priority = Priority.MEDIUM


class Plain:
    """Finds what is above a number; counts what it learned."""

    name: ClassVar[str] = "plain"
    version: ClassVar[int] = 1
    options_type: ClassVar[Any] = Above
    state_type: ClassVar[Any] = int

    def __init__(self, options: Above, state: int = 0) -> None:
        self._options = options
        self.learned = state

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        del settings, before
        label = f"{self.name}/{self.version}"
        return [
            Score(
                label,
                f"{self.name}.{one.vital}",
                one.value,
                self._finding(label, moment, one.vital, one.value),
                one.vital,
                one.value,
            )
            for one in moment.samples
        ]

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        del settings, scores
        self.learned += len(moment.samples)

    def snapshot(self) -> int:
        return self.learned

    def _finding(self, label: str, moment: Moment, vital: str, value: float) -> Finding | None:
        if value <= self._options.above:
            return None
        return Finding(
            f"{self.name}.{vital}",
            self._options.kind,
            self._options.priority,
            label,
            (Evidence(vital, value, moment.time, moment.device),),
            since=moment.time,
            against=Against.LIMITS,
        )


class Other(Plain):
    """The same by another name."""

    name: ClassVar[str] = "other"


def panel(
    detectors: Sequence[tuple[type[Plain], Above]], rules: Rules | None = None, state: Any = None
) -> Panel:
    """Make a panel of these detectors, for every profile."""
    watched = Watched("plain", "for tests", tuple(detectors), rules or Rules())
    return Panel(state, dict.fromkeys(Profile, watched))


def instant(
    second: float, values: dict[Vital, float], quality: dict[Vital, int] | None = None
) -> Instant:
    """Build what was measured so many seconds after START."""
    return Instant(START + timedelta(seconds=second), values, quality or {})


def state(of: Panel) -> bytes:
    """Encode what a panel knows."""
    return _encoder.encode(of.snapshot())
