"""Same log, same bytes: two runs, two processes, and wherever the watch was stored between."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pytest

from alerts.watch import Watch
from ingest.registry.entities import Profile
from tests.contract.stories import settings, shown, story

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alerts.events import AlertEvent

ROOT = Path(__file__).parents[2]
_encoder = msgspec.msgpack.Encoder()


def digest(
    profile: Profile,
    seed: int,
    stops: frozenset[int] = frozenset(),
    moves: Mapping[int, Profile] = MappingProxyType({}),
) -> str:
    """Show a story to a watch that is stored and restored after these steps; hash all it said.

    `moves` are steps before which the patient goes over to another profile.
    """
    patient, watch = settings(profile), Watch("p-1")
    said = hashlib.sha256()
    for number, step in enumerate(story(profile, seed)):
        if number in moves:
            patient = settings(moves[number])
        outcome = shown(watch, patient, step)
        events = outcome if isinstance(outcome, tuple) else (outcome.assessment, outcome.events)
        said.update(_encoder.encode(events))
        if number in stops:
            watch = Watch.restore("p-1", watch.snapshot())
    said.update(watch.snapshot())
    return said.hexdigest()


@pytest.mark.parametrize("profile", Profile)
def test_stored_and_restored_at_100_random_places_a_watch_says_the_same(profile: Profile) -> None:
    for seed in range(2):
        stops = frozenset(Random(seed).sample(range(600), 100))
        assert digest(profile, seed, stops) == digest(profile, seed)


def test_stored_and_restored_a_watch_over_a_patient_who_moves_says_the_same() -> None:
    for seed, profile in enumerate(Profile):
        random = Random(seed)
        moves = {step: random.choice(list(Profile)) for step in random.sample(range(600), 12)}
        stops = frozenset(random.sample(range(600), 100)) | moves.keys()
        assert digest(profile, seed, stops, moves) == digest(profile, seed, moves=moves)


def test_another_process_with_other_hashes_says_the_same() -> None:
    program = (
        "from tests.contract.test_same_log import digest\n"
        "from ingest.registry.entities import Profile\n"
        "print(*[digest(profile, 3) for profile in Profile])"
    )
    here = [digest(profile, 3) for profile in Profile]
    for salt in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.split() == here


@pytest.mark.parametrize("profile", Profile)
def test_the_stories_are_worth_telling(profile: Profile) -> None:
    """A story in which nothing happens would prove nothing."""
    patient, watch = settings(profile), Watch("p-1")
    events: list[AlertEvent] = []
    for seed in range(3):
        for step in story(profile, seed):
            outcome = shown(watch, patient, step)
            events += outcome if isinstance(outcome, tuple) else outcome.events
    assert {event.phase.value for event in events} >= {"start", "end"}
    assert len({event.finding.rule for event in events}) >= 3
