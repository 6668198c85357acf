"""What every detector promises (`detectors.base.Detector`), as checks that each one is put to.

A check gets a subject: how to make the detector, and what means something to it. It fails by
assertion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from detectors.base import Feed, Moment, Sample
from detectors.explain import Language, explain
from detectors.findings import Kind
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detectors.base import Before, Detector, Score
    from detectors.findings import Finding

START = datetime(2026, 11, 24, tzinfo=UTC)
YEAR = timedelta(days=365)
PLAIN = Patient("p-1")
MILLION = 1_000_000
_encoder = msgspec.msgpack.Encoder(order="deterministic")
Values = dict[str, float]


def _nothing(_moment: Moment) -> Before:
    return {}


@dataclass(frozen=True)
class Subject:
    """A detector and what the checks must know of it.

    `settings` make it speak. `usual` draws the values of a healthy patient's moment number n,
    `ill` are moments that follow each other after the healthy ones and end in what the detector is
    there for: the last one's score of `rule` must be above every healthy one's; none for a detector
    that speaks at ticks only, which must once it was not fed for `silent`. `warm`: how many
    healthy moments, `every` apart, it learns before `rule` has its first score. `before` gives the
    scores of detectors that it reads. `state_bytes`: what its packed state may take at most.
    `remembers`: for how long values count as the present, though they are never learned as usual.
    """

    kind: type[Any]
    rule: str
    usual: Callable[[Random, int], Values]
    ill: Sequence[Values]
    options: Any = None
    settings: Patient = PLAIN
    warm: int = 0
    every: timedelta = timedelta(seconds=20)
    before: Callable[[Moment], Before] = _nothing
    state_bytes: int = 900
    silent: timedelta = timedelta(days=3)
    remembers: timedelta = timedelta(0)

    @property
    def vitals(self) -> list[str]:
        """Name the vitals that it is shown."""
        return sorted({*self.usual(Random(0), 0), *(vital for one in self.ill for vital in one)})

    def make(self, state: Any = None) -> Detector:
        """Make one, or one that goes on from a snapshot."""
        options = self.kind.options_type() if self.options is None else self.options
        made: Detector = self.kind(options) if state is None else self.kind(options, state)
        return made

    def healthy(self, count: int, seed: int = 7, start: datetime = START) -> Iterator[Moment]:
        """Yield moments of a healthy patient, evenly spaced."""
        random = Random(seed)
        for n in range(count):
            yield moment(start + n * self.every, self.usual(random, n))

    def falling_ill(self, after: int) -> Iterator[Moment]:
        """Yield the moments that end in what the detector is there for."""
        for n, values in enumerate(self.ill):
            yield moment(START + (after + n) * self.every, values)

    def look(self, detector: Detector, one: Moment) -> dict[str, Score]:
        """Score and learn, as the panel does; returns the scores by rule."""
        scores = detector.score(self.settings, one, self.before(one))
        detector.learn(self.settings, one, scores)
        return {score.rule: score for score in scores}

    def warmed(self) -> Detector:
        """Make a detector that has learned enough to speak, and a little more."""
        detector = self.make()
        for one in self.healthy(self.warm + 10):
            self.look(detector, one)
        return detector

    def again(self, detector: Detector) -> Detector:
        """Put the detector through msgpack and back."""
        return self.make(msgspec.msgpack.decode(state(detector), type=self.kind.state_type))


def moment(time: datetime, values: Values, device: str = "dev-1", **rest: Any) -> Moment:
    """Build a moment from plain values."""
    samples = tuple(Sample(vital, float(values[vital])) for vital in sorted(values))
    return Moment(time, time.timestamp(), device, samples, time.timestamp(), **rest)


def state(detector: Detector) -> bytes:
    """Encode what the detector knows."""
    return _encoder.encode(detector.snapshot())


def check_knows_nothing_before_it_learns(subject: Subject) -> None:
    if subject.warm:
        first = next(iter(subject.healthy(1)))
        assert not [
            score
            for score in subject.make().score(subject.settings, first, subject.before(first))
            if score.rule == subject.rule
        ]


def check_says_unknown_while_warming_up_and_never_zero(subject: Subject) -> None:
    if not subject.ill:
        return
    detector = subject.make()
    for n, one in enumerate(subject.healthy(subject.warm + 1)):
        scores = subject.look(detector, one)
        assert (subject.rule in scores) == (n >= subject.warm), n


def check_scoring_changes_nothing(subject: Subject) -> None:
    detector = subject.warmed()
    for one in subject.falling_ill(subject.warm + 10):
        before = state(detector)
        context = subject.before(one)
        scores = [detector.score(subject.settings, one, context) for _ in range(3)]
        assert list(scores[0]) == list(scores[1]) == list(scores[2])
        assert state(detector) == before
        subject.look(detector, one)


def check_the_ill_score_higher_than_the_healthy(subject: Subject) -> None:
    detector = subject.make()
    scores = [subject.look(detector, one) for one in subject.healthy(subject.warm + 10)]
    healthy = [found[subject.rule].value for found in scores if subject.rule in found]
    if not subject.ill:  # it speaks at ticks only
        assert not healthy
        return
    assert len(healthy) == 10
    last = None
    for one in subject.falling_ill(subject.warm + 10):
        last = subject.look(detector, one).get(subject.rule)
    assert last is not None
    assert last.value > max(healthy)
    assert min(healthy) >= 0


def check_a_finding_says_what_against_what_and_since_when(subject: Subject) -> None:
    detector = subject.make()
    found = []
    for one in [*subject.healthy(subject.warm + 10), *subject.falling_ill(subject.warm + 10)]:
        for score in subject.look(detector, one).values():
            assert score.detector == f"{subject.kind.name}/{subject.kind.version}"
            assert score.rule.partition(".")[0] == subject.kind.name
            if score.finding is not None:
                found.append((one, score.finding))
    assert not subject.ill or subject.rule in {finding.rule for _, finding in found}
    for one, finding in found:
        assert finding.detector == f"{subject.kind.name}/{subject.kind.version}"
        assert finding.since is not None
        assert finding.since <= one.time
        assert finding.against is not None
        assert finding.evidence or finding.missing
        assert all(evidence.time <= one.time for evidence in finding.evidence)
        if finding.kind is not Kind.TECHNICAL:
            assert finding.parts or _compared(finding)
        for language in Language:
            assert explain(finding, language, moment=one.time)


def _compared(finding: Finding) -> bool:
    """Whether a reader sees what a value was compared with: bounds, points, or an earlier value."""
    bounded = any((one.low, one.high, one.points) != (None, None, None) for one in finding.evidence)
    return bounded or len({one.time for one in finding.evidence}) > 1


def check_one_score_for_each_rule(subject: Subject) -> None:
    detector = subject.make()
    for one in [*subject.healthy(subject.warm + 10), *subject.falling_ill(subject.warm + 10)]:
        scores = detector.score(subject.settings, one, subject.before(one))
        assert len({score.rule for score in scores}) == len(scores)
        detector.learn(subject.settings, one, scores)


def check_an_absurd_value_has_a_finite_score(subject: Subject) -> None:
    for absurd in (1e9, -1e9, 0.0, 1e300):
        detector = subject.warmed()
        time = START + (subject.warm + 20) * subject.every
        values = dict.fromkeys(subject.vitals, absurd)
        for n in range(3):
            for score in subject.look(detector, moment(time + n * subject.every, values)).values():
                assert math.isfinite(score.value)
        msgspec.msgpack.decode(state(detector), type=subject.kind.state_type)


def check_a_year_of_absurd_values_is_forgotten_or_survived(subject: Subject) -> None:
    detector = subject.warmed()
    absurd = dict.fromkeys(subject.vitals, 1e9)
    for n in range(50):
        subject.look(detector, moment(START + (subject.warm + 20 + n) * subject.every, absurd))
    for one in subject.healthy(200, start=START + YEAR):
        for score in subject.look(detector, one).values():
            assert math.isfinite(score.value)


def check_the_same_readings_give_the_same_bytes(subject: Subject) -> None:
    assert state(subject.warmed()) == state(subject.warmed())


def check_a_restored_detector_goes_on_the_same(subject: Subject) -> None:
    straight, stopped = subject.make(), subject.make()
    story = [*subject.healthy(subject.warm + 300), *subject.falling_ill(subject.warm + 300)]
    for n, one in enumerate(story):
        assert subject.look(straight, one) == subject.look(stopped, one), n
        if n % 37 == 0 or n > len(story) - len(subject.ill):
            stopped = subject.again(stopped)
    assert state(straight) == state(stopped)


def check_memory_is_bounded_over_a_million_readings(subject: Subject) -> None:
    detector = subject.make()
    sizes, shown = [], 0
    drawn = [one.samples for one in subject.healthy(5000)]
    time = START
    for n in range(MILLION):
        samples = drawn[n % len(drawn)]
        time += subject.every
        at = time.timestamp()
        subject.look(detector, Moment(time, at, "dev-1", samples, at))
        shown += len(samples)
        if shown >= MILLION:
            break
        if n % 5000 == 4999:
            sizes.append(len(state(detector)))
    assert shown >= MILLION
    assert max(sizes) <= subject.state_bytes


def check_late_repeated_and_reordered_moments_do_not_raise(subject: Subject) -> None:
    detector, newest = subject.warmed(), START
    for values in (dict.fromkeys(subject.vitals, 35.0), dict.fromkeys(subject.vitals, 80.0)):
        for hours in (1, 1, 0, 24 * 365, 2, -1, 24 * 366):
            one = moment(START + timedelta(hours=hours), values)
            newest = max(newest, one.time)
            for score in subject.look(detector, one).values():
                assert math.isfinite(score.value)
                assert score.since is None or score.since <= newest
    again = subject.again(detector)
    assert state(again) == state(detector)


def check_a_gap_of_a_year_does_not_raise_and_is_no_concern_of_itself(subject: Subject) -> None:
    detector = subject.warmed()
    for one in subject.healthy(5, start=START + YEAR):
        for score in subject.look(detector, one).values():
            assert math.isfinite(score.value)
            assert score.finding is None


def check_a_part_of_the_vitals_is_enough(subject: Subject) -> None:
    detector = subject.warmed()
    full = next(subject.healthy(1, seed=5, start=START + timedelta(days=1)))
    for number, sample in enumerate(full.samples):
        alone = full._replace(
            time=full.time + timedelta(minutes=number),
            at=full.at + 60 * number,
            samples=(sample,),
        )
        for score in subject.look(detector, alone).values():
            assert math.isfinite(score.value)
    empty = full._replace(time=full.time + timedelta(hours=1), at=full.at + 3600, samples=())
    subject.look(detector, empty)


def check_time_that_passes_is_a_finding_of_a_detector_that_ticks(subject: Subject) -> None:
    if not hasattr(subject.kind, "overdue"):
        return
    detector: Any = subject.warmed()
    last = START + (subject.warm + 9) * subject.every
    assert not findings(detector, subject, last + subject.every / 2)
    due = detector.due(subject.settings)
    assert due is not None
    assert due > last.timestamp()
    before = state(detector)
    late = findings(detector, subject, last + subject.silent)
    assert late
    assert late == findings(subject.again(detector), subject, last + subject.silent)
    assert state(detector) == before
    for finding in late:
        assert finding.since is not None
        assert finding.since <= last + subject.silent
        assert finding.rule.partition(".")[0] == subject.kind.name


def findings(detector: Any, subject: Subject, time: datetime) -> list[Finding]:
    """Ask a detector that ticks what it makes of the time."""
    feed = Feed(time, time.timestamp())
    scores = detector.overdue(subject.settings, feed, frozenset())
    return [score.finding for score in scores if score.finding is not None]


def check_the_moment_is_not_changed(subject: Subject) -> None:
    detector = subject.warmed()
    one = next(subject.healthy(1, start=START + YEAR))
    kept = moment(one.time, {sample.vital: sample.value for sample in one.samples})
    subject.look(detector, one)
    assert one == kept


def checks(module: dict[str, Any]) -> list[Callable[[Subject], None]]:
    """Return all checks of a module, by name."""
    return [check for name, check in sorted(module.items()) if name.startswith("check_")]


CHECKS = checks(globals())
