"""The risk detector at run time."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Moment, Sample
from detectors.findings import Against, Kind, Priority
from detectors.risk import Risk
from detectors.risk.detector import State
from detectors.risk.features import vector
from detectors.risk.model import Scorer, Thresholds, shipped
from detectors.risk.options import Options
from ingest.readings import Quality
from ingest.registry.entities import Patient
from tests.unit.detectors.at_risk import HOUR, ILL, WELL, falling_ill, look, moment, told
from tests.unit.detectors.plain import START


def test_the_first_reading_of_any_vital_has_a_risk() -> None:
    for vital in ("heart_rate", "temperature", "diastolic", "pulse_rate"):
        scores = look(
            Risk(Options()), moment(START, {vital: 80.0 if vital != "temperature" else 37})
        )
        assert sorted(scores) == ["risk.deterioration", "risk.sepsis"]
        assert all(0 < score.value < 1 for score in scores.values())


def test_a_moment_without_any_of_the_vitals_has_no_risk() -> None:
    detector = Risk(Options())
    look(detector, moment(START, WELL))
    assert not look(detector, moment(START + HOUR, {"weight": 80.0}))


def test_vitals_of_one_time_may_come_in_one_moment_or_in_several() -> None:
    together, apart = Risk(Options()), Risk(Options())
    for n in range(30):
        time = START + n * HOUR
        values = {vital: value + n % 5 for vital, value in (ILL if n > 20 else WELL).items()}
        whole = look(together, moment(time, values))
        last = {}
        for vital, value in values.items():
            last = look(apart, moment(time, {vital: value}))
        assert {rule: one.value for rule, one in whole.items()} == {
            rule: one.value for rule, one in last.items()
        }


def test_within_a_minute_the_last_scores_are_repeated() -> None:
    detector = Risk(Options())
    first = look(detector, moment(START, WELL))
    for second in range(1, 55):
        assert look(detector, moment(START + timedelta(seconds=second), ILL)) == first
    assert look(detector, moment(START + timedelta(seconds=55), ILL)) != first


def test_one_bad_second_at_one_a_second_is_no_news() -> None:
    calm, spiked = Risk(Options()), Risk(Options())
    for second in range(0, 3600, 55):
        time = START + timedelta(seconds=second)
        normal = look(calm, moment(time, WELL))
        after = look(spiked, moment(time, ILL if second == 3300 else WELL))
    assert after["risk.deterioration"].finding is None
    assert after["risk.deterioration"].value < 4 * normal["risk.deterioration"].value


def test_a_suspect_value_is_left_out() -> None:
    plain, doubted = Risk(Options()), Risk(Options())
    look(plain, moment(START, WELL))
    look(doubted, moment(START, WELL))
    before = told(doubted)
    suspect = (Sample("heart_rate", 251.0, int(Quality.SUSPECT)),)
    later = START + HOUR
    look(doubted, Moment(later, later.timestamp(), "dev-1", suspect))
    assert told(doubted) == before == told(plain)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(Patient("p-1", born=2015), id="a child"),
        pytest.param(Patient("p-1", pregnant=True), id="a pregnant woman"),
    ],
)
def test_whom_the_models_are_not_for_has_no_score(settings: Patient) -> None:
    detector = Risk(Options())
    assert not look(detector, moment(START, ILL), settings)
    opened = moment(START + HOUR, ILL)._replace(open=frozenset({"risk.sepsis"}))
    (ended,) = detector.score(settings, opened, {})
    assert ended.rule == "risk.sepsis"
    assert ended.finding is None


def test_a_deterioration_is_a_reason_for_closer_follow_up_and_never_urgent() -> None:
    finding = falling_ill(Risk(Options()))[-1]["risk.deterioration"].finding
    assert finding is not None
    assert (finding.kind, finding.priority) == (Kind.PHYSIOLOGICAL, Priority.MEDIUM)
    assert finding.against is Against.MODEL
    assert finding.since == START + 3 * HOUR
    assert finding.missing == ("temperature", "mean_pressure", "diastolic")
    assert {one.vital for one in finding.evidence} <= set(ILL)
    assert all(one.value == ILL[one.vital] for one in finding.evidence)
    weights = [one.weight for one in finding.parts]
    assert weights == sorted(weights, reverse=True)
    assert min(weights) > 0


def test_one_reading_alone_is_a_probability_but_no_finding() -> None:
    scores = look(Risk(Options()), moment(START, {"heart_rate": 170.0, "respiratory_rate": 45.0}))
    assert scores["risk.deterioration"].value > 0.1
    assert all(score.finding is None for score in scores.values())


def test_a_sepsis_is_advice() -> None:
    options = Options(thresholds={"sepsis": Thresholds(0.02, 0.01)})
    finding = falling_ill(Risk(options))[-1]["risk.sepsis"].finding
    assert finding is not None
    assert (finding.kind, finding.priority) == (Kind.ADVISORY, Priority.LOW)


def test_the_parts_add_up_to_the_log_odds() -> None:
    detector = Risk(Options())
    last = falling_ill(detector)[-1]
    found = vector(detector.snapshot().known)
    for model in shipped():
        scorer = Scorer(model)
        common, parts = scorer.parts(found)
        risk = last[f"risk.{model.question}"].value
        total = common + sum(one.weight for one in parts)
        assert total == pytest.approx(scorer.log_odds(found))
        assert total == pytest.approx(log(risk / (1 - risk)))


def test_a_finding_ends_below_where_it_began_and_does_not_begin_again_at_once() -> None:
    detector = Risk(Options(again_hours=5.0))
    falling_ill(detector)
    states = []
    for n in range(12, 40):
        values = WELL if n < 24 or n == 25 else ILL
        found = look(detector, moment(START + n * HOUR, values))["risk.deterioration"]
        states.append(found.finding is not None)
    # Hours 12 to 23 well, 24 ill, 25 well, ill from then on.
    ended = states.index(False)
    assert 0 < ended < 12
    assert not any(states[ended:12])
    assert states[12:14] == [True, False]
    assert not any(states[13:18])
    assert all(states[18:])


def test_a_restored_detector_says_the_same_within_a_minute_too() -> None:
    straight, stopped = Risk(Options()), Risk(Options())
    for n in range(300):
        one = moment(START + n * timedelta(seconds=13), WELL if n < 100 else ILL)
        assert look(straight, one) == look(stopped, one)
        packed = told(stopped)
        stopped = Risk(Options(), msgspec.msgpack.decode(packed, type=State))
        assert told(stopped) == packed
    assert told(straight) == told(stopped)


def test_the_state_stays_small_however_many_devices_there_were() -> None:
    detector = Risk(Options())
    every = {**WELL, "temperature": 37.1, "diastolic": 71.0, "mean_pressure": 88.3}
    for n in range(200):
        look(detector, moment(START + n * HOUR, every, device=f"dev-{n}"))
    assert len(told(detector)) <= 800


def test_a_finding_does_not_go_on_with_values_of_days_ago() -> None:
    detector = Risk(Options())
    assert falling_ill(detector)[-1]["risk.deterioration"].finding is not None
    for n in range(12, 48):
        last = look(detector, moment(START + n * HOUR, {"heart_rate": ILL["heart_rate"]}))
    assert last["risk.deterioration"].finding is None
    assert last["risk.deterioration"].value > 0.1
    assert "spo2" in last["risk.deterioration"].missing


def test_a_finding_after_a_long_silence_begins_anew() -> None:
    detector = Risk(Options())
    falling_ill(detector)
    back = START + timedelta(days=365)
    finding = look(detector, moment(back, ILL))["risk.deterioration"].finding
    assert finding is not None
    assert finding.since == back


@given(
    st.fixed_dictionaries(
        {
            "heart_rate": st.floats(55, 88),
            "respiratory_rate": st.floats(12, 18),
            "spo2": st.floats(96, 100),
            "systolic": st.floats(112, 138),
            "diastolic": st.floats(60, 85),
            "temperature": st.floats(36.3, 37.3),
        }
    )
)
def test_a_healthy_patient_has_a_low_risk_from_the_first_reading_on(
    values: dict[str, float],
) -> None:
    detector = Risk(Options())
    for hour in range(3):
        scores = look(detector, moment(START + hour * HOUR, values))
        assert scores["risk.deterioration"].value < 0.02
        assert scores["risk.sepsis"].value < 0.02
        assert all(score.finding is None for score in scores.values())


def test_a_very_ill_patient_has_a_high_risk_at_the_first_reading() -> None:
    values = {**ILL, "temperature": 39.2, "systolic": 85.0}
    scores = look(Risk(Options()), moment(START, values))
    assert scores["risk.deterioration"].value > 0.9
    assert scores["risk.sepsis"].value > 0.1
    assert all(score.finding is not None for score in scores.values())


def test_neither_import_nor_the_first_moment_loads_a_library_for_fitting() -> None:
    code = """
import sys
from datetime import UTC, datetime
from detectors.panel import Panel
from ingest.readings import Instant, Vital
from ingest.registry.entities import Patient, Profile
values = {Vital.HEART_RATE: 128.0, Vital.SPO2: 88.0, Vital.SYSTOLIC: 80.0}
one = Instant(datetime(2026, 11, 24, 12, tzinfo=UTC), values)
found = Panel().feed(Patient("p-1", profile=Profile.ICU), "dev-1", one)
assert found.assessment.risks["sepsis"] > 0
print([one for one in ("river.linear_model", "scipy.optimize", "sklearn") if one in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
