"""What a physician reads, and what a locked screen must not show."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from alerts.channels import french, letter
from alerts.channels.mail import Mail
from alerts.events import AlertEvent, Phase
from detectors.explain import Language, explain
from detectors.findings import Evidence, Finding, Kind, Priority
from ingest.ports import SettingError, SystemClock
from ingest.readings import Vital
from tests.unit.alerts.stories import (
    MARKED_PATIENT,
    MARKED_VALUE,
    NIGHT,
    due,
    event,
    finding,
    reading,
)

SENDER = "vigie@hopital.mssante.example"
NOW = datetime(2026, 11, 24, 3, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            event(),
            "[Vigie] Consultation urgente \N{EN DASH} un patient demande votre attention",
            id="high",
        ),
        pytest.param(
            event(finding(priority=Priority.MEDIUM)),
            "[Vigie] Suivi rapproché \N{EN DASH} un patient demande votre attention",
            id="medium",
        ),
        pytest.param(
            event(phase=Phase.ESCALATE, number=2),
            "[Vigie] Consultation urgente \N{EN DASH} l'état d'un patient s'est aggravé",
            id="worse",
        ),
        pytest.param(
            event(finding(kind=Kind.TECHNICAL)),
            "[Vigie] Alerte technique \N{EN DASH} une surveillance demande votre attention",
            id="technical",
        ),
    ],
)
def test_the_subject_says_what_is_asked_and_nothing_of_the_patient(
    told: AlertEvent, expected: str
) -> None:
    subject = letter.subject(told)
    assert subject == expected
    assert MARKED_PATIENT not in subject
    assert not re.search(r"\d", subject)


def test_headers_let_a_copy_be_recognised_and_tell_nothing_of_the_patient() -> None:
    handed = due()
    first = letter.message(handed, SENDER, NOW)
    second = letter.message(handed, SENDER, NOW + timedelta(hours=1))
    assert first["Message-ID"] == f"<{handed.delivery.id}@hopital.mssante.example>"
    assert second["Message-ID"] == first["Message-ID"]
    assert first["From"] == SENDER
    assert first["To"] == "cardio@hopital.mssante.example"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Date"].datetime == NOW
    assert first["Content-Language"] == "fr"
    headers = "".join(f"{name}: {value}\n" for name, value in first.items())
    assert MARKED_PATIENT not in headers
    assert str(MARKED_VALUE) not in headers
    assert "X-MSS" not in headers


def test_the_mail_survives_the_wire_as_it_was_written() -> None:
    mail = letter.message(due(), SENDER, NOW)
    read = message_from_bytes(mail.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert read["Subject"] == letter.subject(event())
    body = read.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == letter.body(event())


def test_the_text_says_who_what_since_when_against_what_and_what_is_missing() -> None:
    told = event(
        finding(
            reading(Vital.SPO2, 88, low=96, points=3),
            reading(Vital.TEMPERATURE, 39.4, low=36.1, high=38, points=2),
            reading(Vital.CONSCIOUSNESS, 2, low=0, high=0, points=3),
            reading(Vital.SUPPLEMENTAL_OXYGEN, 1, low=0, high=0, points=2),
            score=10,
            missing=(Vital.RESPIRATORY_RATE, Vital.SYSTOLIC),
        ),
        patient="p-0042",
    )
    assert (
        letter.body(told)
        == f"""\
Consultation urgente : patient p-0042 (pseudonyme)

Priorité : haute
Motif : Score NEWS2 d'au moins 10 sur 20 (partiel : des mesures manquent), dernière mesure à \
04:00 (heure de Paris). Points selon sa grille : saturation en oxygène (SpO2) 88 % (attendu : au \
moins 96 % ; 3 points), état de conscience : réagit à la voix (attendu : alerte ; 3 points), \
température 39,4 °C (attendu : de 36,1 à 38 °C ; 2 points), oxygène d'appoint : oui (attendu : \
non ; 2 points). Mesures manquantes : fréquence respiratoire, pression artérielle systolique.
Depuis : 24/11/2026 à 04:00:00 (heure de Paris, CET), 24/11/2026 à 03:00:00 UTC

Mesures (heure de Paris) :
- saturation en oxygène (SpO2) : 88 % (attendu : au moins 96 % ; 3 points) à 04:00:00
- température : 39,4 °C (attendu : de 36,1 à 38 °C ; 2 points) à 04:00:00
- état de conscience : réagit à la voix (attendu : alerte ; 3 points) à 04:00:00
- oxygène d'appoint : oui (attendu : non ; 2 points) à 04:00:00

Les alertes par courriel sont informatives : en cas d'urgence, appelez le 15.
Référence de l'alerte : {told.alert}
"""
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(finding(score=7), id="a score"),
        pytest.param(finding(rule="limits.heart_rate"), id="a prescribed limit"),
        pytest.param(finding(rule="silence.dev-9"), id="a rule with a device's name in it"),
        pytest.param(finding(rule="nobody-s", missing=("ph",)), id="any other"),
    ],
)
def test_the_reason_is_the_explanation_that_everybody_reads(found: Finding) -> None:
    lines = letter.body(event(found)).splitlines()
    assert f"Motif : {explain(found, Language.FRENCH, moment=NIGHT)}" in lines
    assert not any("dev-" in line for line in lines)


def test_since_when_is_when_the_unusual_began_not_when_the_alert_was_opened() -> None:
    began = NIGHT - timedelta(minutes=40)
    text = letter.body(event(finding(since=began)))
    assert "Depuis : 24/11/2026 à 03:20:00" in text
    assert "depuis 40 min (03:20, heure de Paris)" in text


def test_a_reading_of_another_day_has_its_date() -> None:
    first = reading(Vital.WEIGHT, 76, time=NIGHT - timedelta(days=3))
    told = event(finding(first, reading(Vital.WEIGHT, 78.4), rule="trends.weight"))
    assert letter.body(told).splitlines()[-6:-3] == [
        "Mesures (heure de Paris) :",
        "- poids : 76 kg le 21/11/2026 à 04:00:00",
        "- poids : 78,4 kg à 04:00:00",
    ]


def test_a_series_that_vigie_does_not_know_is_written_by_its_name() -> None:
    text = letter.body(event(finding(Evidence("ph", 7.31, NIGHT, "dev-1"), rule="baseline.ph")))
    assert "- ph : 7,31 à 04:00:00" in text


def test_an_escalation_says_that_it_became_worse_and_since_when_it_lasts() -> None:
    later = NIGHT + timedelta(minutes=20)
    text = letter.body(event(phase=Phase.ESCALATE, number=2, time=later))
    assert "AGGRAVATION : cette alerte était déjà ouverte ; sa priorité a augmenté." in text
    assert "Depuis : 24/11/2026 à 04:00:00" in text
    assert "Dernier événement : 24/11/2026 à 04:20:00" in text


def test_summer_time_is_named() -> None:
    assert "05:00:00 (heure de Paris, CEST)" in french.moment(datetime(2026, 7, 1, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b\r\nBcc: c@d.example", "a b@c", "@c.example", "a@", "é\x00@x"]
)
def test_a_recipient_that_is_no_address_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(letter.UnusableAddress) as raised:
        letter.message(due(recipient=address), SENDER, NOW)
    assert str(raised.value) == "no mail address"


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        pytest.param("http://user:geheim@mail", SENDER, id="not smtp"),
        pytest.param("smtp://", SENDER, id="no host"),
        pytest.param("smtp://mail", "nobody", id="no sender"),
    ],
)
def test_wrong_settings_are_named_without_the_password(url: str, sender: str) -> None:
    with pytest.raises(SettingError, match="VIGIE_S") as raised:
        Mail(url, sender, SystemClock())
    assert "geheim" not in str(raised.value)
