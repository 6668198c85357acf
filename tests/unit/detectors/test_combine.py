"""The rules by which detectors speak together, one by one, and what their switches do."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from detectors import combine
from detectors.base import Moment, Score
from detectors.combine import Combination, Rules, Unusual
from detectors.findings import Against, Evidence, Finding, Kind, Priority
from ingest.readings import Vital
from tests.unit.detectors.plain import START

HELD = Rules(agreement_minutes=10, agreement_hours=24)


def moment(minute: float) -> Moment:
    time = START + timedelta(minutes=minute)
    return Moment(time, time.timestamp(), "d", ())


def advice(at: Moment, *vitals: str, normal: tuple[str, ...] = ()) -> dict[str, Score]:
    """Build what the baseline says of these vitals."""
    scores = {}
    for vital in (*vitals, *normal):
        finding = None
        if vital in vitals:
            evidence = Evidence(vital, 120.0, at.time, at.device, 60.0, 90.0)
            rule = f"baseline.{vital}"
            finding = Finding(
                rule,
                Kind.ADVISORY,
                Priority.LOW,
                "baseline/3",
                (evidence,),
                against=Against.HOURS,
            )
        score = Score("baseline/3", f"baseline.{vital}", 5.0, finding, vital, 120.0)
        scores[score.rule] = score
    return scores


def said(
    combination: Combination, minute: float, *vitals: str, normal: tuple[str, ...] = ()
) -> Finding | None:
    at = moment(minute)
    for score in combination.agreement(at, advice(at, *vitals, normal=normal)):
        assert score.rule == combine.AGREEMENT
        return score.finding
    return None


def test_two_systems_unusual_for_long_enough_call_for_closer_follow_up() -> None:
    combination = Combination(HELD)
    assert said(combination, 0, Vital.HEART_RATE) is None
    assert said(combination, 5, Vital.HEART_RATE, Vital.TEMPERATURE) is None
    assert said(combination, 12, Vital.HEART_RATE, Vital.TEMPERATURE) is None
    found = said(combination, 16, Vital.HEART_RATE, Vital.TEMPERATURE)
    assert found is not None
    assert (found.priority, found.kind) == (Priority.MEDIUM, Kind.PHYSIOLOGICAL)
    assert [one.vital for one in found.evidence] == [Vital.HEART_RATE, Vital.TEMPERATURE]
    assert found.since == START + timedelta(minutes=5)
    assert found.against is Against.HOURS


@pytest.mark.parametrize(
    "vitals",
    [
        pytest.param((Vital.HEART_RATE, Vital.PULSE_RATE), id="one pulse measured twice"),
        pytest.param((Vital.SYSTOLIC, Vital.DIASTOLIC), id="one pressure"),
        pytest.param((Vital.WEIGHT, Vital.STEPS), id="nothing of NEWS2's systems"),
        pytest.param((Vital.SPO2,), id="a single vital"),
    ],
)
def test_one_system_is_not_enough(vitals: tuple[Vital, ...]) -> None:
    combination = Combination(HELD)
    for minute in range(60):
        assert said(combination, minute, *vitals) is None


def test_a_system_that_is_usual_again_is_forgotten() -> None:
    combination = Combination(HELD)
    for minute in (0, 20):
        said(combination, minute, Vital.HEART_RATE, Vital.TEMPERATURE)
    assert said(combination, 21, Vital.TEMPERATURE, normal=(Vital.HEART_RATE,)) is None
    assert said(combination, 22, Vital.HEART_RATE, Vital.TEMPERATURE) is None


def test_it_ends_after_a_day_and_does_not_come_back_until_all_was_usual() -> None:
    combination = Combination(HELD)
    both = (Vital.HEART_RATE, Vital.TEMPERATURE)
    hours = [said(combination, 60 * hour, *both) is not None for hour in range(40)]
    assert hours == [False, *[True] * 24, *[False] * 15]
    said(combination, 60 * 40, normal=both)
    said(combination, 60 * 41, *both)
    assert said(combination, 60 * 42, *both) is not None


def test_what_is_not_measured_any_more_is_forgotten() -> None:
    combination = Combination(HELD)
    said(combination, 0, Vital.TEMPERATURE)
    said(combination, 60 * 25, Vital.HEART_RATE)
    assert said(combination, 60 * 25 + 15, Vital.HEART_RATE) is None
    assert list(combination.snapshot()) == ["pulse"]


def test_the_rule_can_be_switched_off() -> None:
    combination = Combination(Rules(agreement=False))
    at = moment(0)
    assert not list(combination.agreement(at, advice(at, Vital.HEART_RATE)))
    assert not combination.snapshot()


def test_what_it_remembers_survives_msgpack() -> None:
    combination = Combination(HELD)
    said(combination, 0, Vital.HEART_RATE, Vital.TEMPERATURE)
    known = msgspec.msgpack.decode(
        msgspec.msgpack.encode(combination.snapshot()), type=dict[str, Unusual]
    )
    assert said(Combination(HELD, known), 11, Vital.HEART_RATE, Vital.TEMPERATURE) is not None


def spoken(rule: str, priority: Priority) -> Score:
    return Score("d/1", rule, 1.0, Finding(rule, Kind.PHYSIOLOGICAL, priority, "d/1", ()))


@pytest.mark.parametrize(
    ("news2", "risk", "expected"),
    [
        pytest.param(Priority.HIGH, Priority.MEDIUM, True, id="NEWS2 says more"),
        pytest.param(Priority.MEDIUM, Priority.MEDIUM, True, id="it says as much"),
        pytest.param(Priority.MEDIUM, Priority.HIGH, False, id="the risk says more"),
        pytest.param(None, Priority.MEDIUM, False, id="NEWS2 is quiet"),
    ],
)
def test_what_says_no_more_than_news2_is_not_raised_besides(
    news2: Priority | None, risk: Priority, *, expected: bool
) -> None:
    scores = {"risk.x": spoken("risk.x", risk), "limits.spo2": spoken("limits.spo2", risk)}
    scores[combine.AGREEMENT] = spoken(combine.AGREEMENT, risk)
    scores["news2"] = spoken("news2", news2) if news2 else Score("news2/3", "news2", 2.0)
    quiet = {"risk.x", combine.AGREEMENT} if expected else set()
    assert combine.covered(Rules(), scores) == quiet
    assert not combine.covered(Rules(covered=False), scores)
