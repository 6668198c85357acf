"""One patient's watch: panel of detectors and open alerts. Pure; worker and replay run this code.

The same instants in the same order give the same outcomes, to the byte, wherever in between the
watch was stored and restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from alerts.episode import Episodes, Record
from detectors.panel import Panel, PanelState
from ingest.ports import VigieError

if TYPE_CHECKING:
    from alerts.events import AlertEvent
    from detectors.findings import Assessment
    from ingest.readings import Instant
    from ingest.registry.entities import Patient


class StateUnreadable(VigieError):
    """The bytes are no state of a watch, or one of a version that this program does not know.

    Trying again cannot help: the watch must start anew, or be rebuilt from the log.
    """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one instant led to. `assessment` is None when nothing could be scored."""

    assessment: Assessment | None
    events: tuple[AlertEvent, ...]


# The tag is the version: a change of any struct inside takes the next number.
class _State(msgspec.Struct, array_like=True, tag=1):
    panel: PanelState
    episodes: Record


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_State)


class Watch:
    """Watches over one patient, named by pseudonym.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from ingest.readings import Instant, Vital
    >>> from ingest.registry.entities import Patient
    >>> moment = datetime(2026, 11, 24, tzinfo=UTC)
    >>> watch = Watch("p-1")
    >>> outcome = watch.observe(Patient("p-1"), "dev-1", Instant(moment, {Vital.SPO2: 85}))
    >>> [(event.phase.value, event.finding.rule, event.priority.value) for event in outcome.events]
    [('start', 'news2', 'medium')]
    """

    def __init__(self, patient: str) -> None:
        self._patient = patient
        self._panel = Panel()
        self._episodes = Episodes(patient)

    def observe(self, settings: Patient, device: str, instant: Instant) -> Outcome:
        """Look at what one device measured at one moment.

        What was seen before, or is older than what this device sent of the same vital, changes
        nothing. While a physiological alert is open, the patient's baseline learns nothing.
        """
        judgement = self._panel.feed(
            settings,
            device,
            instant,
            frozen=self._episodes.physiological,
            still_open=self._episodes.rules,
        )
        return Outcome(judgement.assessment, self._episodes.observe(judgement))

    def withdraw(self) -> tuple[AlertEvent, ...]:
        """End every open alert: the patient no longer agrees. Throw the watch away after."""
        return self._episodes.withdraw()

    def snapshot(self) -> bytes:
        """Return the whole state as msgpack, with its version: a few hundred bytes to 4 KiB."""
        return _encoder.encode(_State(self._panel.snapshot(), self._episodes.snapshot()))

    @classmethod
    def restore(cls, patient: str, state: bytes) -> Watch:
        """Make a watch that goes on where the one of the snapshot stood. Raises StateUnreadable."""
        try:
            found = _decoder.decode(state)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # The decoder's own words may hold a value: they are left out.
            raise StateUnreadable("the state of a watch cannot be read") from None
        watch = cls(patient)
        watch._panel = Panel.restore(found.panel)
        watch._episodes = Episodes(patient, found.episodes)
        return watch
