"""Whether a patient's vitals, taken together, are unusual among others'."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from detectors.base import Score
from detectors.population.memory import (
    HUNDREDTHS,
    SLOT,
    SLOTS,
    THOUSANDTHS,
    Kept,
    Memory,
    column,
    forget_devices,
    known,
    moved,
    taken,
)
from detectors.population.model import VITALS, Reference, shipped
from detectors.population.telling import DETECTOR, RULE, View, told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Before, Moment, Scores
    from ingest.registry.entities import Patient

ALL = frozenset(range(len(SLOTS)))


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a profile sets in its section `[population]`.

    `every_minutes`: how often a patient is judged at most. `validity_hours`: an older value is not
    known any more. `least`: how many vitals must be known. `far`: the distance from which on it is
    advice; None: the model's own.
    """

    every_minutes: float = 1.0
    validity_hours: float = 4.0
    least: int = 3
    far: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense. Raises ValueError."""
        if self.every_minutes < 0 or self.validity_hours <= 0 or self.least < 1:
            raise ValueError("every_minutes is 0 or more, validity_hours above 0, least 1 or more")


class _Note(NamedTuple):
    """What `score` found, for `learn`: `kept` replaces the memory's, `fresh` comes on top of it."""

    moment: Moment
    fresh: Mapping[int, Kept]
    kept: list[Kept | None] | None = None


class Population:
    """How far a patient's vitals, taken together, lie from those of others, in robust units.

    A patient whose baseline is warm is judged by how far each vital is from the patient's own usual
    (which the scores `baseline.<vital>` say), against how such distances go together in others: a
    heart rate that rises while the pressure falls is rarer than either. A newcomer, of whom fewer
    than `least` usuals are known, is judged by the values themselves. 0 and less is 0, there is no
    upper end; nothing is said while fewer than `least` vitals are known.

    The model is fitted once, frozen and the same for everybody (`docs/models/population.md`), so
    there is nothing to learn: only each vital's newest value is remembered. It was fitted on adults
    in intensive care: elsewhere it is too lenient. It knows nothing of sepsis or any illness, only
    of what is rare (AUROC 0.62 for sepsis, no better than NEWS2).

    Half-space trees, the usual choice for streams, were measured and left (decision 14): they
    saturate, do not say which vital it was, do not do without a missing one, and cost 30 us.

    Cost: one microsecond a moment, 25 us once a minute. State: about 100 bytes.

    References
    ----------
    Mahalanobis, P. C. On the generalised distance in statistics. 1936. Rousseeuw, P. J. and Van
    Zomeren, B. C. Unmasking multivariate outliers and leverage points. JASA 85, 633-639, 1990
    (why centre and spread must be robust). Tan, S. C., Ting, K. M. and Liu, T. F. Fast anomaly
    detection for streaming data. IJCAI, 1511-1516, 2011 (half-space trees).

    Examples
    --------
    >>> from detectors.base import Moment, Sample
    >>> from ingest.registry.entities import Patient
    >>> from ingest.readings import Vital
    >>> time = datetime(2026, 11, 24, tzinfo=UTC)
    >>> def moment(pulse: float, breaths: float, spo2: float) -> Moment:
    ...     values = {Vital.HEART_RATE: pulse, Vital.RESPIRATORY_RATE: breaths, Vital.SPO2: spo2}
    ...     samples = tuple(Sample(vital, value) for vital, value in values.items())
    ...     return Moment(time, time.timestamp(), "dev-1", samples)
    >>> newcomer = Population(Options())
    >>> [usual] = newcomer.score(Patient("p-1"), moment(84, 18, 97), {})
    >>> [ill] = newcomer.score(Patient("p-1"), moment(150, 40, 82), {})
    >>> usual.value, ill.value > 5, ill.finding is not None
    (0.0, True, True)
    """

    name: ClassVar[str] = "population"
    version: ClassVar[int] = 1
    options_type: ClassVar[type[Options]] = Options
    state_type: ClassVar[Any] = Memory | None

    def __init__(self, options: Options, state: Memory | None = None) -> None:
        self._every, self._limit = 60 * options.every_minutes, 3600 * options.validity_hours
        self._least, self._far = options.least, options.far
        self._memory = state
        self._note: _Note | None = None

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        """Say how unusual the patient is among others, once a minute."""
        del settings  # the population is the same for everybody
        memory = self._memory
        if memory is None:
            memory = Memory(int(moment.at), [None] * len(SLOTS), [])
        elif -self._limit < (later := moment.at - memory.at) < self._every:
            self._note = self._between(memory, moment, before, -int(later))
            return ()
        fresh = taken(memory, moment, before, ALL)
        kept = moved(memory, int(moment.at), self._limit)
        for slot, one in fresh.items():
            kept[slot] = one
        self._note = _Note(moment, fresh, kept) if fresh else None
        return self._judged(memory, moment, before, kept) if fresh else ()

    def learn(self, settings: Patient, moment: Moment, scores: Scores) -> None:
        """Remember the newest values; nothing that is usual is learned, in anybody's case."""
        del settings
        note, self._note = self._note, None
        if note is None or note.moment is not moment:
            return
        memory = self._memory
        if memory is None:
            memory = self._memory = Memory(int(moment.at), [None] * len(SLOTS), [])
        if any(one.device == len(memory.devices) for one in note.fresh.values()):
            memory.devices.append(moment.device)
        if note.kept is None:
            for slot, one in note.fresh.items():
                memory.kept[slot] = one
            return
        at = int(moment.at)
        if not scores or scores[0].finding is None:
            memory.since = None
        elif self._begun(memory, at) is None:
            memory.since = at
        memory.at, memory.kept = at, note.kept
        forget_devices(memory)

    def snapshot(self) -> Memory | None:
        """Return the working state itself: encode it at once."""
        return self._memory

    def _between(self, memory: Memory, moment: Moment, before: Before, age: int) -> _Note | None:
        """Note, between two judgements, only what has not come since the last one.

        At one reading a second that is nothing; a cuff's pressure is kept for the next judgement.
        """
        kept, stale = memory.kept, None
        for sample in moment.samples:
            slot = SLOT.get(sample.vital)
            if slot is not None:
                one = kept[slot]
                if one is None or (one.age > 0 and one.age > age):
                    stale = {slot} if stale is None else stale | {slot}
        if stale is None:
            return None
        fresh = taken(memory, moment, before, frozenset(stale))
        for one in fresh.values():
            one.age = age
        return _Note(moment, fresh)

    def _begun(self, memory: Memory, at: int) -> int | None:
        """Return since when the row of far distances goes on; None: this is its first.

        It does not go on over a time of which nothing is known, nor from a clock that was ahead.
        """
        since = memory.since
        if since is None or since > at or abs(at - memory.at) > self._limit:
            return None
        return since

    def _judged(
        self, memory: Memory, moment: Moment, before: Before, kept: list[Kept | None]
    ) -> Scores:
        others, own = references()
        view = View(moment, before, own, known(kept, own=True), own=True)
        if len(view.found) < self._least:
            view = View(moment, before, others, known(kept, own=False), own=False)
        if len(view.found) < self._least:
            return ()
        if view.own:
            values = {
                column(slot): (one.own or 0) / THOUSANDTHS for slot, one in view.found.items()
            }
        else:
            values = {column(slot): one.value / HUNDREDTHS for slot, one in view.found.items()}
        distance = view.reference.distance(dict(sorted(values.items())))
        missing = tuple(str(vital) for n, vital in enumerate(VITALS) if n not in values)
        far = view.reference.joint.far if self._far is None else self._far
        if distance.value < far:
            return (Score(DETECTOR, RULE, distance.value, missing=missing),)
        devices = (
            memory.devices if moment.device in memory.devices else [*memory.devices, moment.device]
        )
        begun = self._begun(memory, int(moment.at))
        since = moment.time if begun is None else datetime.fromtimestamp(begun, UTC)
        finding = told(view, distance, devices, since, missing)
        return (Score(DETECTOR, RULE, distance.value, finding, since=since, missing=missing),)


@cache
def references() -> tuple[Reference, Reference]:
    """Return what others' values are measured with, and their distances from their own usual."""
    model = shipped()
    return Reference(model.others), Reference(model.own)
