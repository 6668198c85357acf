"""NEWS2 of one patient over time: what still counts, since when, and for whom there is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import Moment, Sample
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.news2 import News2Detector
from detectors.news2_chart import CHART, score
from detectors.profiles.loading import SHIPPED
from ingest.readings import Original, Vital
from ingest.registry.entities import Patient, Profile
from tests.unit.detectors.news2s import ADULT, EARLIER, NOON, found, made, shown, total

if TYPE_CHECKING:
    from detectors.findings import Evidence


@pytest.mark.parametrize(
    ("profile", "vital", "hours"),
    [
        (Profile.ICU, Vital.SPO2, 1),
        (Profile.ICU, Vital.TEMPERATURE, 4),
        (Profile.WARD, Vital.SPO2, 12),
        (Profile.HOME_HEART, Vital.SPO2, 24),
        (Profile.HOME_RESPIRATORY, Vital.SPO2, 24),
        (Profile.HOME_RESPIRATORY, Vital.SUPPLEMENTAL_OXYGEN, 168),
        (Profile.WEARABLE, Vital.SPO2, 24),
    ],
)
def test_a_value_older_than_its_validity_is_missing(
    profile: Profile, vital: Vital, hours: int
) -> None:
    options = SHIPPED[profile].options("news2")
    ill = {Vital.SPO2: 90.0, Vital.TEMPERATURE: 39.5, Vital.SUPPLEMENTAL_OXYGEN: 1.0}
    then = NOON - timedelta(hours=hours)
    for late, points in ((timedelta(0), True), (timedelta(seconds=1), False)):
        detector = News2Detector(options)
        shown(detector, {vital: ill[vital]}, then)
        one = shown(detector, {Vital.HEART_RATE: 70.0}, NOON + late)
        assert (total(one) > 0) is points
        assert one is not None
        assert (vital not in one.missing) is points


def test_unlimited_validity_carries_a_value_forward_for_ever() -> None:
    detector = made(validity_hours=inf)
    shown(detector, {Vital.SPO2: 90.0}, NOON - timedelta(days=4000))
    assert total(shown(detector, {Vital.HEART_RATE: 70.0})) == 3


def test_validity_of_a_vital_goes_before_the_profile_s() -> None:
    detector = made(validity_hours=1, validity_hours_of={"temperature": 8})
    shown(detector, {Vital.SPO2: 90.0, Vital.TEMPERATURE: 39.5}, NOON - timedelta(hours=2))
    one = shown(detector, {Vital.HEART_RATE: 70.0})
    assert total(one) == 2
    assert one is not None
    assert Vital.SPO2 in one.missing


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"validity_hours": 0}, id="no time at all"),
        pytest.param({"validity_hours_of": {"spo2": -1}}, id="less than none"),
        pytest.param({"validity_hours_of": {"weight": 24}}, id="not a parameter of NEWS2"),
    ],
)
def test_a_validity_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        made(**wrong)


def test_there_is_a_score_whenever_anything_is_known_whatever_came() -> None:
    detector = made()
    assert shown(detector, {Vital.WEIGHT: 80.0}) is None, "nothing is known"
    shown(detector, {Vital.SPO2: 93.0})
    assert total(shown(detector, {Vital.WEIGHT: 80.0}, NOON + timedelta(hours=1))) == 2
    assert shown(detector, {Vital.WEIGHT: 80.0}, NOON + timedelta(hours=13)) is None


def test_an_older_value_does_not_replace_a_newer_one() -> None:
    detector = made()
    shown(detector, {Vital.SPO2: 97.0})
    assert total(shown(detector, {Vital.SPO2: 85.0}, EARLIER, device="dev-2")) == 0


def test_scoring_one_moment_leaves_nothing_for_another() -> None:
    detector = made(validity_hours=1)
    shown(detector, {Vital.SPO2: 90.0}, NOON - timedelta(hours=1))
    late = NOON + timedelta(seconds=1)
    only_scored = Moment(late, late.timestamp(), "dev-1", (Sample("spo2", 97.0),))
    detector.score(ADULT, only_scored, {})
    assert total(shown(detector, {Vital.HEART_RATE: 70.0}, NOON)) == 3
    assert total(shown(detector, {Vital.HEART_RATE: 70.0}, late)) == 0


@pytest.mark.parametrize(
    ("first", "then", "points"),
    [
        pytest.param(
            {Vital.SUPPLEMENTAL_OXYGEN: 1.0}, {Vital.OXYGEN_FLOW: 0.0}, 0, id="the tap was shut"
        ),
        pytest.param(
            {Vital.OXYGEN_FLOW: 3.0}, {Vital.SUPPLEMENTAL_OXYGEN: 0.0}, 0, id="said to be off"
        ),
        pytest.param(
            {Vital.SUPPLEMENTAL_OXYGEN: 0.0}, {Vital.OXYGEN_FLOW: 2.0}, 2, id="the tap was opened"
        ),
        pytest.param(
            {Vital.OXYGEN_FLOW: 0.0}, {Vital.SUPPLEMENTAL_OXYGEN: 1.0}, 2, id="said to be on"
        ),
    ],
)
def test_the_newer_statement_about_oxygen_holds(
    first: dict[Vital, float], then: dict[Vital, float], points: int
) -> None:
    detector = made()
    shown(detector, first, EARLIER)
    assert total(shown(detector, then)) == points


def test_a_statement_about_oxygen_that_is_void_gives_way_to_an_older_valid_one() -> None:
    detector = made(validity_hours_of={"oxygen_flow": 1})
    shown(detector, {Vital.SUPPLEMENTAL_OXYGEN: 1.0}, NOON - timedelta(hours=3))
    shown(detector, {Vital.OXYGEN_FLOW: 0.0}, NOON - timedelta(hours=2))
    assert total(shown(detector, {Vital.HEART_RATE: 70.0})) == 2


def test_scale_2_is_used_only_where_the_patient_s_settings_say_so() -> None:
    detector = made()
    assert total(shown(detector, {Vital.SPO2: 90.0})) == 3
    scale_2 = Patient("p-1", spo2_scale=2)
    assert total(shown(detector, {Vital.SPO2: 90.0}, settings=scale_2)) == 0
    oxygen = {Vital.SPO2: 97.0, Vital.OXYGEN_FLOW: 2.0}
    assert total(shown(detector, oxygen, settings=scale_2)) == 5
    assert total(shown(detector, {Vital.OXYGEN_FLOW: 2.0})) == 2, "and not for longer"


def test_the_finding_rests_on_what_gave_points() -> None:
    detector = made()
    shown(detector, {Vital.HEART_RATE: 100.0}, EARLIER)
    values = {Vital.SPO2: 90.0, Vital.TEMPERATURE: 37.0}
    finding = found(shown(detector, values))
    assert (finding.rule, finding.kind, finding.score) == ("news2", Kind.PHYSIOLOGICAL, 4.0)
    rests_on = [(e.vital, e.value, e.time, e.points) for e in finding.evidence]
    assert rests_on == [(Vital.SPO2, 90.0, NOON, 3), (Vital.HEART_RATE, 100.0, EARLIER, 1)]
    assert finding.missing == score(values | {Vital.HEART_RATE: 100.0}).missing
    assert (finding.against, finding.pattern) == (Against.CHART, Pattern.BELOW)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({Vital.TEMPERATURE: 39.5, Vital.HEART_RATE: 120.0, Vital.SPO2: 95.0}, Pattern.TOGETHER),
        ({Vital.SPO2: 88.0}, Pattern.BELOW),
        ({Vital.RESPIRATORY_RATE: 30.0}, Pattern.ABOVE),
        ({Vital.CONSCIOUSNESS: 2.0}, Pattern.ABOVE),
    ],
)
def test_the_pattern_tells_one_red_parameter_from_several_together(
    values: dict[Vital, float], pattern: Pattern
) -> None:
    assert found(shown(made(), values)).pattern is pattern


def test_since_is_when_the_present_priority_was_first_reached() -> None:
    detector = made()
    told: list[tuple[Priority | None, datetime | None]] = []
    for minute, values in enumerate(
        [
            {Vital.SPO2: 96.0},
            {Vital.SPO2: 91.0},  # 3 in one parameter
            {Vital.RESPIRATORY_RATE: 22.0},  # 5
            {Vital.HEART_RATE: 120.0},  # 7
            {Vital.TEMPERATURE: 39.5},  # 9
            {Vital.RESPIRATORY_RATE: 16.0, Vital.TEMPERATURE: 37.0},  # 5
            {Vital.SPO2: 96.0},  # 2
            {Vital.SPO2: 91.0},  # 5
        ]
    ):
        one = shown(detector, values, NOON + timedelta(minutes=minute))
        assert one is not None
        told.append((one.finding.priority if one.finding else None, one.since))
    minutes = [None if at is None else (at - NOON) / timedelta(minutes=1) for _, at in told]
    assert minutes == [None, 1, 1, 3, 3, 1, None, 7]
    assert [level for level, _ in told][3:6] == [Priority.HIGH, Priority.HIGH, Priority.MEDIUM]


def test_diastolic_goes_with_a_systolic_of_the_same_moment_only() -> None:
    finding = found(shown(made(), {Vital.SYSTOLIC: 85.0, Vital.DIASTOLIC: 50.0}))
    assert [(e.vital, e.points) for e in finding.evidence] == [
        (Vital.SYSTOLIC, 3),
        (Vital.DIASTOLIC, None),
    ]
    detector = made()
    shown(detector, {Vital.DIASTOLIC: 50.0}, EARLIER)
    finding = found(shown(detector, {Vital.SYSTOLIC: 85.0}))
    assert [e.vital for e in finding.evidence] == [Vital.SYSTOLIC]


def test_the_evidence_says_what_was_expected_on_the_patient_s_scale() -> None:
    for scale, expected in ((1, (96.0, None)), (2, (88.0, 92.0))):
        values = {Vital.SPO2: 82.0, Vital.CONSCIOUSNESS: 1.0}
        finding = found(shown(made(), values, settings=Patient("p-1", spo2_scale=scale)))
        saturation, consciousness = finding.evidence
        assert (saturation.low, saturation.high) == expected
        assert (consciousness.low, consciousness.high) == (None, None)


def evidence(detector: News2Detector, sample: Sample, device: str, time: datetime) -> Evidence:
    moment = Moment(time, time.timestamp(), device, (sample,))
    scores = detector.score(ADULT, moment, {})
    detector.learn(ADULT, moment, scores)
    return {one.vital: one for one in found(scores[0]).evidence}[sample.vital]


def test_the_evidence_keeps_device_and_original_of_each_value_for_as_long_as_it_counts() -> None:
    detector = made()
    fever = Sample(Vital.TEMPERATURE, 39.4, 0, Original(103.0, "[degF]"))
    shown(detector, {Vital.SPO2: 90.0}, device="oximeter")
    one = evidence(detector, fever, "thermometer", NOON)
    assert (one.device, one.original) == ("thermometer", Original(103.0, "[degF]"))
    finding = found(shown(detector, {Vital.HEART_RATE: 70.0}, device="watch"))
    assert [(e.device, e.original) for e in finding.evidence] == [
        ("oximeter", None),
        ("thermometer", Original(103.0, "[degF]")),
    ]
    one = evidence(detector, Sample(Vital.TEMPERATURE, 39.3), "thermometer", NOON)
    assert one.original is None


def test_devices_that_come_and_go_take_no_more_room() -> None:
    detector = made()
    for n in range(40):
        time = NOON + timedelta(seconds=n)
        finding = found(shown(detector, {Vital.SPO2: 85.0}, time, device=f"dev-{n}"))
        assert finding.evidence[0].device == f"dev-{n}"
    assert len(msgspec.msgpack.encode(detector.snapshot())) < 90


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(Patient("p-1", pregnant=True), id="pregnant"),
        pytest.param(Patient("p-1", born=2020), id="a child"),
        pytest.param(Patient("p-1", born=2010), id="in the year of the 16th birthday"),
    ],
)
def test_there_is_no_news2_for_children_and_in_pregnancy(settings: Patient) -> None:
    detector = made()
    assert shown(detector, {Vital.SPO2: 80.0}, settings=settings) is None


def test_there_is_news2_from_the_year_after_the_16th_birthday_on() -> None:
    assert total(shown(made(), {Vital.SPO2: 80.0}, settings=Patient("p-1", born=2009))) == 3


def test_an_alert_that_was_open_ends_when_news2_no_longer_applies() -> None:
    detector = made()
    found(shown(detector, {Vital.SPO2: 80.0}))
    one = shown(
        detector,
        {Vital.SPO2: 80.0},
        settings=Patient("p-1", pregnant=True),
        opened=frozenset({"news2"}),
    )
    assert one is not None
    assert one.finding is None
    assert one.missing == CHART


moments = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["dev-1", "dev-2"]),
        st.dictionaries(
            st.sampled_from([*CHART, Vital.PULSE_RATE, Vital.WEIGHT]),
            st.sampled_from([0.0, 1.0, 35.5, 85.0, 96.0, 125.0]),
            max_size=4,
        ),
    ),
    max_size=12,
)


@given(moments)
def test_it_is_the_chart_over_the_newest_valid_values_in_any_order_of_time(
    told: list[tuple[int, str, dict[Vital, float]]],
) -> None:
    detector, newest, now = made(), dict[Vital, tuple[int, float]](), -1
    for hour, device, values in told:
        one = shown(detector, values, NOON + timedelta(hours=hour), device=device)
        now = max(now, hour)
        for vital, value in values.items():
            if vital not in newest or hour >= newest[vital][0]:
                newest[vital] = hour, value
        valid = {vital: value for vital, (at, value) in newest.items() if now - at <= 12}
        expected = score(valid)
        assert (None if one is None else one.value) == expected.total
        if one is not None:
            assert one.missing == expected.missing
            assert (one.finding and one.finding.priority) == expected.priority
