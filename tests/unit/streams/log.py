"""Builders of records of the log, and watches that show what they were shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from alerts.watch import Outcome, StateUnreadable, Watch
from detectors.findings import Assessment
from ingest.codec import Bundle, Message, Tick, encode
from ingest.readings import Instant, Vital
from ingest.registry.memory import Registry
from streams.batch import Context, Progress, Record
from streams.state import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.registry.entities import Patient

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
TOPIC = "vigie.readings"


def moment(seconds: float) -> datetime:
    """Return a device time, so many seconds after the story's start."""
    return START + timedelta(seconds=seconds)


def message(seq: int = 1, patient: str = "p-1", device: str = "d-1", **values: float) -> Message:
    """Build a message of one instant, `seq` seconds after the start."""
    vitals = {Vital(name): value for name, value in (values or {"heart_rate": 72.0}).items()}
    return Message(patient, device, seq, moment(seq), (Instant(moment(seq), vitals),))


def bundle(offset: int, *messages: Message, partition: int = 0) -> Record:
    """Build a record that holds these messages."""
    return Record(partition, offset, encode(Bundle("gateway", messages)))


def tick(offset: int, revision: int = 0, seconds: float = 0, partition: int = 0) -> Record:
    """Build a tick."""
    return Record(partition, offset, encode(Tick("gateway", moment(seconds), revision)))


def stored(states: Mapping[str, bytes] | None = None) -> dict[str, Stored]:
    """Say what the database holds of watches that are never asked."""
    return {patient: Stored(state) for patient, state in (states or {}).items()}


def progress(next_offset: int = 0, revision: int = 0) -> Progress:
    """Say where partition 0 stands."""
    return Progress(0, next_offset, revision, None)


def context(registry: Registry | None = None, **log_starts: int) -> Context:
    """Build what a batch is judged with; `start=40` tells where Kafka's log begins."""
    registry = registry or Registry()
    starts = {0: log_starts["start"]} if log_starts else {}
    return Context(registry, registry.revision, TOPIC, "worker-1", START, log_starts=starts)


class Counting(Watch):
    """Counts its instants, and fails on a heart rate of 13; says the low SpO2 limit as news2."""

    def __init__(self, patient: str) -> None:
        super().__init__(patient)
        self.seen = 0

    def observe(
        self, settings: Patient, device: str, instant: Instant, fed: float = 0.0
    ) -> Outcome:
        """Count, then fail where a fault is simulated: too late to be undone by itself."""
        del device, fed
        self.seen += 1
        if instant.values.get(Vital.HEART_RATE) == 13:
            raise ZeroDivisionError(instant)
        limit = settings.limits.get(Vital.SPO2)
        low = int(limit.low) if limit is not None and limit.low is not None else None
        return Outcome(Assessment(instant.time, news2=low, anomaly=float(self.seen)), ())

    def snapshot(self) -> bytes:
        """Return the count."""
        return str(self.seen).encode()

    @classmethod
    def restore(cls, patient: str, state: bytes) -> Self:
        """Take up the count."""
        if not state.isdigit():
            raise StateUnreadable("not a count")
        watch = cls(patient)
        watch.seen = int(state)
        return watch
