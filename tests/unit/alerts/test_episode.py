"""The life of an alert, judgement by judgement."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.episode import Episodes, Record
from alerts.events import AlertEvent, Phase, State, alert_id
from detectors.findings import Evidence, Finding, Judgement, Kind, Priority
from ingest.readings import Vital
from tests.unit.alerts.judgements import (
    ARTEFACT,
    MINUTE,
    START,
    at,
    baseline,
    brief,
    judged,
    news2,
    opened,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

_encoder = msgspec.msgpack.Encoder(order="deterministic")


@pytest.mark.parametrize(
    ("normal", "abnormal", "opens"),
    [
        pytest.param([], [0], 0, id="never judged before: at once"),
        pytest.param([0], [1, 5, 10], None, id="held for nine seconds: not yet"),
        pytest.param([0], [1, 5, 10, 11], 11, id="held for ten seconds: open"),
        pytest.param([0, 6], [1, 5, 7, 11, 16], None, id="normal in between: it starts anew"),
        pytest.param([0, 6], [1, 5, 7, 11, 17], 17, id="normal in between, then held: open"),
        pytest.param([0], [60], None, id="one abnormal a minute after the last: wait for the next"),
        pytest.param([0], [61], 61, id="judged last more than a minute ago: at once"),
        pytest.param([0], [15, 30], 30, id="every fifteen seconds: at the second one"),
        pytest.param([0], [1, 5, 3600], 3600, id="a gap in the middle: at once when it is back"),
        pytest.param([0, 1, 2, 3], [], None, id="normal: never"),
    ],
)
def test_when_an_episode_opens(normal: list[int], abnormal: list[int], opens: int | None) -> None:
    episodes = Episodes("p-1")
    starts: list[AlertEvent] = []
    for second in sorted({*normal, *abnormal}):
        findings = [news2()] if second in abnormal else []
        starts += episodes.observe(judged(second, *findings))
    assert [event.started for event in starts] == ([] if opens is None else [at(opens)])


@pytest.mark.parametrize(
    ("abnormal", "normal", "ends"),
    [
        pytest.param([0], [10, 29], None, id="abnormal less than half a minute ago: still open"),
        pytest.param([0], [10, 29, 30], 30, id="abnormal half a minute ago: over"),
        pytest.param([0, 20], [10, 30, 49], None, id="abnormal again in between: still open"),
        pytest.param([0, 20], [10, 30, 50], 50, id="abnormal again in between, then calm: over"),
        pytest.param([0, 3600], [7200], 7200, id="spot measures: over at the first normal one"),
        pytest.param([0], [], None, id="no longer judged: open as long as nobody knows"),
    ],
)
def test_when_an_episode_ends(abnormal: list[int], normal: list[int], ends: int | None) -> None:
    episodes = Episodes("p-1")
    events: list[AlertEvent] = []
    for second in sorted({*normal, *abnormal}):
        findings = [news2()] if second in abnormal else []
        events += episodes.observe(judged(second, *findings))
    assert brief(events[:1]) == [("start", "news2")]
    assert [event.time for event in events[1:]] == ([] if ends is None else [at(ends)])
    if ends is not None:
        assert (events[1].phase, events[1].state) == (Phase.END, State.LATCHED)


def test_an_alert_is_named_by_patient_rule_and_start() -> None:
    (event,) = Episodes("p-1").observe(judged(0, news2()))
    assert event.alert == alert_id("p-1", "news2", START)
    assert (event.number, event.patient, event.state) == (1, "p-1", State.ACTIVE)
    assert event.time == event.started == START


def test_a_rule_that_is_not_judged_stays_as_it_was() -> None:
    episodes = opened()
    assert not episodes.observe(judged(3600, rules=["limits.weight"]))
    assert episodes.rules == {"news2"}


def test_what_is_worse_escalates_at_once() -> None:
    (event,) = opened().observe(judged(1, news2(Priority.HIGH)))
    assert (event.phase, event.priority, event.number) == (Phase.ESCALATE, Priority.HIGH, 2)


def test_what_is_better_deescalates_only_after_five_minutes_at_the_lower_priority() -> None:
    episodes = opened()
    episodes.observe(judged(1, news2(Priority.HIGH)))
    waves = [episodes.observe(judged(s, news2())) for s in range(2, 5 * MINUTE)]
    assert not any(waves)
    assert not episodes.observe(judged(5 * MINUTE, news2(Priority.HIGH)))
    lower = range(5 * MINUTE + 1, 10 * MINUTE + 1)
    assert not any(episodes.observe(judged(second, news2())) for second in lower)
    (event,) = episodes.observe(judged(10 * MINUTE + 1, news2()))
    assert (event.phase, event.priority) == (Phase.DEESCALATE, Priority.MEDIUM)


def test_an_update_tells_of_other_vitals_at_most_every_five_minutes() -> None:
    episodes = opened()
    both = news2(vitals=(Vital.SPO2, Vital.HEART_RATE))
    assert not episodes.observe(judged(5 * MINUTE - 1, both))
    assert brief(episodes.observe(judged(5 * MINUTE, both))) == [("update", "news2")]
    assert not episodes.observe(judged(11 * MINUTE, both))
    assert not episodes.observe(judged(12 * MINUTE, both))
    assert brief(episodes.observe(judged(13 * MINUTE, news2()))) == [("update", "news2")]


def test_the_end_shows_what_the_alert_last_rested_on() -> None:
    episodes = opened()
    episodes.observe(judged(5, news2(vitals=(Vital.HEART_RATE,), second=5)))
    (event,) = episodes.observe(judged(40))
    assert [evidence.vital for evidence in event.finding.evidence] == [Vital.HEART_RATE]


def test_time_does_not_go_back() -> None:
    episodes = opened()
    episodes.observe(judged(100, news2()))
    (event,) = episodes.observe(judged(50, news2(Priority.HIGH)))
    assert event.time == at(100)
    assert not episodes.observe(judged(129))
    assert brief(episodes.observe(judged(130))) == [("end", "news2")]


def test_advice_waits_for_a_minute_and_ends_inactive() -> None:
    episodes, rule = Episodes("p-1"), baseline().rule
    episodes.observe(judged(0, rules=[rule]))
    events = [e for s in range(1, 62) for e in episodes.observe(judged(s, baseline()))]
    assert [(event.phase, event.time) for event in events] == [(Phase.START, at(61))]
    (end,) = episodes.observe(judged(91, rules=[rule]))
    assert (end.phase, end.state) == (Phase.END, State.INACTIVE)


@pytest.mark.parametrize(
    ("vitals", "vital", "explained"),
    [
        pytest.param([Vital.SPO2], Vital.SPO2, True, id="the same vital"),
        pytest.param([Vital.HEART_RATE], Vital.PULSE_RATE, True, id="the same heart"),
        pytest.param([Vital.SYSTOLIC], Vital.MEAN_PRESSURE, True, id="the same pressure"),
        pytest.param([Vital.SPO2], Vital.HEART_RATE, False, id="another vital"),
    ],
)
def test_an_open_alert_explains_what_the_baseline_sees(
    vitals: list[Vital], vital: Vital, *, explained: bool
) -> None:
    at_once = Episodes("p-1")
    together = judged(0, baseline(vital), news2(vitals=vitals))
    rules = [rule for _, rule in brief(at_once.observe(together))]
    assert rules == (["news2"] if explained else ["news2", f"baseline.{vital}"])


def test_advice_that_an_alert_explains_ends_as_the_alert_starts() -> None:
    episodes = Episodes("p-1")
    episodes.observe(judged(0, baseline()))
    episodes.observe(judged(1))
    for second in range(2, 12):
        assert not episodes.observe(judged(second, news2()))
    events = episodes.observe(judged(12, news2(), baseline()))
    assert brief(events) == [("start", "news2"), ("end", "baseline.spo2")]
    assert not episodes.observe(judged(13, news2(), baseline()))


def test_advice_that_was_explained_waits_anew_once_the_alert_is_over() -> None:
    episodes = opened()
    for second in range(1, 30):
        episodes.observe(judged(second, news2(), baseline()))
    assert brief(episodes.observe(judged(59, baseline()))) == [("end", "news2")]
    events = [e for s in range(60, 125) for e in episodes.observe(judged(s, baseline()))]
    assert brief(events) == [("start", "baseline.spo2")]
    assert events[0].time == at(59 + 60)


def test_the_wait_of_advice_does_not_run_while_an_alert_explains_it() -> None:
    episodes = Episodes("p-1")
    episodes.observe(judged(0, rules=["news2", "baseline.spo2"]))
    events = [e for s in range(1, 30) for e in episodes.observe(judged(s, news2(), baseline()))]
    assert brief(events) == [("start", "news2")]
    events = [e for s in range(30, 150) for e in episodes.observe(judged(s, baseline()))]
    assert brief(events) == [("end", "news2"), ("start", "baseline.spo2")]
    assert [event.time for event in events] == [at(59), at(59 + 60)]


def test_late_judgements_never_open_an_alert_that_has_ended_once_more() -> None:
    episodes = Episodes("p-1")
    assert brief(episodes.observe(judged(0, baseline(), rules=[]))) == [("start", "baseline.spo2")]
    events = episodes.observe(judged(-20, news2(), rules=[]))
    assert brief(events) == [("start", "news2"), ("end", "baseline.spo2")]
    lasting = msgspec.structs.replace(baseline(), since=at(-110))
    elsewhere = news2(vitals=[Vital.HEART_RATE])
    assert brief(episodes.observe(judged(-40, elsewhere, lasting, rules=[]))) == []
    events = episodes.observe(judged(1, elsewhere, lasting, rules=[]))
    assert brief(events) == [("start", "baseline.spo2")]
    assert events[0].started == at(1)


RULES = ("news2", "limits.spo2", "baseline.spo2", "baseline.heart_rate", ARTEFACT)
KINDS = {rule: Kind.ADVISORY if "baseline" in rule else Kind.PHYSIOLOGICAL for rule in RULES}
KINDS[ARTEFACT] = Kind.TECHNICAL
vitals = st.lists(st.sampled_from([Vital.SPO2, Vital.HEART_RATE]), min_size=1, unique=True)


@st.composite
def judgements(draw: st.DrawFn) -> list[Judgement]:
    """Draw a patient's judgements: dense and sparse ones, some late, any mix of findings."""
    second, drawn = 0, []
    for _ in range(draw(st.integers(1, 25))):
        second += draw(st.sampled_from([-20, 0, 1, 5, 10, 31, 61, 400]))
        findings = [
            Finding(
                rule,
                KINDS[rule],
                Priority.LOW if "baseline" in rule else draw(st.sampled_from(Priority)),
                "any/1",
                tuple(Evidence(v, 1.0, at(second), "dev-1") for v in draw(vitals)),
                since=draw(st.sampled_from([None, at(second - 5), at(second - 120)])),
            )
            for rule in draw(st.lists(st.sampled_from(RULES), unique=True))
        ]
        rules = draw(st.lists(st.sampled_from(RULES), unique=True))
        drawn.append(judged(second, *findings, rules=rules))
    return drawn


@given(judgements())
def test_the_laws_of_an_alert_s_life(sequence: list[Judgement]) -> None:
    episodes = Episodes("p-1")
    open_by_rule: dict[str, UUID] = {}
    numbers: defaultdict[UUID, int] = defaultdict(int)
    times: dict[UUID, datetime] = {}
    ended: set[UUID] = set()
    for judgement in sequence:
        for event in episodes.observe(judgement):
            alert, rule = event.alert, event.finding.rule
            assert alert == alert_id("p-1", rule, event.started)
            assert alert not in ended, "nothing follows the end"
            assert event.number == numbers[alert] + 1
            numbers[alert] = event.number
            assert event.started <= times.get(alert, event.started) <= event.time
            times[alert] = event.time
            if event.phase is Phase.START:
                assert event.number == 1
                assert rule not in open_by_rule, "one open alert per rule"
                open_by_rule[rule] = alert
            assert open_by_rule[rule] == alert
            assert (event.state is State.ACTIVE) is (event.phase is not Phase.END)
            if event.phase is Phase.END:
                ended.add(open_by_rule.pop(rule))
        assert episodes.rules == open_by_rule.keys()
        if episodes.physiological:
            assert any(KINDS[rule] is Kind.PHYSIOLOGICAL for rule in open_by_rule)


@given(judgements(), st.integers(0, 25))
def test_the_same_judgements_give_the_same_bytes_wherever_it_was_stored(
    sequence: list[Judgement], stop: int
) -> None:
    straight, stopped = Episodes("p-1"), Episodes("p-1")
    for n, judgement in enumerate(sequence):
        if n == stop:
            state = _encoder.encode(stopped.snapshot())
            stopped = Episodes("p-1", msgspec.msgpack.decode(state, type=Record))
        one, other = straight.observe(judgement), stopped.observe(judgement)
        assert _encoder.encode(one) == _encoder.encode(other)
    assert _encoder.encode(straight.snapshot()) == _encoder.encode(stopped.snapshot())


@given(judgements())
def test_the_order_of_findings_does_not_matter(sequence: list[Judgement]) -> None:
    one, other = Episodes("p-1"), Episodes("p-1")
    for judgement in sequence:
        turned = msgspec.structs.replace(judgement, findings=judgement.findings[::-1])
        assert one.observe(judgement) == other.observe(turned)


@given(judgements())
def test_no_advice_is_open_beside_an_alert_that_explains_it(sequence: list[Judgement]) -> None:
    episodes = Episodes("p-1")
    for judgement in sequence:
        episodes.observe(judgement)
        open_now = episodes.snapshot().episodes.values()
        speaks_of = {
            evidence.vital
            for episode in open_now
            if episode.finding.kind is Kind.PHYSIOLOGICAL
            for evidence in episode.finding.evidence
        }
        for episode in open_now:
            if episode.finding.kind is Kind.ADVISORY:
                assert speaks_of.isdisjoint(e.vital for e in episode.finding.evidence)


@given(judgements())
def test_nothing_is_opened_on_values_that_an_open_artefact_explains(
    sequence: list[Judgement],
) -> None:
    episodes = Episodes("p-1")
    for judgement in sequence:
        started = [e for e in episodes.observe(judgement) if e.phase is Phase.START]
        artefacts = episodes.snapshot().episodes.get(ARTEFACT)
        wrong = {e.vital for e in artefacts.finding.evidence} if artefacts is not None else set()
        for event in started:
            if event.finding.kind is not Kind.TECHNICAL:
                assert not {e.vital for e in event.finding.evidence} <= wrong
