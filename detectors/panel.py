"""The detectors of one patient: fed moment by moment, asked for a judgement."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from detectors import combine, news2
from detectors.base import Feed, Moment, Sample, Score, label
from detectors.combine import Combination, Rules, Unusual
from detectors.findings import Assessment, Judgement
from detectors.profiles.loading import SHIPPED
from detectors.risk.detector import VITALS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detectors.profiles.loading import Watched
    from ingest.readings import Instant
    from ingest.registry.entities import Patient, Profile

# A device that has been silent for this long is forgotten, so that a patient's state stays small
# through years of exchanged devices. Far longer than a device keeps what it could not send.
FORGOTTEN = timedelta(days=60)
ANOMALY = "anomaly"


class PanelState(msgspec.Struct, array_like=True):
    """Everything that the panel knows: the body of a snapshot.

    `seen` has the newest time of each vital of each device (UTC), `states` what each detector knows
    by its name and version. A state of a version that is not in force is left out when the panel
    is restored: that detector starts anew, and says "unknown" until it is warm.
    """

    seen: dict[str, dict[str, datetime]]
    states: dict[str, msgspec.Raw]


class Panel:
    """One patient's set of detectors, as the patient's profile names them.

    Time is the devices'. A reading that is not newer than the last one of the same device and
    vital is late or sent again: it changes nothing here (it is stored elsewhere). Values that are
    not finite are passed over like values that were not sent.
    """

    def __init__(
        self, state: PanelState | None = None, profiles: Mapping[Profile, Watched] = SHIPPED
    ) -> None:
        state = state if state is not None else PanelState({}, {})
        self._profiles = profiles
        self._seen = state.seen
        self._states = state.states
        self._watched: Watched | None = None
        self._set: list[Any] = []
        self._combination = Combination(Rules())

    def feed(
        self,
        settings: Patient,
        device: str,
        instant: Instant,
        *,
        fed: float = 0.0,
        frozen: bool = False,
        still_open: Collection[str] = (),
    ) -> Judgement:
        """Judge what one device measured at one moment, then learn from it.

        Parameters
        ----------
        settings
            The patient's settings as they hold at this place in the log.
        device
            The id of the device.
        instant
            Its values; their order does not matter.
        fed
            How many seconds the patient's feed has been alive (see `detectors.base.Feed`).
        frozen
            True while the patient is in a physiological alert: what is measured now is not usual.
        still_open
            Rules with an open alert: where nobody asks a rule any more, it is answered "normal".
        """
        samples = self._fresh(device, instant)
        if not samples:
            return Judgement(instant.time, None, frozenset(), ())
        time, opened = instant.time, frozenset(still_open)
        watched = self._assemble(settings)
        moment = Moment(time, time.timestamp(), device, samples, fed, frozen, opened)
        scores: dict[str, Score] = {}
        for detector in self._set:
            found = detector.score(settings, moment, scores)
            detector.learn(settings, moment, found)
            for score in found:
                scores[score.rule] = score
            if found and watched.rules.inhibit and (known := combine.explained(found)):
                moment = combine.without(moment, known)
        for score in self._combination.agreement(moment, scores):
            scores[score.rule] = score
        return self._judgement(time, scores, opened)

    def tick(self, settings: Patient, feed: Feed, *, still_open: Collection[str] = ()) -> Judgement:
        """Judge that time has passed; nothing is learned from that."""
        self._assemble(settings)
        opened = frozenset(still_open)
        scores = {
            score.rule: score
            for detector in self._set
            if hasattr(detector, "overdue")
            for score in detector.overdue(settings, feed, opened)
        }
        found = tuple(one.finding for one in scores.values() if one.finding is not None)
        return Judgement(feed.time, None, frozenset(scores), found)

    def due(self, settings: Patient) -> float | None:
        """Return the `fed` second at which to tick next at the latest; None: never."""
        self._assemble(settings)
        dues = [one.due(settings) for one in self._set if hasattr(one, "due")]
        return min((due for due in dues if due is not None), default=None)

    def snapshot(self) -> PanelState:
        """Return the state; it shares nothing that a later `feed` would change but `seen`."""
        states = dict(self._states)
        states.update((label(one), _raw(one.snapshot())) for one in self._set)
        if self._watched is not None:
            states[combine.DETECTOR] = _raw(self._combination.snapshot())
        return PanelState(self._seen, states)

    @classmethod
    def restore(cls, state: PanelState, profiles: Mapping[Profile, Watched] = SHIPPED) -> Panel:
        """Make a panel that goes on where the one of the snapshot stood."""
        return cls(state, profiles)

    def _assemble(self, settings: Patient) -> Watched:
        """Make the detectors of the patient's profile, which may have changed."""
        watched = self._profiles[settings.profile]
        if watched is not self._watched:
            known = self.snapshot().states
            self._set = [_made(kind, options, known) for kind, options in watched.detectors]
            unusual = known.get(combine.DETECTOR)
            self._combination = Combination(
                watched.rules, None if unusual is None else _unusual.decode(unusual)
            )
            self._states = {}
            self._watched = watched
        return watched

    def _judgement(
        self, time: datetime, scores: Mapping[str, Score], opened: frozenset[str]
    ) -> Judgement:
        judged = frozenset(scores)
        found = tuple([one.finding for one in scores.values() if one.finding is not None])
        if found and self._watched is not None:
            covered = combine.covered(self._watched.rules, scores)
            if covered:
                judged -= covered
                found = tuple(one for one in found if one.rule not in covered)
        if opened:
            kept = {combine.NAME, *(one.name for one in self._set)}
            judged |= {rule for rule in opened if rule.partition(".")[0] not in kept}
        return Judgement(time, _assessment(time, scores), judged, found)

    def _fresh(self, device: str, instant: Instant) -> tuple[Sample, ...]:
        """Take the values that are newer than what this device sent before, in a fixed order."""
        time, quality, original = instant.time, instant.quality, instant.original
        seen: dict[str, datetime] = self._seen.get(device, {})
        samples = []
        for vital in sorted(instant.values):
            value, last = float(instant.values[vital]), seen.get(vital)
            if (last is None or time > last) and math.isfinite(value):
                seen[vital] = time
                flags = int(quality[vital]) if vital in quality else 0
                samples.append(Sample(vital, value, flags, original.get(vital)))
        if samples and device not in self._seen:
            self._forget(time)
            self._seen[device] = seen
        return tuple(samples)

    def _forget(self, now: datetime) -> None:
        """Drop devices that have been silent for long; called when a new one comes."""
        oldest = now - FORGOTTEN
        for device in [d for d, times in self._seen.items() if max(times.values()) < oldest]:
            del self._seen[device]


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_unusual = msgspec.msgpack.Decoder(dict[str, Unusual])


def _raw(state: Any) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(state))


@cache
def _reader(kind: type[Any]) -> tuple[str, msgspec.msgpack.Decoder[Any]]:
    """Return under which name a kind of detector is stored, and what reads its state."""
    return label(kind), msgspec.msgpack.Decoder(kind.state_type)


def _made(kind: type[Any], options: Any, known: Mapping[str, msgspec.Raw]) -> Any:
    name, decoder = _reader(kind)  # type: ignore[arg-type]  # every class is hashable
    raw = known.get(name)
    if raw is None:
        return kind(options)
    try:
        return kind(options, decoder.decode(raw))
    except msgspec.DecodeError:
        # To start anew is honest ("unknown"); to fail would fail for each reading to come.
        return kind(options)


def _assessment(time: datetime, scores: Mapping[str, Score]) -> Assessment | None:
    """Gather the figures of a moment; None when nothing could be scored."""
    total, anomaly = scores.get(news2.RULE), scores.get(ANOMALY)
    if total is not None and len(total.missing) == len(news2.CHART):
        total = None  # it only closes an alert: a score of nothing is unknown, not 0; risks too
    risks = {
        rule.removeprefix(combine.RISK): score.value
        for rule, score in scores.items()
        if rule.startswith(combine.RISK) and len(score.missing) < len(VITALS)
    }
    if total is None and anomaly is None and not risks:
        return None
    return Assessment(
        time,
        None if total is None else int(total.value),
        () if total is None else total.missing,
        None if anomaly is None else anomaly.value,
        risks,
    )
