"""What should have come by now and has not: a device, a vital, a prescribed measurement.

Two clocks. That a device or a vital has stopped is judged by the feed's clock (`Moment.fed`), which
stands still while the feed itself is dead: nobody is called silent for our own fault. That a
prescribed measurement was missed is judged by the readings' own times and the tick's: a weight of
this morning counts for this morning whenever it came.

References
----------
Arrêté of 22 June 2023 on the telemonitoring of heart failure (France, CSS L.162-52): the weight is
sent every day, and the alert for data that does not come cannot be switched off by the operator
(`detectors.prescriptions`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.findings import Against, Evidence, Finding, Kind, Pattern, Priority
from detectors.hearing import Heard, State, learn
from detectors.prescriptions import late_after, prescribed
from ingest.readings import Vital
from ingest.registry.entities import Prescription  # noqa: TC001 (a field's type)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.base import Before, Feed, Moment, Scores
    from ingest.registry.entities import Patient

DETECTOR = "silence/1"
PREFIX = "silence."
DEVICE_RULE = "silence.device"

# Devices that are remembered; of more, the one that was not heard for longest is dropped.
DEVICES = 16
# A prescription is asked for so many seconds after it is late by the feed's clock: by the devices'
# clocks it may not be late before (engineering choice; ticks are two seconds apart).
CLOCKS = 60.0
# Stated when they change, not at intervals.
STATEMENTS = frozenset({Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS, Vital.BATTERY})

Minutes = Annotated[float, msgspec.Meta(gt=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected how often, and how late it may be. All of it engineering choice.

    `device_minutes` (of each device that has come some times) and `vital_minutes` are expected
    intervals; where none is set the patient's own is learned. Silent is what has not come for
    `factor` intervals, but for `at_least_minutes` in any case. After `forget_hours` a device or
    vital that stays away is taken to be no longer used. `priority` is that of silence; a missed
    prescription is always medium.
    """

    device_minutes: Minutes | None = None
    vital_minutes: dict[Vital, Minutes] = {}
    factor: Annotated[float, msgspec.Meta(ge=1)] = 3.0
    at_least_minutes: Minutes = 60.0
    forget_hours: Annotated[float, msgspec.Meta(gt=0)] = 168.0
    priority: Priority = Priority.MEDIUM
    prescriptions: dict[Vital, Prescription] = {}


class _Expected(NamedTuple):
    """A device or a vital that should come; silent after `limit` seconds of the feed."""

    heard: Heard
    limit: float
    vital: str


class Silence:
    """Notices what does not come. It speaks at ticks; readings only end what it said.

    `silence.device` is one rule for all of a patient's devices: it ends when none is silent any
    more. `silence.<vital>` is for a vital that has stopped although its device goes on, or that was
    prescribed and not measured. A value of a score is how long it has been away, in expected
    intervals.

    Cost: about 1 microsecond per moment and one third of one per vital; a tick is some ten. State:
    about 40 bytes per vital and device.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from detectors.base import Feed
    >>> from ingest.registry.entities import Patient, Profile
    >>> monday = datetime(2026, 11, 23, 8, tzinfo=UTC)
    >>> detector = Silence(Options(), State(fed=0.0, at=monday.timestamp()))
    >>> heart = Patient("p-1", Profile.HOME_HEART)
    >>> detector.overdue(heart, Feed(monday + timedelta(hours=47), 47 * 3600.0), frozenset())
    ()
    >>> (one,) = detector.overdue(heart, Feed(monday + timedelta(days=3), 259200.0), frozenset())
    >>> one.rule, one.finding.pattern.value, one.value
    ('silence.weight', 'missed', 3.0)
    """

    name: ClassVar[str] = "silence"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[type[State]] = State

    def __init__(self, options: Options, state: State | None = None) -> None:
        self._options = options
        self._floor = 60 * options.at_least_minutes
        # A shorter interval makes no difference to what is late.
        self._matters = self._floor / options.factor
        self._minutes: dict[str, float] = {str(v): m for v, m in options.vital_minutes.items()}
        self._state = state if state is not None else State()

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Answer open rules about what has come now: "normal" again."""
        del settings, before
        if not moment.open:
            return ()
        return tuple(
            Score(DETECTOR, rule, 0.0)
            for rule in sorted(moment.open)
            if rule.startswith(PREFIX) and self._answered(moment, rule)
        )

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Take in that the device and its vitals were heard."""
        del settings, scores
        state = self._state
        if state.fed is None:
            state.fed, state.at = moment.fed, moment.at
        fed, at = int(moment.fed), int(moment.at)
        known = state.devices.get(moment.device)
        if known is not None:
            self._hear(known, fed, frozen=moment.frozen)
        if not moment.samples:  # an artefact explains all of it
            return
        first = moment.samples[0]
        if known is None:
            self._forget(fed)
            known = Heard(fed, fed, at, first.vital, first.value, self._number())
            state.devices[moment.device] = known
        elif at >= known.at:
            known.at, known.vital, known.value = at, first.vital, first.value
        number, vitals = known.number, state.vitals
        for sample in moment.samples:
            heard = vitals.get(sample.vital)
            if heard is None:
                vitals[sample.vital] = Heard(fed, fed, at, "", sample.value, number)
                continue
            if heard.fed != fed:
                self._hear(heard, fed, frozen=moment.frozen)
            if at >= heard.at:
                heard.at, heard.value, heard.number = at, sample.value, number

    def due(self, settings: Patient) -> float | None:
        """Return the `fed` second at which the next thing is late; None: nothing is expected.

        For a prescription it is that second if the feed does not die meanwhile and the last
        reading came at once. Else it is late earlier: ask from time to time.
        """
        orders = prescribed(settings, self._options.prescriptions)
        found = [one.heard.fed + one.limit for one in self._devices()]
        found += [self._back(one) + one.limit for one in self._vitals(orders)]
        for vital, order in orders.items():
            fed, _ = self._since(vital)
            if fed is not None:
                found.append(fed + late_after(order) + CLOCKS)
        # What was late before something else was last heard has been told: it must not hide the
        # next thing that will be.
        heard = max((one.fed for one in self._state.devices.values()), default=0)
        return min((due for due in found if due > heard), default=min(found, default=None))

    def overdue(self, settings: Patient, feed: Feed, open_rules: frozenset[str]) -> Scores:
        """Say what is missing by now, and of what was missing before, that it is not."""
        orders = prescribed(settings, self._options.prescriptions)
        scores = {score.rule: score for score in self._missed(orders, feed)}
        devices = [one for one in self._devices() if self._is_silent(one, feed.fed)]
        if devices:
            scores[DEVICE_RULE] = self._silent(DEVICE_RULE, devices, feed)
        gone = {one.heard.number for one in devices}
        for one in self._vitals(orders):
            # What its device or an artefact explains is told there.
            if one.heard.number in gone or _explained(one.vital, open_rules):
                continue
            if self._is_silent(one, feed.fed) and feed.fed - self._back(one) >= one.limit:
                rule = f"{PREFIX}{one.vital}"
                scores[rule] = self._silent(rule, [one], feed)
        for rule in sorted(open_rules):
            if rule.startswith(PREFIX) and rule not in scores:
                scores[rule] = Score(DETECTOR, rule, 0.0)
        return tuple(scores.values())

    def snapshot(self) -> State:
        """Return what was heard when."""
        return self._state

    def _hear(self, heard: Heard, fed: int, *, frozen: bool) -> None:
        gap = fed - heard.fed
        if gap > 0:
            if gap > self._floor and gap > self._limit(heard, None):
                heard.back = fed
            if not frozen:
                learn(heard, gap, matters=self._matters, floor=self._floor)
        elif gap < 0:  # a feed that began anew (another partition of the log) has the word
            heard.first = None if heard.first is None else heard.first + gap
            heard.back = None if heard.back is None else heard.back + gap
        heard.fed = fed

    def _number(self) -> int:
        """Find a number for a device that no other has and no vital's newest reading names."""
        state = self._state
        taken = {one.number for one in (*state.devices.values(), *state.vitals.values())}
        return next(number for number in range(len(taken) + 1) if number not in taken)

    def _name(self, number: int) -> str:
        """Return a device's id; empty for one that was forgotten."""
        devices = self._state.devices.items()
        return next((name for name, one in devices if one.number == number), "")

    def _answered(self, moment: Moment, rule: str) -> bool:
        """Whether this moment ends what the rule says is missing."""
        if rule == DEVICE_RULE:
            back = self._state.devices.get(moment.device)
            return not any(
                self._is_silent(one, moment.fed) for one in self._devices() if one.heard is not back
            )
        vital = rule.removeprefix(PREFIX)
        if not any(sample.vital == vital for sample in moment.samples):
            return False
        heard = self._state.vitals.get(vital)
        return heard is None or moment.at > heard.at

    def _since(self, vital: str) -> tuple[float | None, float | None]:
        """Return when a vital was last measured, or since when that is expected, if later."""
        state, heard = self._state, self._state.vitals.get(vital)
        fed, at = (state.fed, state.at) if heard is None else (heard.fed, heard.at)
        if fed is not None and at is not None and vital in state.ordered:
            ordered_fed, ordered_at = state.ordered[vital]
            return max(fed, ordered_fed), max(at, ordered_at)
        return fed, at

    def _devices(self) -> Iterator[_Expected]:
        """Yield the devices that should come."""
        for one in self._state.devices.values():
            if one.first is None:
                yield _Expected(one, self._limit(one, self._options.device_minutes), one.vital)

    def _vitals(self, orders: Mapping[Vital, Prescription]) -> Iterator[_Expected]:
        """Yield the vitals that should come, without those that are prescribed."""
        for vital, one in self._state.vitals.items():
            usual = one.first is None and vital not in STATEMENTS
            if (usual or vital in self._minutes) and vital not in orders:
                yield _Expected(one, self._limit(one, self._minutes.get(vital)), vital)

    def _is_silent(self, one: _Expected, fed: float) -> bool:
        return one.limit <= fed - one.heard.fed <= self._forgotten_after(one.limit)

    def _back(self, one: _Expected) -> int:
        """Return since when a vital could have come: its device may have been silent until then."""
        device = self._state.devices.get(self._name(one.heard.number))
        return one.heard.fed if device is None else max(one.heard.fed, device.back or 0)

    def _limit(self, one: Heard, minutes: float | None) -> float:
        expected = (one.gap or 0.0) if minutes is None else 60 * minutes
        return max(self._floor, self._options.factor * expected)

    def _forgotten_after(self, limit: float) -> float:
        return max(3600 * self._options.forget_hours, 2 * limit)

    def _missed(self, orders: Mapping[Vital, Prescription], feed: Feed) -> Iterator[Score]:
        now = feed.time.timestamp()
        for vital, order in sorted(orders.items()):
            _, at = self._since(vital)
            if at is None or now - at < late_after(order):
                continue
            rule, heard = f"{PREFIX}{vital}", self._state.vitals.get(vital)
            finding = Finding(
                rule=rule,
                kind=Kind.TECHNICAL,
                priority=Priority.MEDIUM,
                detector=DETECTOR,
                evidence=() if heard is None else (self._evidence(heard, vital),),
                score=(now - at) / (3600 * order.every_hours),
                missing=(vital,),
                since=datetime.fromtimestamp(at + 3600 * order.every_hours, UTC),
                pattern=Pattern.MISSED,
                against=Against.EXPECTED,
            )
            yield Score(DETECTOR, rule, finding.score or 0.0, finding, vital, since=finding.since)

    def _silent(self, rule: str, silent: list[_Expected], feed: Feed) -> Score:
        """Say that these have stopped, the one first that was not heard for longest."""
        silent = sorted(silent, key=lambda one: (one.heard.fed, one.heard.number))
        first, of_device = silent[0], rule == DEVICE_RULE
        value = self._options.factor * (feed.fed - first.heard.fed) / first.limit
        last = datetime.fromtimestamp(min(one.heard.at for one in silent), UTC)
        finding = Finding(
            rule=rule,
            kind=Kind.TECHNICAL,
            priority=self._options.priority,
            detector=DETECTOR,
            evidence=tuple(self._evidence(one.heard, one.vital) for one in silent),
            score=value,
            missing=() if of_device else (first.vital,),
            since=min(feed.time, last),  # a clock may be ahead
            pattern=Pattern.SILENT,
            against=Against.EXPECTED,
        )
        vital = None if of_device else first.vital
        return Score(DETECTOR, rule, value, finding, vital, since=finding.since)

    def _evidence(self, heard: Heard, vital: str) -> Evidence:
        time = datetime.fromtimestamp(heard.at, UTC)
        return Evidence(vital, heard.value, time, self._name(heard.number))

    def _forget(self, fed: float) -> None:
        """Make room for a device: drop what is no longer used, or was not heard for longest."""
        devices = self._state.devices
        gone = [
            name
            for name, one in devices.items()
            if fed - one.fed > self._forgotten_after(self._limit(one, self._options.device_minutes))
        ]
        kept = sorted(devices.keys() - gone, key=lambda name: (devices[name].fed, name))
        for name in [*gone, *kept[: max(0, len(kept) - DEVICES + 1)]]:
            del devices[name]


def _explained(vital: str, open_rules: frozenset[str]) -> bool:
    """Whether an open artefact says why nothing usable of this vital comes."""
    return any(rule.startswith("artefact.") and rule.endswith(f".{vital}") for rule in open_rules)
