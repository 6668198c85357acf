"""What is usual for a patient, and how it is learned."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from random import Random

import msgspec
import pytest

from detectors.base import Moment, Sample
from detectors.baseline import Baseline, Options
from detectors.findings import Against, Pattern
from ingest.readings import Quality, Vital
from tests.unit.detectors.baselines import (
    DAY,
    HOUR,
    MINUTE,
    RULE,
    START,
    at,
    day_and_night,
    far,
    learned,
    look,
    score,
    steady,
)

_encoder = msgspec.msgpack.Encoder(order="deterministic")


@pytest.mark.parametrize(
    ("every", "first", "against"),
    [
        pytest.param(1, 5 * MINUTE, Against.HOURS, id="a monitor: after five minutes"),
        pytest.param(5 * MINUTE, 25 * MINUTE, Against.HOURS, id="each 5 minutes: five readings"),
        pytest.param(HOUR, DAY, Against.DAYS, id="each hour: after a day"),
        pytest.param(DAY, 5 * DAY, Against.WEEKS, id="once a day: on the sixth day"),
        pytest.param(2 * DAY, 12 * DAY, Against.WEEKS, id="every other day: after six"),
    ],
)
def test_it_warms_up_by_readings_and_span(every: int, first: int, against: Against) -> None:
    baseline = learned(steady(), every, first)
    assert score(baseline, first - every, 70.0) is None
    assert look(baseline, at(first, 70.0)) is not None
    spoken = score(baseline, first + every, 1000.0)
    assert spoken is not None
    assert spoken.finding is not None
    assert spoken.finding.against is against


def test_one_figure_a_week_is_never_a_baseline() -> None:
    baseline = learned(steady(), 7 * DAY, 365 * DAY)
    assert score(baseline, 365 * DAY, 70.0) is None


@pytest.mark.parametrize(
    ("every", "until"),
    [
        pytest.param(1, 3 * HOUR, id="a monitor"),
        pytest.param(5 * MINUTE, 4 * DAY, id="each 5 minutes"),
        pytest.param(HOUR, 20 * DAY, id="each hour"),
    ],
)
def test_the_distance_is_in_spreads_of_a_normal_distribution(every: int, until: int) -> None:
    baseline = learned(steady(), every, until)
    assert far(baseline, until, 70.0) == pytest.approx(0.0, abs=0.4)
    assert far(baseline, until, 70.0 + 4 * 5.0) == pytest.approx(4.0, rel=0.15)


def test_of_one_figure_a_day_the_spread_is_wider_for_being_uncertain() -> None:
    distances = [far(learned(steady(seed), DAY, 60 * DAY), 60 * DAY, 90.0) for seed in range(40)]
    assert sum(distances) / len(distances) == pytest.approx(3.4, abs=0.4)


@pytest.mark.parametrize("absurd", [1e3, 1e6, 1e50, 1e300])
def test_the_distance_does_not_saturate_and_stays_finite(absurd: float) -> None:
    baseline = learned(steady(), 1, HOUR)
    distances = [far(baseline, HOUR, value) for value in (100.0, 200.0, absurd)]
    assert distances == sorted(distances)
    assert len(set(distances)) == 3
    look(baseline, at(HOUR, absurd))
    assert isfinite(far(baseline, 2 * HOUR, -absurd))


def test_one_beat_more_is_not_unusual_for_a_patient_who_lies_quite_still() -> None:
    baseline = learned(lambda _: 70.0, 1, HOUR)
    assert far(baseline, HOUR, 71.0) == pytest.approx(1 / 3)


def test_a_spike_moves_next_to_nothing() -> None:
    calm, spiked = learned(steady(), 1, HOUR), learned(steady(), 1, HOUR)
    look(spiked, at(HOUR, 250.0))
    for second in range(HOUR + 1, HOUR + 120):
        for baseline in (calm, spiked):
            look(baseline, at(second, 70.0))
    assert far(spiked, HOUR + 120, 90.0) == pytest.approx(far(calm, HOUR + 120, 90.0), rel=0.05)


def test_a_new_level_is_learned_once_it_has_lasted() -> None:
    baseline = learned(steady(), 10, 6 * HOUR)
    random, begin = Random(4), 6 * HOUR
    told = []
    for second in range(begin, begin + 12 * HOUR, 10):
        found = look(baseline, at(second, random.gauss(110.0, 5.0)))
        assert found is not None
        told.append(found.finding is not None)
    assert sum(told[:360]) >= 350  # the first hour
    assert not any(told[-360:])
    assert far(baseline, begin + 12 * HOUR, 110.0) < 4


def test_a_new_level_of_one_figure_a_day_is_learned_within_weeks() -> None:
    baseline = learned(steady(spread=1.0), DAY, 30 * DAY)
    assert far(baseline, 30 * DAY, 90.0) > 4
    for day in range(30, 60):
        look(baseline, at(day * DAY, 90.0))
    assert far(baseline, 60 * DAY, 90.0) < 1


def test_a_slow_rise_stands_out_from_the_longer_scale() -> None:
    random = Random(5)
    baseline = learned(
        lambda second: random.gauss(65 + 25 * max(0.0, second / DAY - 7), 2.0), 5 * MINUTE, 8 * DAY
    )
    found = score(baseline, 8 * DAY, 90.0)
    assert found is not None
    assert found.finding is not None
    assert (found.finding.against, found.finding.pattern) == (Against.WEEKS, Pattern.ABOVE)


def test_a_gap_of_a_year_makes_it_unknown_again() -> None:
    baseline = learned(steady(), 5 * MINUTE, 10 * DAY)
    assert score(baseline, 10 * DAY, 70.0) is not None
    assert score(baseline, 375 * DAY, 70.0) is None
    for minute in range(0, 60, 5):
        look(baseline, at(375 * DAY + 60 * minute, 95.0))
    assert far(baseline, 375 * DAY + HOUR, 95.0) < 1


def moved(baseline: Baseline, options: Options) -> Baseline:
    """Put a patient into another profile, as the panel does."""
    raw = _encoder.encode(baseline.snapshot())
    return Baseline(options, msgspec.msgpack.decode(raw, type=Baseline.state_type))


def test_in_another_profile_each_scale_keeps_what_it_knows_under_its_own_name() -> None:
    random = Random(11)

    def usual(second: float) -> float:
        return random.gauss(60.0 if second < 8 * DAY else 100.0, 2.0)

    ward = learned(usual, 5 * MINUTE, 8 * DAY + 6 * HOUR, Options(scales=("hours", "days")))
    home = moved(ward, Options(scales=("days", "weeks"), circadian=True))
    alone = learned(usual, 5 * MINUTE, 8 * DAY + 6 * HOUR, Options(scales=("days",)))
    now = 8 * DAY + 6 * HOUR
    there, other = score(home, now, 100.0), score(alone, now, 100.0)
    assert there is not None
    assert other is not None
    # "days" says at home what it said on the ward; "weeks" has everything to learn.
    assert there.value == pytest.approx(other.value, rel=0.05)
    for minute in range(0, 20 * 1440, 15):
        look(home, at(now + MINUTE * minute, random.gauss(100.0, 2.0)))
    assert far(home, now + 20 * DAY, 100.0) < 4
    kept = home.snapshot().vitals[Vital.HEART_RATE]
    assert (len(kept.scales), len(kept.day)) == (6, 24)


@pytest.mark.parametrize(
    "options", [Options(), Options(scales=("weeks",)), Options(scales=("weeks", "hours"))]
)
def test_a_site_may_change_the_scales_of_a_profile(options: Options) -> None:
    baseline = moved(
        learned(day_and_night(), 15 * MINUTE, 9 * DAY, Options(circadian=True)), options
    )
    for minute in range(0, 60, 5):
        look(baseline, at(9 * DAY + 60 * minute, 60.0))
    assert isfinite(far(baseline, 9 * DAY + HOUR, 60.0))
    assert moved(baseline, options).snapshot() == baseline.snapshot()


def test_nothing_is_learned_while_the_patient_is_ill() -> None:
    baseline = learned(steady(), 1, HOUR)
    before = _encoder.encode(baseline.snapshot())
    for second in range(HOUR, 2 * HOUR):
        look(baseline, at(second, 72.0, frozen=True))
    assert _encoder.encode(baseline.snapshot()) == before


def test_a_suspect_value_is_neither_judged_nor_learned() -> None:
    baseline = learned(steady(), 1, HOUR)
    before = _encoder.encode(baseline.snapshot())
    time = START + timedelta(seconds=HOUR)
    sample = Sample(Vital.HEART_RATE, 260.0, int(Quality.SUSPECT))
    assert look(baseline, Moment(time, time.timestamp(), "dev-1", (sample,))) is None
    assert _encoder.encode(baseline.snapshot()) == before


@pytest.mark.parametrize("seed", range(5))
def test_wherever_it_was_stored_it_goes_on_the_same(seed: int) -> None:
    random = Random(seed)
    options = Options(circadian=True)
    straight, stopped, second = Baseline(options), Baseline(options), 0.0
    for n in range(3000):
        second += random.choice((1, 1, 1, 7, 60, 600, HOUR, -30))
        if n % 1000 == 999:
            second += 3 * DAY
        value = random.gauss(70, 5) + (60 if n % 100 < 3 else 0)
        opened = frozenset({RULE}) if n % 50 < 5 else frozenset[str]()
        moment = at(second, value, frozen=n % 40 < 5, open=opened)
        assert look(straight, moment) == look(stopped, moment), n
        if random.random() < 0.1:
            state = msgspec.msgpack.decode(
                _encoder.encode(stopped.snapshot()), type=Baseline.state_type
            )
            stopped = Baseline(options, state)
    assert _encoder.encode(straight.snapshot()) == _encoder.encode(stopped.snapshot())
