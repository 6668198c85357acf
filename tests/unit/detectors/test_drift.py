"""A lasting shift is told, with its way and its start; a spike is not."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Moment, Sample
from detectors.drift import Drift, Options
from detectors.findings import Against, Finding, Kind, Pattern, Priority
from detectors.levels import State
from ingest.readings import Original, Quality, Vital
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from detectors.base import Score

PATIENT = Patient("p-1")
START = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
HOUR = 3600.0
ROOT = Path(__file__).parents[3]
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def look(
    drift: Drift, at: float, value: float, vital: str = Vital.HEART_RATE, **rest: bool
) -> Score | None:
    """Show one value, `at` seconds after START; returns its score."""
    sample = Sample(vital, value, int(Quality.SUSPECT) if rest.pop("suspect", False) else 0)
    time = datetime.fromtimestamp(START + at, UTC)
    moment = Moment(time, START + at, "dev-1", (sample,), **rest)  # type: ignore[arg-type]
    scores = drift.score(PATIENT, moment, {})
    drift.learn(PATIENT, moment, scores)
    return next(iter(scores), None)


def hourly(values: Iterable[float], every: float = HOUR) -> list[Finding | None]:
    """Show values to a new detector; returns the finding at each."""
    drift = Drift(Options())
    scores = [look(drift, n * every, value) for n, value in enumerate(values)]
    return [None if score is None else score.finding for score in scores]


def usual(count: int, seed: int = 3) -> list[float]:
    random = Random(seed)
    return [random.gauss(72, 2.5) for _ in range(count)]


def found_at(findings: Sequence[Finding | None]) -> list[int]:
    return [n for n, finding in enumerate(findings) if finding is not None]


def test_a_level_that_stays_up_is_told_with_its_way_its_start_and_what_was_usual() -> None:
    findings = hourly([*usual(40), *(value + 20 for value in usual(6))])
    first = findings[found_at(findings)[0]]
    assert found_at(findings)[0] == 43  # the fourth level of the shift
    assert first is not None
    assert (first.kind, first.priority) == (Kind.ADVISORY, Priority.LOW)
    assert (first.pattern, first.against) == (Pattern.RISING, Against.DAYS)
    assert first.since == datetime.fromtimestamp(START + 39 * HOUR, UTC)
    [evidence] = first.evidence
    assert evidence.low is not None
    assert evidence.high is not None
    assert evidence.low < 72 < evidence.high < 90 < evidence.value


def test_a_level_that_falls_is_told_as_falling() -> None:
    findings = hourly([*usual(40), *(value - 15 for value in usual(6))])
    assert {one.pattern for one in findings if one is not None} == {Pattern.FALLING}


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("height", [15, 40, 100, -30])
def test_an_excursion_of_less_than_four_levels_is_never_told(length: int, height: int) -> None:
    values = usual(60)
    for n in range(30, 30 + length):
        values[n] += height
    assert found_at(hourly(values)) == []


def test_a_shift_of_two_spreads_is_told_within_twelve_levels() -> None:
    findings = hourly([*usual(60), *(value + 3 * 2.5 for value in usual(14, seed=5))])
    assert 60 < found_at(findings)[0] < 72


def test_two_hundred_steady_patients_are_hardly_ever_told() -> None:
    told = sum(bool(found_at(hourly(usual(100, seed)))) for seed in range(200))
    assert told <= 2


def test_the_new_level_becomes_the_usual_after_a_day_of_hourly_levels() -> None:
    findings = hourly([*usual(40), *(value + 20 for value in usual(60))])
    told = found_at(findings)
    assert told == list(range(43, 43 + 24))


def test_a_shift_that_comes_back_ends_and_is_no_shift_of_its_own() -> None:
    findings = hourly([*usual(40), *(value + 20 for value in usual(10)), *usual(40, seed=9)])
    told = [one for one in findings if one is not None]
    assert {one.pattern for one in told} == {Pattern.RISING}
    assert found_at(findings)[-1] < 40 + 10 + 6


def test_a_level_past_the_one_before_ends_the_shift_which_never_turns_into_the_other_way() -> None:
    back = [value - 12 for value in usual(2, seed=9)]
    findings = hourly([*usual(40), *(value + 20 for value in usual(6)), *back, *usual(40, seed=8)])
    assert found_at(findings) == [43, 44, 45]
    assert {one.pattern for one in findings if one is not None} == {Pattern.RISING}


def test_a_level_that_goes_on_past_the_one_before_is_a_shift_of_its_own_from_there() -> None:
    fallen = [value - 25 for value in usual(6, seed=9)]
    findings = hourly([*usual(40), *(value + 20 for value in usual(6)), *fallen])
    told = [one for one in findings if one is not None and one.pattern is Pattern.FALLING]
    assert told
    assert {one.since for one in told} == {datetime.fromtimestamp(START + 45 * HOUR, UTC)}
    [evidence] = told[0].evidence
    assert evidence.low is not None
    assert evidence.high is not None
    assert evidence.low < 72 < evidence.high < 80


def test_levels_of_another_profile_s_length_are_not_read_as_one_s_own() -> None:
    """Ten minutes' means of a bed say nothing of one figure a day at home."""
    bed = Drift(Options())
    for n, value in enumerate([*usual(40), *(value + 20 for value in usual(5))]):
        look(bed, n * HOUR, value)
    home = Drift(Options(minutes=1200), bed.snapshot())
    assert look(home, 24 * 3 * HOUR, 73) is None
    assert home.snapshot().minutes == 1200
    assert Drift(Options(), bed.snapshot()).snapshot() is bed.snapshot()


def test_a_shift_never_began_after_the_moment_it_is_told_of() -> None:
    """A device whose clock is behind tells of a time before the shift."""
    drift = Drift(Options())
    for n, value in enumerate([*usual(40), *(value + 20 for value in usual(5))]):
        look(drift, n * HOUR, value)
    score = look(drift, 30 * HOUR, 92)
    assert score is not None
    assert score.finding is not None
    assert score.finding.since == score.since == datetime.fromtimestamp(START + 30 * HOUR, UTC)
    assert score.finding.evidence[0].time == datetime.fromtimestamp(START + 30 * HOUR, UTC)


def test_it_is_armed_again_for_a_second_shift() -> None:
    steps = (value + 20 + (20 if n >= 40 else 0) for n, value in enumerate(usual(50)))
    findings = hourly([*usual(40), *steps])
    since = {one.since for one in findings if one is not None}
    assert since == {datetime.fromtimestamp(START + n * HOUR, UTC) for n in (39, 79)}


def test_a_second_by_second_series_is_judged_by_ten_minutes() -> None:
    drift, random = Drift(Options()), Random(1)
    scored, found = 0, []
    for second in range(4 * 3600):
        value = random.gauss(72, 6) + (25 if second >= 3 * 3600 else 0)
        score = look(drift, float(second), round(value))
        scored += score is not None
        if score is not None and score.finding is not None:
            found.append((second, score.finding))
    second, first = found[0]
    assert 3 * 3600 + 30 * 60 <= second <= 3 * 3600 + 50 * 60
    assert first.against is Against.HOURS
    assert first.since is not None
    assert abs(first.since.timestamp() - START - 3 * 3600) <= 600
    # Once found, it is told with every reading; before that, a level is scored when complete.
    assert len(found) == 4 * 3600 - second
    assert scored - len(found) < 20


def test_a_minute_of_movement_in_a_second_by_second_series_is_nothing() -> None:
    drift = Drift(Options())
    for second in range(4 * 3600):
        score = look(drift, float(second), 72 + second % 5 + (100 if 9000 <= second < 9240 else 0))
        assert score is None or score.finding is None


def test_a_daily_figure_is_compared_with_weeks() -> None:
    findings = hourly([*usual(30), *(value + 12 for value in usual(6))], every=24 * HOUR)
    first = findings[found_at(findings)[0]]
    assert first is not None
    assert first.against is Against.WEEKS


def test_nothing_is_learned_while_frozen_but_a_shift_goes_on_being_told() -> None:
    drift = Drift(Options())
    for n, value in enumerate([*usual(40), *(value + 20 for value in usual(5))]):
        look(drift, n * HOUR, value)
    before = _encoder.encode(drift.snapshot())
    score = look(drift, 46 * HOUR, 150, frozen=True)
    assert score is not None
    assert score.finding is not None
    assert _encoder.encode(drift.snapshot()) == before


def test_suspect_values_are_neither_judged_nor_learned() -> None:
    drift = Drift(Options())
    for n, value in enumerate(usual(40)):
        look(drift, n * HOUR, value)
    before = _encoder.encode(drift.snapshot())
    assert look(drift, 41 * HOUR, 5, suspect=True) is None
    assert _encoder.encode(drift.snapshot()) == before


def test_vitals_that_have_no_level_are_not_followed() -> None:
    drift = Drift(Options())
    for n in range(40):
        assert look(drift, n * HOUR, 1, Vital.CONSCIOUSNESS) is None
    assert drift.snapshot().levels == {}


def test_a_reading_that_is_the_level_keeps_what_the_device_sent() -> None:
    drift = Drift(Options())
    for n, value in enumerate([*usual(40), *(value + 20 for value in usual(5))]):
        look(drift, n * HOUR, value)
    original = Original(199.4, "[degF]")
    at = START + 45 * HOUR
    sample = Sample(Vital.HEART_RATE, 93.0, 0, original)
    moment = Moment(datetime.fromtimestamp(at, UTC), at, "dev-1", (sample,))
    [score] = drift.score(PATIENT, moment, {})
    assert score.finding is not None
    assert score.finding.evidence[0].original is original


def test_a_clock_that_was_a_year_ahead_does_not_stop_it() -> None:
    drift = Drift(Options())
    look(drift, 365 * 24 * HOUR, 72)
    scores = [look(drift, n * HOUR, value) for n, value in enumerate(usual(20))]
    assert scores[-1] is not None


def test_what_was_gathered_before_a_gap_is_not_mixed_with_what_comes_after() -> None:
    drift = Drift(Options())
    for n, value in enumerate(usual(20)):
        look(drift, n * HOUR, value)
    look(drift, 19 * HOUR + 60, 300)
    score = look(drift, 400 * HOUR, 73)
    assert score is not None
    assert score.reading == 73


def test_an_absurd_level_is_left_again() -> None:
    drift = Drift(Options())
    values = [*usual(40), *[1e300] * 8, *usual(60)]
    scores = [look(drift, n * HOUR, value) for n, value in enumerate(values)]
    last = scores[-1]
    assert last is not None
    assert last.high is not None
    assert last.high < 100


@given(st.lists(st.floats(30, 220), min_size=60, max_size=60), st.integers(1, 59))
def test_a_restored_one_goes_on_to_the_bit(values: list[float], place: int) -> None:
    straight, stopped = Drift(Options(lasting=2)), Drift(Options(lasting=2))
    for n, value in enumerate(values):
        if n == place:
            raw = _encoder.encode(stopped.snapshot())
            state = msgspec.msgpack.decode(raw, type=State)
            stopped = Drift(Options(lasting=2), state)
        assert look(straight, n * HOUR, value) == look(stopped, n * HOUR, value)
    assert _encoder.encode(straight.snapshot()) == _encoder.encode(stopped.snapshot())


@pytest.mark.parametrize(
    "options", [{"minutes": 0}, {"threshold": 0}, {"warmup": 4}, {"lasting": 1}, {"stays": 200}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


def test_the_detectors_and_a_first_level_bring_in_no_heavy_library() -> None:
    """A second's import in the middle of a stream would hold up every patient of the worker."""
    program = (
        "import sys, detectors.panel\n"
        "from detectors.page_hinkley import LevelTest\n"
        "LevelTest(8.0, 1.0, 6).step(12, 0.0, 0.0, 4.0)\n"
        "print(sorted({'sklearn', 'pandas', 'river.datasets', 'river.drift'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")
