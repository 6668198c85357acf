"""What every detector promises (`detectors.base.Detector`), as checks that each one is put to.

A check gets a subject: how to make a detector, how to restore one, and values that mean something
to it. It fails by assertion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from detectors.base import Sample
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detectors.base import Detector
    from ingest.readings import Vital

START = datetime(2026, 11, 24, tzinfo=UTC)
_encoder = msgspec.msgpack.Encoder(order="deterministic")


@dataclass(frozen=True)
class Subject:
    """A detector and what the checks must know of it.

    `state` is the type of its snapshot, `settings` make it speak about `vital`; `usual` and `ill`
    are values of that vital. `warm` is how many readings, `every` apart, it learns before it
    scores.
    """

    make: Callable[[], Detector]
    restore: Callable[[Any], Detector]
    state: Any
    settings: Patient
    vital: Vital
    usual: tuple[float, float]
    ill: float
    warm: int
    every: timedelta = timedelta(seconds=20)

    def samples(self, count: int, seed: int = 7) -> Iterator[Sample]:
        """Yield readings of a healthy patient, evenly spaced."""
        random = Random(seed)
        for n in range(count):
            value = random.uniform(*self.usual)
            yield Sample(self.vital, value, START + n * self.every, "dev-1")

    def warmed(self) -> Detector:
        """Make a detector that has learned enough to speak, and a little more."""
        detector = self.make()
        for sample in self.samples(self.warm + 10):
            detector.learn(sample)
        return detector

    def later(self, value: float, after: timedelta = timedelta(hours=1)) -> Sample:
        """Build a reading after those that a warmed detector has seen."""
        return Sample(self.vital, value, START + after, "dev-1")

    def again(self, detector: Detector) -> Detector:
        """Put the detector through msgpack and back."""
        return self.restore(msgspec.msgpack.decode(state(detector), type=self.state))


def state(detector: Detector) -> bytes:
    """Encode what the detector knows."""
    return _encoder.encode(detector.snapshot())


def check_knows_nothing_before_it_learns(subject: Subject) -> None:
    assert subject.make().score(Patient("p-1"), subject.later(subject.ill)) is None


def check_says_unknown_while_warming_up(subject: Subject) -> None:
    detector = subject.make()
    for sample in subject.samples(subject.warm):
        assert detector.score(subject.settings, sample) is None
        detector.learn(sample)
    assert detector.score(subject.settings, subject.later(subject.ill)) is not None


def check_scoring_changes_nothing(subject: Subject) -> None:
    detector = subject.warmed()
    before = state(detector)
    scores = [detector.score(subject.settings, subject.later(subject.ill)) for _ in range(3)]
    assert scores[0] == scores[1] == scores[2]
    assert state(detector) == before


def check_the_ill_score_higher_than_the_healthy(subject: Subject) -> None:
    detector = subject.warmed()
    healthy = detector.score(subject.settings, subject.later(sum(subject.usual) / 2))
    ill = detector.score(subject.settings, subject.later(subject.ill))
    assert healthy is not None
    assert ill is not None
    assert ill.value > healthy.value >= 0


def check_an_absurd_value_has_a_finite_score(subject: Subject) -> None:
    score = subject.warmed().score(subject.settings, subject.later(1e9))
    assert score is not None
    assert math.isfinite(score.value)


def check_the_same_readings_give_the_same_bytes(subject: Subject) -> None:
    assert state(subject.warmed()) == state(subject.warmed())


def check_a_restored_detector_goes_on_the_same(subject: Subject) -> None:
    straight, stopped = subject.make(), subject.make()
    for n, sample in enumerate(subject.samples(2000)):
        assert straight.score(subject.settings, sample) == stopped.score(subject.settings, sample)
        straight.learn(sample)
        stopped.learn(sample)
        if n % 37 == 0:
            stopped = subject.again(stopped)
    assert state(straight) == state(stopped)


def check_memory_is_bounded(subject: Subject) -> None:
    detector = subject.make()
    sizes = []
    for n, sample in enumerate(subject.samples(10_000), start=1):
        detector.learn(sample)
        if n % 1000 == 0:
            sizes.append(len(state(detector)))
    # A float may take a few bytes more or less than an integral one; nothing else may grow.
    assert max(sizes) - min(sizes) <= 32
    assert max(sizes) <= 256


def check_gaps_and_repeats_and_disorder_do_not_raise(subject: Subject) -> None:
    detector = subject.warmed()
    for hours in (1, 1, 0, 24 * 365, 2, -1):
        sample = subject.later(subject.ill, timedelta(hours=hours))
        detector.score(subject.settings, sample)
        detector.learn(sample)


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]
