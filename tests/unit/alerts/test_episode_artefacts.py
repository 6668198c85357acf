"""What an open artefact does to other alerts, and since when an alert counts."""

from __future__ import annotations

import msgspec
import pytest

from alerts.episode import Episodes
from alerts.events import Phase, alert_id
from detectors.findings import Finding, Priority
from ingest.readings import Vital
from tests.unit.alerts.judgements import (
    ARTEFACT,
    artefact,
    at,
    baseline,
    brief,
    judged,
    news2,
    opened,
)


@pytest.mark.parametrize(
    ("technical", "later", "opens"),
    [
        pytest.param(artefact(Vital.SPO2), news2(), False, id="the same vital"),
        pytest.param(artefact(Vital.SPO2), baseline(), False, id="advice on the same vital"),
        pytest.param(
            artefact(Vital.SYSTOLIC), news2(vitals=[Vital.MEAN_PRESSURE]), False, id="one cuff"
        ),
        pytest.param(
            artefact(Vital.PULSE_RATE),
            news2(vitals=[Vital.HEART_RATE]),
            True,
            id="a loose clip says nothing of the heart rate by ECG",
        ),
        pytest.param(
            artefact(Vital.PULSE_RATE, Vital.HEART_RATE),
            news2(vitals=[Vital.HEART_RATE]),
            False,
            id="two that disagree explain each other",
        ),
        pytest.param(artefact(Vital.SPO2), news2(vitals=[Vital.TEMPERATURE]), True, id="another"),
        pytest.param(
            artefact(Vital.SPO2),
            news2(vitals=[Vital.SPO2, Vital.TEMPERATURE]),
            True,
            id="evidence of another vital besides",
        ),
        pytest.param(
            artefact(Vital.SPO2), news2(vitals=[]), True, id="evidence of nothing in particular"
        ),
        pytest.param(
            artefact(Vital.SPO2, rule="silence.spo2"), news2(), True, id="silence explains nothing"
        ),
        pytest.param(
            artefact(Vital.SPO2),
            artefact(Vital.SPO2, rule="artefact.jump.spo2"),
            True,
            id="another technical one",
        ),
    ],
)
def test_an_open_artefact_keeps_alerts_from_being_opened_on_its_vitals_alone(
    technical: Finding, later: Finding, *, opens: bool
) -> None:
    episodes = Episodes("p-1")
    assert brief(episodes.observe(judged(0, technical, rules=[]))) == [("start", technical.rule)]
    seen = [event for s in range(1, 100) for event in episodes.observe(judged(s, later, rules=[]))]
    assert brief(seen) == ([("start", later.rule)] if opens else [])


def test_an_artefact_and_what_it_explains_in_one_moment_open_one_alert() -> None:
    together = judged(0, news2(), artefact(Vital.SPO2))
    assert brief(Episodes("p-1").observe(together)) == [("start", ARTEFACT)]


def test_an_artefact_ends_no_alert_that_was_open_before_and_does_not_keep_it_from_escalating() -> (
    None
):
    episodes = opened()
    assert brief(episodes.observe(judged(1, artefact(Vital.SPO2)))) == [("start", ARTEFACT)]
    assert brief(episodes.observe(judged(2, news2(Priority.HIGH)))) == [("escalate", "news2")]
    assert episodes.rules == {"news2", ARTEFACT}


def test_what_an_artefact_explained_waits_anew_once_it_is_over() -> None:
    episodes = Episodes("p-1")
    episodes.observe(judged(0, artefact(Vital.SPO2), rules=["news2"]))
    for second in range(1, 31):
        assert brief(episodes.observe(judged(second, news2(), rules=[ARTEFACT]))) == (
            [("end", ARTEFACT)] if second == 30 else []
        )
    events = [e for s in range(31, 60) for e in episodes.observe(judged(s, news2()))]
    # The end came first within its own moment: the wait runs from there.
    assert [(event.phase, event.time) for event in events] == [(Phase.START, at(40))]


@pytest.mark.parametrize(
    ("since", "opens"),
    [
        pytest.param(None, 11, id="not given: since the first finding"),
        pytest.param(-600, 1, id="long ago: at once"),
        pytest.param(-5, 5, id="five seconds before the first normal one: ten seconds after that"),
        pytest.param(5, 11, id="later than the first finding: since the first finding"),
    ],
)
def test_the_onset_runs_from_when_the_unusual_began(since: float | None, opens: int) -> None:
    episodes, found = Episodes("p-1"), news2()
    if since is not None:
        found = msgspec.structs.replace(found, since=at(since))
    episodes.observe(judged(0))
    events = [e for s in range(1, 20) for e in episodes.observe(judged(s, found))]
    assert [event.time for event in events] == [at(opens)]
    assert events[0].started == at(opens)
    assert events[0].alert == alert_id("p-1", "news2", at(opens))
