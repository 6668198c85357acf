"""What may move a detector, as checks: finite values that are neither frozen nor doubted.

And the times of the readings, no clock. See `tests.contract.checks`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from detectors.base import label
from detectors.combine import Rules
from detectors.panel import Panel
from detectors.profiles.loading import SHIPPED, Watched
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Profile
from tests.contract.checks import START, checks, state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.base import Moment, Score
    from tests.contract.checks import Subject

# The same time of the same day of the week, about ten years later.
LATER = timedelta(weeks=522)
# How many times the ill moments are shown, one after the other.
CRISES = 6
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def check_a_frozen_crisis_leaves_what_is_usual_as_it_was(subject: Subject) -> None:
    _leaves_as_it_was(subject, [one._replace(frozen=True) for one in _crisis(subject)])


def check_a_doubted_crisis_leaves_what_is_usual_as_it_was(subject: Subject) -> None:
    """Suspect values may be judged, and remembered as the newest; they are never the usual."""
    doubt = int(Quality.SUSPECT)
    _leaves_as_it_was(
        subject,
        [
            one._replace(samples=tuple(sample._replace(quality=doubt) for sample in one.samples))
            for one in _crisis(subject)
        ],
    )


def check_what_is_not_finite_reaches_no_model(subject: Subject) -> None:
    shown, spared = _alone(subject), _alone(subject)
    never = (math.nan, math.inf, -math.inf)
    for n, one in enumerate(subject.healthy(subject.warm + 30)):
        values = _values(one)
        broken = sorted(values)[n % len(values)]
        rest = {vital: value for vital, value in values.items() if vital != broken}
        said = shown.feed(
            subject.settings, "dev-1", Instant(one.time, values | {broken: never[n % 3]})
        )
        assert said == spared.feed(subject.settings, "dev-1", Instant(one.time, rest))
    assert _encoder.encode(shown.snapshot()) == _encoder.encode(spared.snapshot())


def check_a_snapshot_is_small_and_plain_and_stands_under_its_version(subject: Subject) -> None:
    panel = _alone(subject)
    for one in subject.healthy(subject.warm + 10):
        panel.feed(subject.settings, "dev-1", Instant(one.time, _values(one)))
    stored = panel.snapshot().states[label(subject.kind)]
    assert len(bytes(stored)) <= subject.state_bytes
    # A pickle would be bytes, or a type of its own.
    assert _plain(msgspec.msgpack.decode(stored))


def check_a_patient_may_move_between_profiles(subject: Subject) -> None:
    name = subject.kind.name
    known = [one.options(name) for one in SHIPPED.values()]
    by_profile = [replace(subject, options=one) for one in known if one is not None]
    assert by_profile
    for here in by_profile:
        left = here.warmed()
        for there in by_profile:
            detector = there.again(left)
            for one in subject.healthy(30, start=START + timedelta(days=1)):
                scores = there.look(detector, one)
                assert all(math.isfinite(score.value) for score in scores.values())
            assert state(there.again(detector)) == state(detector)


def check_only_the_times_of_the_readings_count(subject: Subject) -> None:
    now, later = subject.make(), subject.make()
    for one in [*subject.healthy(subject.warm + 20), *subject.falling_ill(subject.warm + 20)]:
        seconds = LATER.total_seconds()
        moved = one._replace(time=one.time + LATER, at=one.at + seconds, fed=one.fed + seconds)
        here, there = subject.look(now, one), subject.look(later, moved)
        assert _figures(there.values()) == pytest.approx(_figures(here.values()), rel=1e-6)
        for rule, score in here.items():
            since = there[rule].since
            assert score.since == (None if since is None else since - LATER)


def _crisis(subject: Subject) -> list[Moment]:
    after, length = subject.warm + 10, len(subject.ill)
    return [one for n in range(CRISES) for one in subject.falling_ill(after + n * length)]


def _leaves_as_it_was(subject: Subject, crisis: list[Moment]) -> None:
    """Compare a patient after a crisis with a twin who was not measured meanwhile."""
    seen, spared = subject.warmed(), subject.warmed()
    for one in crisis:
        subject.look(seen, one)
    end, length = START + (subject.warm + 11 + len(crisis)) * subject.every, subject.warm + 20
    if subject.remembers:  # the step back from the crisis is of the present too
        end += subject.remembers
        for one in subject.healthy(length, seed=9, start=end):
            subject.look(seen, one)
            subject.look(spared, one)
        end += length * subject.every + subject.remembers
    judged = 0
    for one in subject.healthy(length, seed=11, start=end):
        here, there = subject.look(seen, one), subject.look(spared, one)
        assert (subject.rule in here) == (subject.rule in there)
        if subject.rule in here:
            judged += 1
            value = there[subject.rule].value
            assert here[subject.rule].value == pytest.approx(value, rel=1e-6, abs=1e-6)
    assert judged or not subject.ill


def _alone(subject: Subject) -> Panel:
    """Make a panel of this detector alone."""
    options = subject.kind.options_type() if subject.options is None else subject.options
    watched = Watched("alone", "for tests", ((subject.kind, options),), Rules())
    return Panel(profiles=dict.fromkeys(Profile, watched))


def _values(one: Moment) -> dict[Vital, float]:
    return {Vital(sample.vital): sample.value for sample in one.samples}


def _figures(scores: Iterable[Score]) -> dict[str, float]:
    return {score.rule: score.value for score in scores}


def _plain(known: Any) -> bool:
    if isinstance(known, dict):
        return all(isinstance(key, str) and _plain(value) for key, value in known.items())
    if isinstance(known, list):
        return all(map(_plain, known))
    return known is None or isinstance(known, (bool, int, float, str))


CHECKS = checks(globals())
