"""The watches of one partition's patients, in memory, as of one place in the log.

States are read in bulk when a partition is first used, and restored one by one when their patient
is first heard of or asked. Whatever happens to a batch, `committed` is what the database holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from alerts.watch import StateUnreadable, Watch, expected
from streams import metrics
from streams.errors import DetectorFailed, trace
from streams.feed import Asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from alerts.events import AlertEvent
    from alerts.watch import Outcome
    from detectors.base import Feed
    from ingest.codec import Message
    from ingest.registry.entities import Patient

log = structlog.get_logger()


class Stored(NamedTuple):
    """What the database holds of a watch; `due` is when to ask it next (None: never)."""

    state: bytes
    due: float | None = None


class _Step(NamedTuple):
    """What a watch was shown: a message, or else a tick; `begins` is from when it is watched.

    `released` are devices that were found to be taken off just before the tick.
    """

    settings: Patient
    message: Message | None
    fed: float
    tick: Feed | None = None
    begins: bool = False
    released: tuple[str, ...] = ()


class Watches:
    """The patients of one partition; `next_offset` is the place in the log that they stand at.

    `stored` is what was committed, by patient; `kind` makes and restores a watch, and `fed` is how
    long the feed had been alive at that place.
    """

    def __init__(
        self,
        next_offset: int,
        stored: Mapping[str, Stored],
        kind: type[Watch] = Watch,
        fed: float = 0.0,
    ) -> None:
        self.next_offset = next_offset
        self._kind = kind
        self._committed = dict(stored)
        self._live: dict[str, Watch] = {}
        # What each patient was shown since the last commit: to get back before a failed message.
        self._steps: dict[str, list[_Step]] = {}
        self._ended: set[str] = set()
        # The registry's revision by which consents were last looked through; none yet.
        self.consents_of = -1
        # The revision up to which whoever must send something is watched; none yet.
        self.begun_of = -1
        self._fed = fed
        self._dues = {patient: one.due for patient, one in stored.items()}
        self._asking = Asking(self._dues, fed)
        # Whose due time may have moved since it was last worked out, with the settings in force.
        self._moved: dict[str, Patient] = {}

    def __len__(self) -> int:
        return len(self._committed.keys() | self._live.keys())

    def wanted(self, settings: Patient) -> bool:
        """Whether something must come from this patient, even if nothing ever did."""
        return expected(settings, self._kind.profiles)

    def observe(self, settings: Patient, message: Message, fed: float = 0.0) -> list[Outcome]:
        """Show a message to its patient's watch. Raises DetectorFailed, and leaves no trace then.

        A detector that fails is deterministic, so it is not tried again: the watch is restored
        from its committed state and shown the batch's earlier messages once more, wherever the
        batch began. A replay with other batches comes to the same state.
        """
        patient = message.patient
        watch, steps = self._watch(patient), self._steps.setdefault(patient, [])
        try:
            outcomes = [watch.observe(settings, message.device, i, fed) for i in message.readings]
        except Exception as error:  # noqa: BLE001 (whatever it raises, others are unharmed)
            log.error(  # noqa: TRY400 (a whole traceback may show a patient's values)
                "detector failed", device=message.device, seq=message.seq, trace=trace(error)
            )
            self._live[patient] = self._rewound(patient, steps)
            raise DetectorFailed from None
        steps.append(_Step(settings, message, fed))
        self._moved[patient] = settings
        return outcomes

    def tick(
        self,
        feed: Feed,
        settings_of: Callable[[str], Patient | None],
        taken_off: Callable[[str, str], bool],
    ) -> Iterator[tuple[AlertEvent, Patient]]:
        """Ask those whose time has come; yields what they say, with their settings.

        `settings_of` gives the settings of a patient who may be watched, else None, and
        `taken_off` says whether a device is no longer a patient's.
        """
        self._settle()
        self._fed = feed.fed
        for patient in self._asking.take(feed.fed):
            settings = settings_of(patient)
            if settings is None:
                continue  # whoever withdrew a consent is let go of at the end of the batch
            for event in self._ask(settings, feed, taken_off):
                yield event, settings
            self._moved[patient] = settings
        self._settle()

    def begin(self, settings: Patient, feed: Feed) -> None:
        """Watch a patient from now on of whom something is expected, whether it comes or not."""
        patient = settings.id
        watch, steps = self._watch(patient), self._steps.setdefault(patient, [])
        try:
            watch.begin(settings, feed)
        except Exception as error:  # noqa: BLE001 (as above)
            metrics.TICKS_FAILED.inc()
            log.error("a watch cannot begin", trace=trace(error))  # noqa: TRY400 (as above)
            self._live[patient] = self._rewound(patient, steps)
            return
        steps.append(_Step(settings, None, 0.0, feed, begins=True))
        self._moved[patient] = settings

    def changed(self) -> Iterator[tuple[str, Stored]]:
        """Snapshot every watch that has changed since the last commit, with its due time."""
        self._settle()
        for patient, steps in self._steps.items():
            if not steps:
                continue
            now = Stored(self._live[patient].snapshot(), self._dues.get(patient))
            if now != self._committed.get(patient):
                yield patient, now

    def patients(self) -> list[str]:
        """Name the patients of whom something is remembered."""
        return sorted(self._committed.keys() | self._live.keys())

    def knows(self, patient: str) -> bool:
        """Whether anything is remembered of this patient."""
        return patient in self._committed or patient in self._live

    def expects(self, patient: str) -> bool:
        """Whether this patient's watch is asked when time passes."""
        return self._dues.get(patient) is not None

    def end(self, patient: str) -> tuple[AlertEvent, ...]:
        """Forget a patient who does not agree to be watched; returns the ends of open alerts."""
        watch = self._live.pop(patient, None) or self._restored(patient)
        self._steps.pop(patient, None)
        self._moved.pop(patient, None)
        self._dues.pop(patient, None)
        self._asking.forget(patient)
        self._ended.add(patient)
        return watch.withdraw()

    def commit(self, next_offset: int, stored: Mapping[str, Stored]) -> None:
        """Take this as what the database holds; call it after COMMIT only."""
        for patient in self._ended:
            self._committed.pop(patient, None)
        self._ended.clear()
        self._committed.update(stored)
        self._steps.clear()
        self.next_offset = next_offset

    def _ask(
        self, settings: Patient, feed: Feed, taken_off: Callable[[str, str], bool]
    ) -> tuple[AlertEvent, ...]:
        """Ask one watch. One that fails is left as it was, and asked again later."""
        patient = settings.id
        watch, steps = self._watch(patient), self._steps.setdefault(patient, [])
        try:
            released = watch.release(lambda device: taken_off(device, patient))
            events = watch.tick(settings, feed)
        except Exception as error:  # noqa: BLE001 (as above)
            metrics.TICKS_FAILED.inc()
            log.error("detector failed at a tick", trace=trace(error))  # noqa: TRY400 (as above)
            self._live[patient] = self._rewound(patient, steps)
            return ()
        steps.append(_Step(settings, None, 0.0, feed, released=released))
        return events

    def _settle(self) -> None:
        """Work out when to ask those next who were shown something."""
        for patient, settings in self._moved.items():
            try:
                due = self._live[patient].due(settings)
            except Exception as error:  # noqa: BLE001 (as above)
                metrics.TICKS_FAILED.inc()
                log.error("detector failed", trace=trace(error))  # noqa: TRY400 (as above)
                due = self._fed  # to ask too often is no harm, never again would be
            self._dues[patient] = due
            self._asking.expect(patient, due, self._fed)
        self._moved.clear()

    def _watch(self, patient: str) -> Watch:
        watch = self._live.get(patient)
        if watch is None:
            watch = self._live[patient] = self._restored(patient)
        return watch

    def _restored(self, patient: str) -> Watch:
        stored = None if patient in self._ended else self._committed.get(patient)
        if stored is None:
            return self._kind(patient)
        try:
            return self._kind.restore(patient, stored.state)
        except StateUnreadable:
            # A cold start is honest (scores say "unknown"), a guess would not be.
            metrics.STATES_UNREADABLE.inc()
            log.warning("state unreadable, this patient's watch starts anew")
            return self._kind(patient)

    def _rewound(self, patient: str, steps: list[_Step]) -> Watch:
        watch = self._restored(patient)
        for step in steps:
            if step.message is not None:
                for instant in step.message.readings:
                    watch.observe(step.settings, step.message.device, instant, step.fed)
            elif step.tick is not None and step.begins:
                watch.begin(step.settings, step.tick)
            elif step.tick is not None:
                watch.release(step.released.__contains__)
                watch.tick(step.settings, step.tick)
        return watch
