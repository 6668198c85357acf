"""Artefacts: what is withheld from the other detectors, and what never is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import combine
from detectors.artefact import Artefact, Options, Plausible, State
from detectors.base import Moment, Sample, Score
from detectors.findings import Kind, Pattern, Priority
from ingest.readings import Quality, Vital, judge
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START = datetime(2026, 11, 24, 3, tzinfo=UTC)
PLAIN = Patient("p-1")
HEART, PULSE, SPO2 = "heart_rate", "pulse_rate", "spo2"
Values = dict[str, float]


def moment(second: float, values: Values) -> Moment:
    time = START + timedelta(seconds=second)
    samples = tuple(
        Sample(vital, values[vital], int(judge(Vital(vital), values[vital]) is Quality.SUSPECT))
        for vital in sorted(values)
    )
    return Moment(time, time.timestamp(), "bed-1", samples)


def look(detector: Artefact, now: Moment) -> Sequence[Score]:
    scores = detector.score(PLAIN, now, {})
    detector.learn(PLAIN, now, scores)
    return scores


def withheld(story: Iterable[Values], detector: Artefact | None = None) -> list[frozenset[str]]:
    """Return what the panel withholds at each second, by its own rule."""
    detector = detector or Artefact(Options())
    return [
        combine.explained(look(detector, moment(second, values)))
        for second, values in enumerate(story)
    ]


def steady(seconds: int, **values: float) -> list[Values]:
    """Return seconds of a patient whose values move by one, as living ones do."""
    return [{vital: value + n % 2 for vital, value in values.items()} for n in range(seconds)]


WELL = steady(60, heart_rate=80.0, pulse_rate=80.0, spo2=96.0)


def last(story: Iterable[Values], rule: str) -> Score:
    """Return the last score of a rule."""
    detector = Artefact(Options())
    found = [
        score
        for second, values in enumerate(story)
        for score in look(detector, moment(second, values))
        if score.rule == rule
    ]
    return found[-1]


# What must never be withheld.


@pytest.mark.parametrize("seconds", [15, 30, 60, 300])
def test_a_true_desaturation_is_never_withheld(seconds: int) -> None:
    fall = [{HEART: 80.0, PULSE: 81.0, SPO2: 97 - 17 * n / seconds} for n in range(seconds + 1)]
    stays = steady(300, heart_rate=80.0, pulse_rate=81.0, spo2=79.0)
    assert not any(withheld([*WELL, *fall, *stays]))
    alone = [{SPO2: one[SPO2]} for one in [*WELL, *fall, *stays]]
    assert not any(withheld(alone))


@pytest.mark.parametrize(
    "end",
    [
        pytest.param({HEART: 0.0, PULSE: 0.0, SPO2: 0.0}, id="all at zero"),
        pytest.param({HEART: 0.0, PULSE: 0.0}, id="saturation absent"),
        pytest.param({HEART: 0.0}, id="pulse absent"),
        pytest.param({PULSE: 0.0, SPO2: 0.0}, id="heart rate absent"),
        pytest.param({HEART: 30.0, PULSE: 0.0, SPO2: 70.0}, id="a slow heart without a pulse"),
    ],
)
def test_asystole_is_never_withheld(end: Values) -> None:
    assert not any(withheld([*WELL, *[end] * 300])[60:])


def test_apnoea_is_never_withheld() -> None:
    breathing = [one | {"respiratory_rate": 16.0 + n % 3} for n, one in enumerate(WELL)]
    apnoea = [one | {"respiratory_rate": 0.0} for one in WELL]
    assert not any(withheld([*breathing, *apnoea]))


@pytest.mark.parametrize("rate", [180.0, 35.0])
def test_a_change_that_both_sources_show_is_never_withheld(rate: float) -> None:
    changed = steady(200, heart_rate=rate, pulse_rate=rate + 3, spo2=95.0)
    assert not any(withheld([*WELL, *changed]))


def test_when_both_sources_are_beyond_an_urgent_bound_neither_is_withheld() -> None:
    changed = steady(60, heart_rate=200.0, pulse_rate=150.0)
    assert not any(withheld([*WELL, *changed]))
    slow = steady(60, heart_rate=38.0, pulse_rate=10.0)
    assert not any(withheld([*WELL, *slow]))


def test_when_both_sources_left_the_level_neither_is_withheld() -> None:
    changed = steady(60, heart_rate=125.0, pulse_rate=100.0)
    assert not any(withheld([*WELL, *changed]))
    score = last([*WELL, *changed], "artefact.disagreement")
    assert score.finding is not None
    assert score.finding.missing == (HEART, PULSE)


def test_while_the_heart_is_in_danger_a_sudden_fall_of_saturation_is_believed() -> None:
    danger = [{HEART: 135.0, PULSE: 135.0, SPO2: 96.0}] * 5
    fallen = [{HEART: 140.0, PULSE: 140.0, SPO2: 60.0}] * 60
    assert not any(withheld([*WELL, *danger, *fallen]))


def test_a_heart_rate_that_falls_on_its_own_word_is_believed() -> None:
    assert not any(withheld([*steady(60, heart_rate=80.0), *steady(60, heart_rate=5.0)]))


# What is withheld, and for how long.


def test_a_loose_probe_that_flickers_is_withheld_and_its_good_values_are_not() -> None:
    flicker = [{SPO2: value} for value in (97.0, 0.0, 97.0, 40.0) * 10]
    found = withheld([*steady(60, spo2=96.0), *flicker])[60:]
    assert found == [frozenset(), frozenset({SPO2})] * 20
    score = last([*steady(60, spo2=96.0), *flicker], "artefact.sensor.spo2")
    assert score.finding is not None
    assert score.finding.kind is Kind.TECHNICAL
    assert score.finding.priority is Priority.LOW
    assert score.finding.pattern is Pattern.OFF
    assert score.finding.since == START + timedelta(seconds=61)


def test_a_probe_that_flickers_on_is_for_somebody_to_look_at_and_withheld_no_more() -> None:
    flicker = [{SPO2: value} for value in (97.0, 0.0, 97.0, 40.0) * 20]
    story = [*steady(60, spo2=96.0), *flicker]
    assert not any(withheld(story)[60 + 62 :])
    finding = last(story, "artefact.sensor.spo2").finding
    assert finding is not None
    assert finding.priority is Priority.MEDIUM
    assert (finding.evidence, finding.missing) == ((), (SPO2,))


def test_a_level_that_holds_on_is_believed_after_a_quarter_of_a_minute() -> None:
    found = withheld([*steady(60, spo2=96.0), *steady(60, spo2=60.0)])
    assert found[60:75] == [frozenset({SPO2})] * 15
    assert not any(found[75:])


def test_a_sensor_that_is_off_is_withheld_as_long_as_another_shows_a_beating_heart() -> None:
    off = [{HEART: 80.0 + n % 3, PULSE: 0.0, SPO2: 0.0} for n in range(200)]
    assert withheld([*WELL, *off])[60:] == [frozenset({PULSE, SPO2})] * 200
    finding = last([*WELL, *off], "artefact.sensor.pulse_rate").finding
    assert finding is not None
    # Nobody is left without a look for long: it is medium after a minute.
    assert finding.priority is Priority.MEDIUM
    assert finding.evidence[0].value == 0
    stopped = [*WELL, *off, *[{HEART: 0.0, PULSE: 0.0, SPO2: 0.0}] * 60]
    assert not any(withheld(stopped)[-60:])


def test_an_electrode_that_is_off_is_withheld_while_the_pulse_goes_on() -> None:
    off = [{HEART: 0.0, PULSE: 80.0 + n % 3} for n in range(20)]
    assert withheld([*WELL, *off])[60:] == [frozenset({HEART})] * 20


@pytest.mark.parametrize(
    ("values", "doubted"),
    [
        pytest.param({HEART: 150.0, PULSE: 82.0}, HEART, id="tremor on the ECG"),
        pytest.param({HEART: 80.0, PULSE: 40.0}, PULSE, id="a weak pulse wave"),
        pytest.param({HEART: 82.0, PULSE: 165.0}, PULSE, id="a pulse counted twice"),
    ],
)
def test_of_two_sources_the_one_that_left_the_level_is_withheld(
    values: Values, doubted: str
) -> None:
    apart = [values] * 90
    found = withheld([*WELL, *apart])[60:]
    assert found[:60] == [frozenset({doubted})] * 60
    # A disagreement that lasts is for somebody to look at: both are shown to the others again.
    assert not any(found[60:])
    finding = last([*WELL, *apart], "artefact.disagreement").finding
    assert finding is not None
    assert finding.priority is Priority.MEDIUM
    assert finding.pattern is Pattern.DISAGREES
    assert finding.since == START + timedelta(seconds=60)
    assert finding.missing == (doubted,)


@pytest.mark.parametrize(
    ("values", "doubted", "believed"),
    [({HEART: 150.0, PULSE: 82.0}, HEART, 82.0), ({HEART: 80.0, PULSE: 40.0}, PULSE, 80.0)],
)
def test_a_disagreement_says_what_the_believed_source_would_agree_with_and_withholds_no_other(
    values: Values, doubted: str, believed: float
) -> None:
    story = [*WELL, values]
    finding = last(story, "artefact.disagreement").finding
    assert finding is not None
    [evidence] = finding.evidence
    assert (evidence.vital, evidence.value) == (doubted, values[doubted])
    assert (evidence.low, evidence.high) == (believed - 20, believed + 20)
    assert withheld(story)[-1] == {doubted}


def test_a_pulse_that_follows_the_heart_with_a_lag_delays_it_by_the_lag_alone() -> None:
    lag = [{HEART: 160.0, PULSE: min(160.0, 80.0 + 10 * n)} for n in range(60)]
    found = withheld([*WELL, *lag])[60:]
    assert not any(found[7:])


@pytest.mark.parametrize(("rise", "found"), [(60.0, False), (61.0, True)])
def test_a_heart_rate_that_jumps_by_more_than_60_is_withheld(rise: float, *, found: bool) -> None:
    story = [{HEART: 80.0}] * 10 + [{HEART: 80.0 + rise}]
    assert bool(withheld(story)[-1]) is found


@pytest.mark.parametrize(
    ("days", "weight", "found"),
    [
        pytest.param(1, 85.0, False, id="5 kg in a day"),
        pytest.param(1, 85.1, True, id="more than 5 kg in a day"),
        pytest.param(1, 74.0, True, id="a child on the scale"),
        pytest.param(0.01, 86.0, True, id="another person a moment later"),
        pytest.param(3, 90.0, False, id="10 kg in 3 days"),
    ],
)
def test_a_weight_that_nobody_gains_in_that_time(
    days: float, weight: float, *, found: bool
) -> None:
    detector = Artefact(Options())
    look(detector, moment(0, {"weight": 80.0}))
    scores = look(detector, moment(86_400 * days, {"weight": weight}))
    assert bool(combine.explained(scores)) is found


def test_a_wrong_weight_does_not_make_the_next_right_one_wrong() -> None:
    detector = Artefact(Options())
    days = [80.0, 62.0, 80.2, 80.1]
    found = [
        combine.explained(look(detector, moment(86_400 * day, {"weight": weight})))
        for day, weight in enumerate(days)
    ]
    assert found == [frozenset(), {"weight"}, frozenset(), frozenset()]


def test_a_flat_line_is_told_after_its_time_and_withheld_for_a_minute() -> None:
    options = Options(vitals={Vital.MEAN_PRESSURE: Plausible(flat=300)})
    story = [{"mean_pressure": 80.0}] * 400
    found = withheld(story, Artefact(options))
    assert found.index(frozenset({"mean_pressure"})) == 300
    assert found[300:360] == [frozenset({"mean_pressure"})] * 60
    assert not any(found[360:])


def test_a_line_is_not_flat_when_it_moves_or_has_a_gap_or_is_known_to_stand_still() -> None:
    options = Options(vitals={Vital.MEAN_PRESSURE: Plausible(flat=300)})
    moves = [{"mean_pressure": 80.0 + (n % 200 == 0)} for n in range(900)]
    assert not any(withheld(moves, Artefact(options)))
    detector = Artefact(options)
    for hour in range(40):
        assert not combine.explained(look(detector, moment(3600 * hour, {"mean_pressure": 80.0})))
    assert not any(withheld([{SPO2: 100.0}] * 4000))


def test_a_heart_is_flat_only_where_its_pulse_is_too() -> None:
    paced = [{HEART: 70.0, PULSE: 70.0 + n % 3} for n in range(2000)]
    assert not any(withheld(paced))
    frozen = [{HEART: 70.0, PULSE: 70.0}] * 1801
    assert withheld(frozen)[-1] == {HEART, PULSE}


def test_one_odd_value_is_soon_forgotten() -> None:
    detector = Artefact(Options())
    story = [*steady(60, spo2=96.0), {SPO2: 40.0}, *steady(120, spo2=96.0)]
    withheld(story, detector)
    assert detector.snapshot().traces[SPO2].doubt is None


def test_a_new_matter_after_a_calm_is_of_low_priority_again() -> None:
    detector = Artefact(Options())
    odd = [*steady(60, spo2=96.0), {SPO2: 40.0}]
    findings = [
        score.finding
        for second, values in enumerate(odd * 5)
        for score in look(detector, moment(second, values))
        if score.finding
    ]
    assert len(findings) == 5
    assert {finding.priority for finding in findings} == {Priority.LOW}


def test_nothing_wrong_is_said_often_enough_for_one_odd_value_not_to_open_an_alert() -> None:
    detector = Artefact(Options())
    said = [
        second
        for second, values in enumerate(steady(200, spo2=96.0))
        if look(detector, moment(second, values))
    ]
    assert said == [0, 40, 80, 120, 160]


def test_the_state_of_six_vitals_is_small() -> None:
    values = dict.fromkeys((HEART, PULSE, SPO2, "temperature", "weight"), 80.0)
    detector = Artefact(Options())
    withheld([values | {SPO2: 96.0, "temperature": 37.0}] * 100, detector)
    assert len(msgspec.msgpack.encode(detector.snapshot())) <= 250


rates = st.sampled_from([0.0, 30.0, 45.0, 80.0, 95.0, 125.0, 135.0, 180.0])
stories = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.fixed_dictionaries(
            {}, optional={HEART: rates, PULSE: rates, SPO2: st.sampled_from([0.0, 40.0, 85, 97])}
        ),
    ),
    max_size=60,
)


@given(stories)
def test_two_rates_are_never_withheld_together_and_never_without_a_living_heart(
    story: list[tuple[int, Values]],
) -> None:
    detector = Artefact(Options())
    second = 0
    for gap, values in story:
        second += gap
        found = combine.explained(look(detector, moment(second, values)))
        assert not {HEART, PULSE} <= found
        if found & {HEART, PULSE} and {HEART, PULSE} <= values.keys():
            (other,) = {HEART, PULSE} - found
            assert 40 < values[other] < 131


@given(stories, st.integers(0, 59))
def test_a_restored_one_goes_on_the_same(story: list[tuple[int, Values]], cut: int) -> None:
    straight, stopped = Artefact(Options()), Artefact(Options())
    second = 0
    for number, (gap, values) in enumerate(story):
        second += gap
        now = moment(second, values)
        assert look(straight, now) == look(stopped, now)
        if number >= cut:
            raw = msgspec.msgpack.encode(stopped.snapshot())
            stopped = Artefact(Options(), msgspec.msgpack.decode(raw, type=State))
    assert straight.snapshot() == stopped.snapshot()
