"""The watches of one partition's patients, in memory, as of one place in the log.

States are read in bulk when a partition is first used, and restored one by one when their patient
is first heard of. Whatever happens to a batch, `committed` is what the database holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from alerts.watch import StateUnreadable, Watch
from streams import metrics
from streams.errors import DetectorFailed, trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alerts.events import AlertEvent
    from alerts.watch import Outcome
    from ingest.codec import Message
    from ingest.registry.entities import Patient

log = structlog.get_logger()


class _Step(NamedTuple):
    settings: Patient
    message: Message


class Watches:
    """The patients of one partition; `next_offset` is the place in the log that they stand at.

    `states` are the committed snapshots by patient; `kind` makes and restores a watch.
    """

    def __init__(
        self, next_offset: int, states: Mapping[str, bytes], kind: type[Watch] = Watch
    ) -> None:
        self.next_offset = next_offset
        self._kind = kind
        self._committed = dict(states)
        self._live: dict[str, Watch] = {}
        # What each patient was shown since the last commit: to get back before a failed message.
        self._steps: dict[str, list[_Step]] = {}
        self._ended: set[str] = set()
        # The registry's revision by which consents were last looked through; none yet.
        self.consents_of = -1

    def __len__(self) -> int:
        return len(self._committed.keys() | self._live.keys())

    def observe(self, settings: Patient, message: Message) -> list[Outcome]:
        """Show a message to its patient's watch. Raises DetectorFailed, and leaves no trace then.

        A detector that fails is deterministic, so it is not tried again: the watch is restored
        from its committed state and shown the batch's earlier messages once more, wherever the
        batch began. A replay with other batches comes to the same state.
        """
        patient = message.patient
        watch = self._live.get(patient)
        if watch is None:
            watch = self._live[patient] = self._restored(patient)
        steps = self._steps.setdefault(patient, [])
        try:
            outcomes = [watch.observe(settings, message.device, i) for i in message.readings]
        except Exception as error:  # noqa: BLE001 (whatever it raises, others are unharmed)
            log.error(  # noqa: TRY400 (a whole traceback may show a patient's values)
                "detector failed", device=message.device, seq=message.seq, trace=trace(error)
            )
            self._live[patient] = self._rewound(patient, steps)
            raise DetectorFailed from None
        steps.append(_Step(settings, message))
        return outcomes

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Snapshot every watch that was shown something since the last commit."""
        for patient, steps in self._steps.items():
            if steps:
                yield patient, self._live[patient].snapshot()

    def patients(self) -> list[str]:
        """Name the patients of whom something is remembered."""
        return sorted(self._committed.keys() | self._live.keys())

    def end(self, patient: str) -> tuple[AlertEvent, ...]:
        """Forget a patient who does not agree to be watched; returns the ends of open alerts."""
        watch = self._live.pop(patient, None) or self._restored(patient)
        self._steps.pop(patient, None)
        self._ended.add(patient)
        return watch.withdraw()

    def commit(self, next_offset: int, snapshots: Mapping[str, bytes]) -> None:
        """Take the snapshots as what the database holds; call it after COMMIT only."""
        for patient in self._ended:
            self._committed.pop(patient, None)
        self._ended.clear()
        self._committed.update(snapshots)
        self._steps.clear()
        self.next_offset = next_offset

    def _restored(self, patient: str) -> Watch:
        state = self._committed.get(patient)
        if state is None:
            return self._kind(patient)
        try:
            return self._kind.restore(patient, state)
        except StateUnreadable:
            # A cold start is honest (scores say "unknown"), a guess would not be.
            metrics.STATES_UNREADABLE.inc()
            log.warning("state unreadable, this patient's watch starts anew")
            return self._kind(patient)

    def _rewound(self, patient: str, steps: list[_Step]) -> Watch:
        watch = self._restored(patient)
        for settings, message in steps:
            for instant in message.readings:
                watch.observe(settings, message.device, instant)
        return watch
