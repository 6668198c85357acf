"""One number for how unusual a patient is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite, log10
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from detectors import tails
from detectors.anomaly import Anomaly, Options
from detectors.base import Moment, Sample, Score
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.panel import Panel
from detectors.profiles.loading import BadProfile, parse
from detectors.tails import Tail
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Patient, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

START = datetime(2026, 11, 24, tzinfo=UTC)
SETTINGS = Patient("p-1")
DAY = 86400
INFECTION = {"pulse_rate": 1.0, "temperature": 1.0, "steps": -1.0}
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def said(distances: Mapping[str, float]) -> dict[str, Score]:
    """Tell what a baseline would, of vitals with a mean of 50 and a spread of 1."""
    return {
        f"baseline.{vital}": Score(
            "baseline/3", f"baseline.{vital}", abs(far), None, vital, 50 + far, 46.0, 54.0
        )
        for vital, far in distances.items()
    }


def at(second: float, distances: Mapping[str, float], **rest: Any) -> Moment:
    time = START + timedelta(seconds=second)
    samples = tuple(Sample(vital, 50 + distances[vital]) for vital in sorted(distances))
    return Moment(time, time.timestamp(), "dev-1", samples, **rest)


def look(anomaly: Anomaly, second: float, distances: Mapping[str, float], **rest: Any) -> float:
    """Score and learn, as the panel does."""
    return value(told(anomaly, second, distances, **rest))


def told(
    anomaly: Anomaly, second: float, distances: Mapping[str, float], **rest: Any
) -> Score | None:
    moment = at(second, distances, **rest)
    scores = anomaly.score(SETTINGS, moment, said(distances))
    anomaly.learn(SETTINGS, moment, scores)
    return scores[0] if scores else None


def value(score: Score | None) -> float:
    assert score is not None
    return score.value


def used_to(spread: float, count: int = 3000, every: int = 300) -> Anomaly:
    """Build the memory of a patient whose distances have this spread."""
    anomaly, random = Anomaly(Options()), Random(4)
    for n in range(count):
        look(anomaly, every * n, {"heart_rate": random.gauss(0, spread)})
    return anomaly


def test_it_is_the_logarithm_of_how_rare_the_distance_is() -> None:
    tail, random, minutes = Tail(), Random(1), 5.0
    distances = [random.expovariate(0.8) for _ in range(20_000)]
    for distance in distances:
        tail = tails.learned(tail, distance, minutes)
    curve = tails.curve(tail, minutes)
    for far in (3.0, 4.0, 5.0, 6.0):
        share = sum(distance > far for distance in distances) / len(distances)
        assert curve.rarity(far) == pytest.approx(-log10(share), abs=0.1)


def test_as_far_off_is_rarer_for_a_steady_patient_than_for_a_jumpy_one() -> None:
    end = 3000 * 300
    steady = look(used_to(1.0), end, {"heart_rate": 6.0})
    jumpy = look(used_to(3.0), end, {"heart_rate": 6.0})
    assert steady > jumpy + 0.5


def test_it_rises_with_the_distance_and_never_saturates() -> None:
    anomaly = used_to(1.0)
    moments = [at(900_000, {"heart_rate": far}) for far in (0.0, 1.0, 2.5, 5.0, 50.0, 1e9)]
    values = [
        anomaly.score(SETTINGS, one, said({"heart_rate": one.samples[0].value - 50}))[0].value
        for one in moments
    ]
    assert values == sorted(values)
    assert len(set(values)) == len(values)
    assert isfinite(values[-1])


def test_nothing_is_said_while_no_baseline_is_warm() -> None:
    anomaly, moment = Anomaly(Options()), at(0, {"heart_rate": 1.0})
    assert not anomaly.score(SETTINGS, moment, {})
    anomaly.learn(SETTINGS, moment, ())
    assert not anomaly.snapshot().vitals


def test_a_newcomer_is_judged_by_the_population() -> None:
    moment = at(0, {"heart_rate": 1.0})
    others = {"population": Score("population/1", "population", 6.0)}
    (score,) = Anomaly(Options()).score(SETTINGS, moment, others)
    assert score.value > 2
    assert not Anomaly(Options(weights=INFECTION)).score(SETTINGS, moment, others)


def test_a_little_off_for_long_is_more_than_a_little_off_once() -> None:
    anomaly = used_to(1.0)
    values = [look(anomaly, 900_000 + 300 * n, {"heart_rate": 1.8}) for n in range(24)]
    assert values[-1] > values[0] + 0.3


def test_one_wild_reading_is_no_trend() -> None:
    wild, calm = used_to(1.0), used_to(1.0)
    look(wild, 900_000, {"heart_rate": 1e6})
    look(calm, 900_000, {"heart_rate": 3.0})
    after = {"heart_rate": 0.5}
    assert look(wild, 900_300, after) == pytest.approx(look(calm, 900_300, after), abs=0.02)


def test_a_gap_makes_the_last_distances_old() -> None:
    anomaly = used_to(1.0)
    for n in range(24):
        look(anomaly, 900_000 + 300 * n, {"heart_rate": 1.8})
    assert look(anomaly, 900_000 + 3 * DAY, {"heart_rate": 0.0}) == 0


def test_of_several_vitals_the_farthest_counts() -> None:
    alone = look(Anomaly(Options()), 0, {"heart_rate": 5.0})
    both = look(Anomaly(Options()), 0, {"heart_rate": 5.0, "spo2": -1.0})
    assert alone == both


def test_an_infection_is_pulse_up_temperature_up_steps_down() -> None:
    options = Options(weights=INFECTION)
    values = {
        name: look(Anomaly(options), 0, distances)
        for name, distances in {
            "all of it": {"pulse_rate": 2.0, "temperature": 2.0, "steps": -1.0},
            "pulse only": {"pulse_rate": 2.0, "temperature": 0.0, "steps": 0.0},
            "a long walk": {"pulse_rate": 2.0, "temperature": 0.0, "steps": 3.0},
            "well": {"pulse_rate": -2.0, "temperature": -2.0, "steps": 1.0},
        }.items()
    }
    assert values["all of it"] > values["pulse only"] > values["a long walk"] == 0
    assert values["well"] == 0


def test_a_vital_that_comes_apart_counts_for_a_while() -> None:
    anomaly = Anomaly(Options(weights=INFECTION, fresh_hours=36))
    look(anomaly, 0, {"temperature": 3.0})
    alone = look(Anomaly(Options(weights=INFECTION)), 0, {"pulse_rate": 2.0})
    assert look(anomaly, DAY, {"pulse_rate": 2.0}) > alone
    assert look(anomaly, 3 * DAY, {"pulse_rate": 2.0}) < alone + 0.1


def test_vitals_without_a_weight_are_not_looked_at() -> None:
    anomaly = Anomaly(Options(weights=INFECTION))
    assert told(anomaly, 0, {"spo2": -5.0}) is None


@pytest.mark.parametrize(
    ("far", "expected"),
    [
        pytest.param(1.0, None, id="as ever"),
        pytest.param(4.0, Priority.LOW, id="advice"),
        pytest.param(9.0, Priority.MEDIUM, id="closer follow-up"),
    ],
)
def test_a_finding_needs_a_threshold_of_the_profile(far: float, expected: Priority | None) -> None:
    options = Options(low=1.5, medium=2.5, against=Against.WEEKS)
    assert value(told(Anomaly(Options()), 0, {"pulse_rate": far})) >= 0
    assert (found := told(Anomaly(Options()), 0, {"pulse_rate": far})) is not None
    assert found.finding is None
    score = told(Anomaly(options), 0, {"pulse_rate": far})
    assert score is not None
    assert (score.finding and score.finding.priority) == expected


def test_the_finding_says_since_when_on_what_it_rests_and_what_is_missing() -> None:
    anomaly = Anomaly(Options(weights=INFECTION, low=1.5, against=Against.WEEKS))
    for day in range(3):
        score = told(anomaly, day * DAY, {"pulse_rate": 4.0, "steps": -1.5})
        assert score is not None
        finding = score.finding
        assert finding is not None
        assert finding.kind is Kind.ADVISORY
        assert (finding.pattern, finding.against) == (Pattern.TOGETHER, Against.WEEKS)
        assert finding.since == START
        assert finding.missing == ("temperature",)
        assert [(part.name, part.weight) for part in finding.parts] == [
            ("pulse_rate", 4.0),
            ("steps", 1.5),
        ]
        assert [one.vital for one in finding.evidence] == ["pulse_rate", "steps"]
    told(anomaly, 3 * DAY, {"pulse_rate": -3.0, "steps": 1.0})
    told(anomaly, 4 * DAY, {"pulse_rate": -3.0, "steps": 1.0})
    again = told(anomaly, 5 * DAY, {"pulse_rate": 6.0, "steps": -1.5})
    assert again is not None
    assert again.since == START + timedelta(days=5)


def test_nothing_is_unusual_since_later_than_the_moment_of_a_device_whose_clock_is_behind() -> None:
    anomaly = Anomaly(Options(low=1.5))
    told(anomaly, 60, {"heart_rate": 9.0})
    behind = told(anomaly, 1, {"heart_rate": 9.0})
    assert behind is not None
    assert behind.finding is not None
    assert behind.finding.since == behind.since == START + timedelta(seconds=1)


def test_what_was_unusual_before_the_usual_was_forgotten_is_no_part_of_what_is_unusual_now() -> (
    None
):
    anomaly = Anomaly(Options(low=1.5))
    told(anomaly, 0, {"heart_rate": 9.0})
    cold = at(300 * DAY, {"heart_rate": 9.0})
    anomaly.learn(SETTINGS, cold, anomaly.score(SETTINGS, cold, {}))
    again = told(anomaly, 301 * DAY, {"heart_rate": 9.0})
    assert again is not None
    assert again.since == START + timedelta(days=301)


def test_a_vital_that_does_not_come_now_or_is_doubted_keeps_what_was_unusual() -> None:
    anomaly = Anomaly(Options(low=1.5))
    told(anomaly, 0, {"heart_rate": 9.0})
    doubted = Sample("heart_rate", 250.0, int(Quality.SUSPECT))
    for sample in (Sample("glucose", 100.0), doubted):
        other = at(DAY, {})._replace(samples=(sample,))
        anomaly.learn(SETTINGS, other, anomaly.score(SETTINGS, other, {}))
    again = told(anomaly, 2 * DAY, {"heart_rate": 9.0})
    assert again is not None
    assert again.since == START


def test_a_distance_that_counts_from_before_is_named_among_the_parts() -> None:
    anomaly = Anomaly(Options(weights=INFECTION, low=1.5))
    told(anomaly, 0, {"temperature": 5.0})
    score = told(anomaly, DAY, {"pulse_rate": 3.0})
    assert score is not None
    assert score.finding is not None
    parts = [(part.name, part.weight) for part in score.finding.parts]
    assert parts == [("temperature", 5.0), ("pulse_rate", 3.0)]
    assert score.finding.missing == ("steps",)


def test_nothing_is_learned_while_the_patient_is_ill() -> None:
    anomaly = used_to(1.0, 100)
    before = _encoder.encode(anomaly.snapshot())
    look(anomaly, 40_000, {"heart_rate": 9.0}, frozen=True)
    assert _encoder.encode(anomaly.snapshot()) == before


def test_of_a_monitor_one_moment_a_minute_is_learned() -> None:
    anomaly = Anomaly(Options())
    for second in range(600):
        look(anomaly, second, {"heart_rate": 1.0})
    assert anomaly.snapshot().now.readings == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("weights", [{}, INFECTION], ids=["any way", "infection"])
def test_wherever_it_was_stored_it_goes_on_the_same(weights: dict[str, float]) -> None:
    random, second = Random(5), 0.0
    options = Options(weights=weights, low=1.0)
    straight, stopped = Anomaly(options), Anomaly(options)
    for n in range(2000):
        second += random.choice((1, 1, 20, 300, 3600, -40, DAY))
        vitals = random.sample(sorted(INFECTION), random.randint(1, 3))
        distances = {vital: random.gauss(0, 3) for vital in vitals}
        frozen = n % 30 < 4
        one = told(straight, second, distances, frozen=frozen)
        assert one == told(stopped, second, distances, frozen=frozen), n
        if random.random() < 0.1:
            state = msgspec.msgpack.decode(
                _encoder.encode(stopped.snapshot()), type=Anomaly.state_type
            )
            stopped = Anomaly(options, state)
    assert _encoder.encode(straight.snapshot()) == _encoder.encode(stopped.snapshot())


def test_a_wearable_tells_of_an_infection_within_two_days() -> None:
    random, panel, settings = Random(6), Panel(), Patient("p-1", Profile.WEARABLE)
    values = []
    for day in range(40):
        ill = 1.0 if day >= 38 else 0.0
        instant = Instant(
            START + timedelta(days=day),
            {
                Vital.PULSE_RATE: random.gauss(60 + 9 * ill, 2),
                Vital.STEPS: max(0.0, random.gauss(8000 - 6000 * ill, 2000)),
                Vital.TEMPERATURE: random.gauss(36.5 + 1.2 * ill, 0.2),
            },
        )
        judgement = panel.feed(settings, "watch", instant)
        assessment = judgement.assessment
        values.append(None if assessment is None else assessment.anomaly)
        told_of = {finding.rule for finding in judgement.findings}
    known = [one for one in values[:38] if one is not None]
    assert values[:5] == [None] * 5
    assert len(known) == 33
    assert values[39] is not None
    assert values[39] > max(known)
    assert "anomaly" in told_of


@pytest.mark.parametrize("text", ["memory = 0.5", "fresh_hours = -1", "unknown = 1"])
def test_a_profile_with_a_bad_option_is_refused(text: str) -> None:
    with pytest.raises(BadProfile, match="anomaly"):
        parse("bad", f'about = "x"\n[anomaly]\n{text}\n')
