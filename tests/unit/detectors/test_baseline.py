"""What is usual for a patient, and how it is learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import cos, isfinite, pi
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from detectors.base import Moment, Sample
from detectors.baseline import Baseline, Options
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.profiles.loading import BadProfile, parse
from ingest.readings import Original, Quality, Vital
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.base import Score

START = datetime(2026, 11, 24, tzinfo=UTC)
SETTINGS = Patient("p-1")
MINUTE, HOUR, DAY = 60, 3600, 86400
RULE = "baseline.heart_rate"
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def at(second: float, value: float, vital: str = Vital.HEART_RATE, **rest: Any) -> Moment:
    time = START + timedelta(seconds=second)
    return Moment(time, time.timestamp(), "dev-1", (Sample(vital, value),), **rest)


def look(baseline: Baseline, moment: Moment) -> Score | None:
    """Score and learn, as the panel does."""
    scores = baseline.score(SETTINGS, moment, {})
    baseline.learn(SETTINGS, moment, scores)
    return scores[0] if scores else None


def score(baseline: Baseline, second: float, value: float, **rest: Any) -> Score | None:
    """Only look: nothing is learned."""
    found = baseline.score(SETTINGS, at(second, value, **rest), {})
    return found[0] if found else None


def far(baseline: Baseline, second: float, value: float, **rest: Any) -> float:
    found = score(baseline, second, value, **rest)
    assert found is not None
    return found.value


def learned(
    usual: Callable[[float], float], every: int, until: int, options: Options | None = None
) -> Baseline:
    """Build the baseline of a patient from what is usual at each second."""
    baseline = Baseline(options or Options())
    for second in range(0, until, every):
        look(baseline, at(second, usual(second)))
    return baseline


def steady(seed: int = 3, mean: float = 70.0, spread: float = 5.0) -> Callable[[float], float]:
    random = Random(seed)
    return lambda _second: random.gauss(mean, spread)


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


def test_the_finding_is_advice_and_says_what_was_expected_and_since_when() -> None:
    baseline = learned(lambda _: 70.0, 1, HOUR)
    sent = Original(1.7, "Hz")
    for second in range(HOUR, HOUR + 30):
        time = START + timedelta(seconds=second)
        sample = Sample(Vital.HEART_RATE, 100.0, 0, sent)
        found = look(baseline, Moment(time, time.timestamp(), "dev-1", (sample,)))
        assert found is not None
        finding = found.finding
        assert finding is not None
        assert finding.since == found.since == START + timedelta(seconds=HOUR)
        told = (finding.rule, finding.kind, finding.priority)
        assert told == (RULE, Kind.ADVISORY, Priority.LOW)
        assert finding.score == pytest.approx(10.0)
        assert (finding.pattern, finding.against) == (Pattern.ABOVE, Against.HOURS)
        (evidence,) = finding.evidence
        assert evidence.value == 100.0
        assert evidence.low == pytest.approx(58.0)
        assert evidence.high == pytest.approx(82.0)
        assert evidence.original == sent


def test_nothing_is_unusual_since_later_than_the_moment_of_a_device_whose_clock_is_behind() -> None:
    baseline = learned(lambda _: 70.0, 1, HOUR)
    look(baseline, at(HOUR + 60, 100.0))
    behind = look(baseline, at(HOUR + 1, 100.0)._replace(device="dev-2"))
    assert behind is not None
    assert behind.finding is not None
    assert behind.finding.since == behind.since == START + timedelta(seconds=HOUR + 1)


def test_a_value_too_low_is_below() -> None:
    found = score(learned(lambda _: 70.0, 1, HOUR), HOUR, 30.0)
    assert found is not None
    assert found.finding is not None
    assert found.finding.pattern is Pattern.BELOW


@pytest.mark.parametrize(
    ("after", "value", "opened", "expected"),
    [
        pytest.param(10 * MINUTE, 90.0, [], "quiet", id="soon after the alert: stay quiet"),
        pytest.param(10 * MINUTE, 90.0, [RULE], "told", id="the alert is still open: it goes on"),
        pytest.param(10 * MINUTE, 130.0, [], "told", id="twice as far off: tell at once"),
        pytest.param(31 * MINUTE, 90.0, [], "told", id="after the refractory period: tell"),
    ],
)
def test_after_a_report_the_same_vital_is_not_told_again_soon(
    after: int, value: float, opened: list[str], expected: str
) -> None:
    baseline = learned(lambda _: 70.0, 1, 3 * HOUR)
    look(baseline, at(3 * HOUR, 90.0, open=frozenset({RULE})))
    look(baseline, at(3 * HOUR + 1, 70.0))
    found = score(baseline, 3 * HOUR + after, value, open=frozenset(opened))
    assert found is not None
    assert found.value > 4
    assert expected == ("quiet" if found.finding is None else "told")


def day_and_night(seed: int = 6) -> Callable[[float], float]:
    """Tell of a heart that beats 15 faster at noon than the mean, and 15 slower at midnight."""
    random = Random(seed)
    return lambda second: random.gauss(70 - 15 * cos(2 * pi * second / DAY), 2.0)


def test_once_there_are_days_enough_a_value_is_judged_by_the_time_of_day() -> None:
    told = {}
    for circadian in (False, True):
        options = Options(scales=("days", "weeks"), circadian=circadian)
        baseline = learned(day_and_night(), 15 * MINUTE, 14 * DAY, options)
        told[circadian] = score(baseline, 14 * DAY, 85.0)  # a noon's pulse at midnight
        assert far(baseline, 14 * DAY, 55.0) < 2.5
        assert far(baseline, 14 * DAY + DAY // 2, 85.0) < 2.5
    blind, aware = told[False], told[True]
    assert blind is not None
    assert aware is not None
    assert blind.finding is None
    assert aware.finding is not None
    assert aware.finding.against is Against.TIME_OF_DAY


def test_no_value_becomes_unusual_because_a_profile_appears() -> None:
    baseline, usual, farthest = Baseline(Options(circadian=True)), day_and_night(), 0.0
    for second in range(0, 20 * DAY, 5 * MINUTE):
        found = look(baseline, at(second, usual(second)))
        if found is not None and second > 2 * DAY:
            farthest = max(farthest, found.value)
    assert farthest < 6


def test_what_is_counted_or_given_has_no_baseline() -> None:
    for vital in (Vital.CONSCIOUSNESS, Vital.STEPS, Vital.BATTERY, Vital.OXYGEN_FLOW, "queue"):
        baseline = Baseline(Options())
        for minute in range(60):
            look(baseline, at(60 * minute, 1.0, vital))
        assert score(baseline, HOUR, 50.0, vital=vital) is None
        assert not baseline.snapshot().vitals


def test_a_profile_can_name_a_floor_and_keep_the_vital_untold() -> None:
    baseline = Baseline(Options(floors={"steps": 500.0}, untold=("steps",)))
    for day in range(30):
        look(baseline, at(day * DAY, 8000.0, "steps"))
    found = score(baseline, 30 * DAY, 14000.0, vital="steps")
    assert found is not None
    assert found.value == pytest.approx(12.0)
    assert found.finding is None
    assert found.since is not None


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_series_of_unknown_name_has_its_own_spread_whatever_its_scale(scale: float) -> None:
    random, baseline = Random(8), Baseline(Options(generic=True))
    for n in range(500):
        look(baseline, at(300 * n, scale * random.gauss(10, 1), "queue_length"))
    found = score(baseline, 150_000, scale * 20, vital="queue_length")
    assert found is not None
    assert found.rule == "baseline.queue_length"
    assert found.value == pytest.approx(10.0, rel=0.2)


def test_a_series_that_never_moved_is_far_off_when_it_does() -> None:
    baseline = Baseline(Options(generic=True))
    for n in range(100):
        look(baseline, at(300 * n, 0.0, "errors"))
    assert far(baseline, 30_000, 0.0, vital="errors") == 0
    assert isfinite(far(baseline, 30_000, 1.0, vital="errors"))
    assert far(baseline, 30_000, 1.0, vital="errors") > 1e6


@pytest.mark.parametrize(
    "text",
    [
        'scales = ["minutes"]',
        "scales = []",
        "far = 0",
        "refractory_minutes = -1",
        "floors = { steps = 0 }",
        "unknown = 1",
    ],
)
def test_a_profile_with_a_bad_option_is_refused(text: str) -> None:
    with pytest.raises(BadProfile, match="baseline"):
        parse("bad", f'about = "x"\n[baseline]\n{text}\n')


def test_the_state_of_six_vitals_is_small() -> None:
    vitals = ("heart_rate", "pulse_rate", "respiratory_rate", "spo2", "systolic", "temperature")
    sizes = {}
    for circadian in (False, True):
        baseline, random = Baseline(Options(circadian=circadian)), Random(9)
        for n in range(2000):
            time = START + timedelta(minutes=10 * n)
            samples = tuple(Sample(vital, random.gauss(70, 5)) for vital in vitals)
            look(baseline, Moment(time, time.timestamp(), "dev-1", samples))
        sizes[circadian] = len(_encoder.encode(baseline.snapshot()))
    assert sizes[False] <= 900
    assert sizes[True] <= 2500
