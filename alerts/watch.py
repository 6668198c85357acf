"""One patient's watch: panel of detectors and open alerts. Pure; worker and replay run this code.

The same instants in the same order give the same outcomes, to the byte, wherever in between the
watch was stored and restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TYPE_CHECKING, ClassVar, Self, cast

import msgspec

from alerts.episode import Episodes, Record
from detectors import hearing, silence
from detectors.base import label
from detectors.panel import Panel, PanelState
from detectors.prescriptions import prescribed
from detectors.profiles.loading import SHIPPED
from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from alerts.events import AlertEvent
    from detectors.base import Feed
    from detectors.findings import Assessment
    from detectors.profiles.loading import Watched
    from ingest.readings import Instant
    from ingest.registry.entities import Patient, Profile


SILENCE = label(silence.Silence)


class StateUnreadable(VigieError):
    """The bytes are no state of a watch, or one of a version that this program does not know.

    Trying again cannot help: the watch must start anew, or be rebuilt from the log.
    """


def expected(settings: Patient, profiles: Mapping[Profile, Watched] = SHIPPED) -> bool:
    """Whether something must come from this patient, even if nothing ever did: a prescription.

    >>> from ingest.registry.entities import Patient, Profile
    >>> expected(Patient("p-1")), expected(Patient("p-2", Profile.HOME_HEART))
    (False, True)
    """
    return bool(_prescribed(settings, profiles))


def _prescribed(settings: Patient, profiles: Mapping[Profile, Watched]) -> Collection[str]:
    options = profiles[settings.profile].options(silence.Silence.name)
    return () if options is None else prescribed(settings, options.prescriptions)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one instant led to. `assessment` is None when nothing could be scored."""

    assessment: Assessment | None
    events: tuple[AlertEvent, ...]


# The tag is the version: a change of any struct inside takes the next number. Each detector's own
# state has a version of its own.
class _State(msgspec.Struct, array_like=True, tag=2):
    panel: PanelState
    episodes: Record


class _FirstPanel(msgspec.Struct, array_like=True):
    """The panel of version 1: `seen`, and then what detectors of other versions knew."""

    seen: dict[str, dict[str, datetime]]


class _FirstState(msgspec.Struct, array_like=True, tag=1):
    panel: _FirstPanel
    episodes: Record

    def brought_up(self) -> _State:
        """Keep what was seen and the open alerts; the detectors start anew, and say "unknown"."""
        return _State(PanelState(self.panel.seen, {}), self.episodes)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_State | _FirstState)
_silence = msgspec.msgpack.Decoder(hearing.State)


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

    profiles: ClassVar[Mapping[Profile, Watched]] = SHIPPED

    def __init__(self, patient: str) -> None:
        self._patient = patient
        self._panel = Panel(profiles=self.profiles)
        self._episodes = Episodes(patient)

    def observe(
        self, settings: Patient, device: str, instant: Instant, fed: float = 0.0
    ) -> Outcome:
        """Look at what one device measured at one moment.

        What was seen before, or is older than what this device sent of the same vital, changes
        nothing. While a physiological alert is open, nothing is learned of what is usual. `fed` is
        how long the patient's feed has been alive (see `detectors.base.Feed`).
        """
        judgement = self._panel.feed(
            settings,
            device,
            instant,
            fed=fed,
            frozen=self._episodes.physiological,
            still_open=self._episodes.rules,
        )
        return Outcome(judgement.assessment, self._episodes.observe(judgement))

    def tick(self, settings: Patient, feed: Feed) -> tuple[AlertEvent, ...]:
        """Look at the patient because time has passed: something that should have come may not."""
        return self._episodes.observe(
            self._panel.tick(settings, feed, still_open=self._episodes.rules)
        )

    def due(self, settings: Patient) -> float | None:
        """Return the `fed` second at which `tick` may have something to say next; None: never.

        A prescription may be missed earlier than that where the feed was dead in between: ask from
        time to time too.
        """
        due = self._panel.due(settings)
        if due is None and any(rule.startswith(silence.PREFIX) for rule in self._episodes.rules):
            # Nothing is expected any more, so nothing will come that ends the alert: asking does.
            return 0.0
        return due

    def begin(self, settings: Patient, feed: Feed) -> None:
        """Watch the patient from now on as is set now, though nothing may ever come.

        Else only the first reading begins it, and who never sends one would never be missed. What
        was begun before goes on; what is newly prescribed is expected from now on.
        """
        panel = self._panel.snapshot()
        known = panel.states.get(SILENCE)
        state = hearing.State() if known is None else _silence.decode(known)
        if state.at is None:
            state = hearing.begun(feed)
        hearing.order(state, _prescribed(settings, self.profiles), feed)
        panel.states[SILENCE] = msgspec.Raw(_encoder.encode(state))
        self._panel = Panel.restore(panel, self.profiles)

    def release(self, taken_off: Callable[[str], bool]) -> tuple[str, ...]:
        """Expect nothing more of devices that were taken off the patient; returns their ids.

        An alert that tells of their silence ends at the next tick. `taken_off` is asked for each
        device that was heard of.
        """
        panel = self._panel.snapshot()
        known = panel.states.get(SILENCE)
        if known is None:
            return ()
        state = _silence.decode(known)
        gone = tuple(device for device in sorted(state.devices) if taken_off(device))
        if gone:
            hearing.without(state, gone)
            panel.states[SILENCE] = msgspec.Raw(_encoder.encode(state))
            self._panel = Panel.restore(panel, self.profiles)
        return gone

    def withdraw(self) -> tuple[AlertEvent, ...]:
        """End every open alert: the patient no longer agrees. Throw the watch away after."""
        return self._episodes.withdraw()

    def snapshot(self) -> bytes:
        """Return the whole state as msgpack, with its version: a few hundred bytes to 4 KiB."""
        return _encoder.encode(_State(self._panel.snapshot(), self._episodes.snapshot()))

    @classmethod
    def by(cls, profiles: Mapping[Profile, Watched]) -> type[Self]:
        """Return the kind of watch that looks at patients by these profiles."""
        return cast("type[Self]", type(cls.__name__, (cls,), {"profiles": profiles}))

    @classmethod
    def restore(cls, patient: str, state: bytes) -> Self:
        """Make a watch that goes on where the one of the snapshot stood. Raises StateUnreadable."""
        try:
            found = _decoder.decode(state)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # The decoder's own words may hold a value: they are left out.
            raise StateUnreadable("the state of a watch cannot be read") from None
        if isinstance(found, _FirstState):
            found = found.brought_up()
        watch = cls(patient)
        watch._panel = Panel.restore(found.panel, cls.profiles)
        watch._episodes = Episodes(patient, found.episodes)
        return watch
