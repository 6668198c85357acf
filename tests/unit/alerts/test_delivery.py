"""Who hears of what, and by which way."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from alerts.channels.port import NotNow, Refused
from alerts.delivery import deliveries, measures
from alerts.dispatcher import GIVE_UP, LONGEST, verdict
from alerts.events import AlertEvent, Channel, DeliveryState, Phase
from detectors.findings import Kind, Priority
from ingest.readings import Original, Vital
from ingest.registry.entities import Patient, Purpose
from tests.unit.alerts.stories import NIGHT, event, finding, reading

ON_CALL = "astreinte@hopital.mssante.example"
HERS = "cardio@hopital.mssante.example"
FOLLOWED = Patient("p-1", physician=HERS)
PAIRED = Patient("p-1", physician=HERS, ens="idpe-17")
UNSHARED = Patient(
    "p-1", physician=HERS, ens="idpe-17", consents=(Purpose.COLLECT, Purpose.MONITOR)
)
NOBODYS = Patient("p-1")

LOW = event(finding(priority=Priority.LOW))
MEDIUM = event(finding(priority=Priority.MEDIUM))
HIGH = event()
WORSE = event(phase=Phase.ESCALATE, number=3)
TECHNICAL = event(finding(kind=Kind.TECHNICAL, rule="silent"))
ADVICE = event(finding(kind=Kind.ADVISORY, priority=Priority.MEDIUM))

MAIL_HERS, MAIL_ON_CALL = (Channel.MAIL, HERS), (Channel.MAIL, ON_CALL)
SHARED = (Channel.ENS, "idpe-17")


@pytest.mark.parametrize(
    ("told", "patient", "expected"),
    [
        pytest.param(HIGH, UNSHARED, [MAIL_HERS], id="she does not share: her physician only"),
        pytest.param(HIGH, FOLLOWED, [MAIL_HERS], id="a high alert begins: her physician"),
        pytest.param(MEDIUM, FOLLOWED, [MAIL_HERS], id="a medium alert begins: her physician"),
        pytest.param(HIGH, NOBODYS, [MAIL_ON_CALL], id="no physician: the one on call"),
        pytest.param(HIGH, PAIRED, [MAIL_HERS, SHARED], id="paired: her e-health space too"),
        pytest.param(WORSE, PAIRED, [MAIL_HERS, SHARED], id="it became worse: both again"),
        pytest.param(LOW, PAIRED, [], id="low wakes nobody"),
        pytest.param(ADVICE, PAIRED, [], id="advice wakes nobody"),
        pytest.param(TECHNICAL, PAIRED, [MAIL_HERS], id="technical: nothing to share"),
        pytest.param(event(phase=Phase.CONTINUE), PAIRED, [], id="it goes on: known already"),
        pytest.param(event(phase=Phase.UPDATE), PAIRED, [], id="new figures: known already"),
        pytest.param(event(phase=Phase.DEESCALATE), PAIRED, [], id="it became better: no news"),
        pytest.param(event(phase=Phase.END), PAIRED, [], id="it ended: no news"),
        pytest.param(event(phase=Phase.RESET), PAIRED, [], id="somebody answered: no news"),
    ],
)
def test_who_hears_of_what(
    told: AlertEvent, patient: Patient, expected: list[tuple[Channel, str]]
) -> None:
    assert [(d.channel, d.recipient) for d in deliveries(told, patient, ON_CALL)] == expected


def test_a_replay_gives_the_same_deliveries_and_another_event_gives_others() -> None:
    ids = [d.id for d in deliveries(HIGH, PAIRED, ON_CALL)]
    again = [d.id for d in deliveries(HIGH, PAIRED, ON_CALL)]
    worse = [d.id for d in deliveries(WORSE, PAIRED, ON_CALL)]
    assert ids == again
    assert len({*ids, *worse}) == 4


def test_each_measure_behind_an_alert_is_shared_apart_and_pressures_together() -> None:
    told = event(
        finding(
            reading(Vital.SPO2, 88),
            reading(Vital.RESPIRATORY_RATE, 28),  # the space has no home for it
            reading(Vital.SYSTOLIC, 88),
            reading(Vital.DIASTOLIC, 50),
            reading(Vital.CONSCIOUSNESS, 2),
        )
    )
    assert [dict(m.values) for m in measures(told)] == [
        {Vital.SPO2: 88},
        {Vital.SYSTOLIC: 88, Vital.DIASTOLIC: 50},
    ]


def test_pressures_of_two_moments_are_no_measure() -> None:
    later = NIGHT + timedelta(seconds=1)
    told = event(finding(reading(Vital.SYSTOLIC, 88), reading(Vital.DIASTOLIC, 50, time=later)))
    assert list(measures(told)) == []


def test_a_measure_carries_what_the_device_sent_before_conversion() -> None:
    original = Original(98.6, "[degF]")
    (one,) = measures(event(finding(reading(Vital.TEMPERATURE, 37.0, original=original))))
    assert one.original == {Vital.TEMPERATURE: original}
    assert msgspec.json.decode(msgspec.json.encode(one), type=type(one)) == one


HOUR = timedelta(hours=1)
AWAY = NotNow(Channel.MAIL, "connection")


def test_a_refusal_is_final() -> None:
    found = verdict(Refused(Channel.ENS, "http 422"), 1, HOUR, 0)
    assert (found.state, found.reason) == (DeliveryState.REJECTED, "http 422")


def test_trouble_is_tried_again_at_growing_distances_for_a_day() -> None:
    delays = [verdict(AWAY, attempts, HOUR, 0).delay for attempts in range(1, 12)]
    assert delays == sorted(delays)
    assert delays[0] == timedelta(seconds=1)
    assert delays[-1] == LONGEST
    assert verdict(AWAY, 4000, GIVE_UP - HOUR, 0).state is DeliveryState.QUEUED
    assert verdict(AWAY, 4000, GIVE_UP, 0).state is DeliveryState.FAILED


def test_retries_of_many_are_spread_over_half_of_the_delay() -> None:
    assert verdict(AWAY, 1, HOUR, 0.999).delay > timedelta(seconds=0.5)
    assert verdict(AWAY, 1, HOUR, 0.999).delay < timedelta(seconds=0.51)
