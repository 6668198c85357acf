"""Vitals taken together: a newcomer is judged by others, then by the own usual."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import msgspec
import pytest

from detectors.base import Before, Moment, Sample, Score
from detectors.baseline import Baseline
from detectors.findings import Against, Finding, Kind, Pattern, Priority
from detectors.population import Memory, Options, Population, shipped
from ingest.readings import Original, Quality, Vital
from ingest.registry.entities import Patient

PATIENT = Patient("p-1")
START = datetime(2026, 11, 24, tzinfo=UTC).timestamp()
USUAL = {
    Vital.HEART_RATE: 83.0,
    Vital.RESPIRATORY_RATE: 18.0,
    Vital.SPO2: 97.0,
    Vital.SYSTOLIC: 121.0,
    Vital.DIASTOLIC: 62.0,
    Vital.MEAN_PRESSURE: 80.0,
}
_encoder = msgspec.msgpack.Encoder(order="deterministic")
Values = dict[Vital, float]


def moment(at: float, values: Values, device: str = "dev-1", quality: int = 0) -> Moment:
    time = datetime.fromtimestamp(START + at, UTC)
    samples = tuple(Sample(vital, values[vital], quality) for vital in sorted(values))
    return Moment(time, START + at, device, samples)


def look(population: Population, one: Moment, before: Before | None = None) -> Score | None:
    scores = population.score(PATIENT, one, before or {})
    population.learn(PATIENT, one, scores)
    return next(iter(scores), None)


def own(values: Values, distances: dict[Vital, float]) -> Before:
    """Say what the baseline would: these distances, in half-widths of 20."""
    scores = {}
    for vital, distance in distances.items():
        middle = values[vital] - 20 * distance
        scores[f"baseline.{vital}"] = Score(
            "baseline/3",
            f"baseline.{vital}",
            0.0,
            None,
            vital,
            values[vital],
            middle - 20,
            middle + 20,
        )
    return scores


def test_a_newcomer_with_others_usual_values_is_as_expected() -> None:
    score = look(Population(Options()), moment(0, USUAL))
    assert score is not None
    assert score.value < 1
    assert score.finding is None
    assert score.missing == (Vital.TEMPERATURE,)


def test_a_newcomer_who_is_far_from_others_is_advice_against_others() -> None:
    ill = USUAL | {Vital.HEART_RATE: 150.0, Vital.RESPIRATORY_RATE: 40.0, Vital.SPO2: 82.0}
    one = moment(0, ill)
    score = look(Population(Options()), one)
    assert score is not None
    finding = score.finding
    assert finding is not None
    assert (finding.kind, finding.priority) == (Kind.ADVISORY, Priority.LOW)
    assert finding.against is Against.OTHERS
    assert finding.since == one.time
    assert finding.missing == (Vital.TEMPERATURE,)
    assert sum(part.weight for part in finding.parts) == pytest.approx(1)
    assert {part.name for part in finding.parts} == set(ill)
    told = {evidence.vital for evidence in finding.evidence}
    assert told <= {Vital.HEART_RATE, Vital.RESPIRATORY_RATE, Vital.SPO2}


@pytest.mark.parametrize(
    ("vital", "value", "pattern"),
    [(Vital.SPO2, 70.0, Pattern.BELOW), (Vital.HEART_RATE, 210.0, Pattern.ABOVE)],
)
def test_one_vital_that_says_it_all_is_named_by_its_way(
    vital: Vital, value: float, pattern: Pattern
) -> None:
    score = look(Population(Options(far=4.0)), moment(0, USUAL | {vital: value}))
    assert score is not None
    assert score.finding is not None
    assert score.finding.pattern is pattern
    [evidence] = score.finding.evidence
    assert evidence.vital == vital
    assert evidence.low is not None
    assert evidence.high is not None
    assert not evidence.low <= value <= evidence.high


def test_pressures_that_contradict_each_other_are_unusual_together() -> None:
    apart = USUAL | {
        Vital.SYSTOLIC: 160.0,
        Vital.DIASTOLIC: 42.0,
        Vital.MEAN_PRESSURE: 56.0,
    }
    score = look(Population(Options(far=3.0)), moment(0, apart))
    assert score is not None
    assert score.finding is not None
    assert score.finding.pattern is Pattern.TOGETHER


def test_once_the_own_usual_is_known_the_values_do_not_count() -> None:
    """An athlete's slow heart is no news for the athlete, and others' usual may be."""
    slow = USUAL | {Vital.HEART_RATE: 38.0, Vital.SYSTOLIC: 95.0, Vital.SPO2: 90.0}
    newcomer, known = Population(Options()), Population(Options())
    by_others = look(newcomer, moment(0, slow))
    by_own = look(known, moment(0, slow), own(slow, dict.fromkeys(slow, 0.0)))
    assert by_others is not None
    assert by_own is not None
    assert by_own.value < 0.5
    assert by_others.value > 2


def test_vitals_that_leave_the_own_usual_together_are_advice_with_what_was_expected() -> None:
    distances = {
        Vital.HEART_RATE: 1.5,
        Vital.RESPIRATORY_RATE: 1.6,
        Vital.SPO2: -1.6,
        Vital.SYSTOLIC: -1.5,
    }
    before = own(USUAL, distances)
    score = look(Population(Options()), moment(0, USUAL), before)
    assert score is not None
    assert score.finding is not None
    assert score.finding.pattern is Pattern.TOGETHER
    for evidence in score.finding.evidence:
        usual = before[f"baseline.{evidence.vital}"]
        assert (evidence.low, evidence.high) == (usual.low, usual.high)


def test_what_is_expected_belongs_to_what_the_finding_is_against() -> None:
    """Two usuals are known, too few: it is others that the patient is compared with."""
    ill = USUAL | {Vital.HEART_RATE: 150.0, Vital.RESPIRATORY_RATE: 40.0, Vital.SPO2: 82.0}
    before = own(ill, {Vital.HEART_RATE: 2.0, Vital.SPO2: -2.0})
    [score] = Population(Options()).score(PATIENT, moment(0, ill), before)
    [newcomer] = Population(Options()).score(PATIENT, moment(0, ill), {})
    assert score.finding is not None
    assert newcomer.finding is not None
    assert score.finding.against is Against.OTHERS
    assert score.finding.evidence == newcomer.finding.evidence


@pytest.mark.parametrize("said", [Against.HOURS, Against.DAYS])
def test_once_the_own_usual_is_known_the_finding_is_against_that(said: Against) -> None:
    before = dict(own(USUAL, dict.fromkeys((Vital.HEART_RATE, Vital.SPO2, Vital.SYSTOLIC), 2.5)))
    if said is Against.DAYS:  # the baseline says so of one of them
        told = Finding("baseline.spo2", Kind.ADVISORY, Priority.LOW, "baseline/3", (), against=said)
        before["baseline.spo2"] = before["baseline.spo2"]._replace(finding=told)
    [score] = Population(Options(far=0.5)).score(PATIENT, moment(0, USUAL), before)
    assert score.finding is not None
    assert score.finding.against is said


def test_a_row_begins_anew_after_a_time_in_which_nothing_was_known() -> None:
    population = Population(Options(validity_hours=1))
    ill = USUAL | {Vital.HEART_RATE: 160.0, Vital.RESPIRATORY_RATE: 45.0, Vital.SPO2: 78.0}
    look(population, moment(0, ill))
    after = moment(30 * 86_400, ill)
    score = look(population, after)
    assert score is not None
    assert score.since == after.time


def test_a_row_never_began_after_the_moment_it_is_told_of() -> None:
    """The clock that it began by was ahead."""
    population = Population(Options(validity_hours=1))
    ill = USUAL | {Vital.HEART_RATE: 160.0, Vital.RESPIRATORY_RATE: 45.0, Vital.SPO2: 78.0}
    look(population, moment(86_400, ill))
    for at in (0.0, 60.0):
        score = look(population, moment(at, ill))
        assert score is not None
        assert score.since == datetime.fromtimestamp(START, UTC)


def test_the_shipped_baseline_makes_a_newcomer_known() -> None:
    population, baseline, random = (
        Population(Options()),
        Baseline(Baseline.options_type()),
        Random(2),
    )
    shifted = {vital: value * 0.7 for vital, value in USUAL.items()}
    scores = []
    for minute in range(60):
        one = moment(60 * minute, {v: random.gauss(x, 1.5) for v, x in shifted.items()})
        found = baseline.score(PATIENT, one, {})
        baseline.learn(PATIENT, one, found)
        scores.append(look(population, one, {score.rule: score for score in found}))
    assert scores[0] is not None
    assert scores[-1] is not None
    assert scores[0].value > 5
    assert scores[-1].value < 3


def test_fewer_than_three_vitals_say_nothing() -> None:
    two = {Vital.HEART_RATE: 200.0, Vital.SPO2: 60.0}
    assert look(Population(Options()), moment(0, two)) is None
    assert look(Population(Options(least=2)), moment(0, two)) is not None


def test_a_patient_is_judged_once_a_minute_and_by_the_newest_values() -> None:
    population = Population(Options())
    scored = [
        second
        for second in range(200)
        if look(population, moment(second, USUAL | {Vital.HEART_RATE: 80.0 + second})) is not None
    ]
    assert scored == [0, 60, 120, 180]
    assert population.snapshot() is not None
    kept = population.snapshot().kept[0]  # type: ignore[union-attr]
    assert kept is not None
    assert kept.value == 100 * (80 + 180)


def test_a_cuff_that_speaks_between_two_judgements_counts_in_the_next() -> None:
    population = Population(Options(far=0.0))
    monitor = {Vital.HEART_RATE: 90.0, Vital.SPO2: 96.0}
    look(population, moment(0, monitor))
    look(population, moment(20, {Vital.SYSTOLIC: 70.0}, "cuff-1"))
    score = look(population, moment(60, monitor))
    assert score is not None
    assert score.finding is not None
    [cuff] = [one for one in score.finding.evidence if one.vital == Vital.SYSTOLIC]
    assert (cuff.value, cuff.device) == (70.0, "cuff-1")
    assert cuff.time == datetime.fromtimestamp(START + 20, UTC)


def test_a_value_older_than_its_validity_is_missing() -> None:
    population = Population(Options(validity_hours=1))
    look(population, moment(0, USUAL))
    assert look(population, moment(3700, {Vital.HEART_RATE: 80.0})) is None


def test_a_pulse_stands_in_for_a_heart_rate_that_is_not_measured() -> None:
    pulse = {Vital.PULSE_RATE: 170.0, Vital.SPO2: 96.0, Vital.RESPIRATORY_RATE: 18.0}
    score = look(Population(Options(far=2.0)), moment(0, pulse))
    assert score is not None
    assert Vital.HEART_RATE not in score.missing
    assert score.finding is not None
    assert score.finding.evidence[0].vital == Vital.PULSE_RATE
    both = look(Population(Options()), moment(0, pulse | {Vital.HEART_RATE: 83.0}))
    assert both is not None
    assert both.value < score.value


def test_a_suspect_value_does_not_count() -> None:
    population = Population(Options())
    assert look(population, moment(0, USUAL, quality=int(Quality.SUSPECT))) is None


def test_evidence_keeps_what_the_device_sent() -> None:
    original = Original(302.0, "[degF]")
    one = moment(0, USUAL)
    samples = tuple(
        sample._replace(value=210.0, original=original)
        if sample.vital == Vital.HEART_RATE
        else sample
        for sample in one.samples
    )
    [score] = Population(Options(far=3.0)).score(PATIENT, one._replace(samples=samples), {})
    assert score.finding is not None
    assert score.finding.evidence[0].original is original


def test_a_row_of_far_distances_keeps_its_start() -> None:
    population = Population(Options())
    ill = USUAL | {Vital.HEART_RATE: 160.0, Vital.RESPIRATORY_RATE: 45.0, Vital.SPO2: 78.0}
    since = [
        None if (score := look(population, moment(60 * minute, values))) is None else score.since
        for minute, values in enumerate([USUAL, ill, ill, ill, USUAL, ill])
    ]
    first, again = (datetime.fromtimestamp(START + second, UTC) for second in (60, 300))
    assert since == [None, first, first, first, None, again]


def test_a_restored_one_goes_on_to_the_byte_at_any_place() -> None:
    random = Random(4)
    straight, stopped = Population(Options()), Population(Options())
    for second in range(0, 3000, 7):
        values = {v: random.gauss(x, x / 5) for v, x in USUAL.items() if random.random() < 0.5}
        one = moment(second, values, random.choice(["dev-1", "dev-2"]))
        before = own(values, {v: random.gauss(0, 1) for v in values}) if second > 1500 else {}
        raw = _encoder.encode(stopped.snapshot())
        state = msgspec.msgpack.decode(raw, type=Memory | None)
        stopped = Population(Options(), state)
        assert look(straight, one, before) == look(stopped, one, before)
    assert _encoder.encode(straight.snapshot()) == _encoder.encode(stopped.snapshot())


def test_the_state_stays_small_however_many_devices_come_and_go() -> None:
    population = Population(Options())
    sizes = []
    for minute in range(500):
        look(population, moment(60 * minute, USUAL, f"dev-{minute:04}"))
        sizes.append(len(_encoder.encode(population.snapshot())))
    assert max(sizes) <= 150


@pytest.mark.parametrize("options", [{"every_minutes": -1}, {"validity_hours": 0}, {"least": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Options)


def test_the_shipped_model_is_of_the_version_of_the_detector() -> None:
    assert shipped().version == Population.version
