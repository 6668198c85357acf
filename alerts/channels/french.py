"""The French words for what an alert speaks of. Pure."""

from __future__ import annotations

from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ingest.readings import ACVPU, SPECS, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from detectors.findings import Evidence

PARIS = ZoneInfo("Europe/Paris")

VITALS: Mapping[Vital, str] = MappingProxyType(
    {
        Vital.HEART_RATE: "fréquence cardiaque",
        Vital.PULSE_RATE: "fréquence du pouls",
        Vital.RESPIRATORY_RATE: "fréquence respiratoire",
        Vital.SPO2: "saturation en oxygène (SpO2)",
        Vital.TEMPERATURE: "température",
        Vital.SYSTOLIC: "pression artérielle systolique",
        Vital.DIASTOLIC: "pression artérielle diastolique",
        Vital.MEAN_PRESSURE: "pression artérielle moyenne",
        Vital.WEIGHT: "poids",
        Vital.GLUCOSE: "glycémie",
        Vital.STEPS: "nombre de pas",
        Vital.OXYGEN_FLOW: "débit d'oxygène",
        Vital.SUPPLEMENTAL_OXYGEN: "oxygène d'appoint",
        Vital.CONSCIOUSNESS: "état de conscience",
        Vital.BATTERY: "batterie de l'appareil",
    }
)
# Units as French clinicians write them, for the UCUM codes of the vitals; "" for words.
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "/min": "/min",
        "%": "%",
        "Cel": "°C",
        "mm[Hg]": "mmHg",
        "kg": "kg",
        "mg/dL": "mg/dL",
        "1/(24.h)": "pas par jour",
        "L/min": "L/min",
        "1": "",
        "{ACVPU}": "",
    }
)
CONSCIOUSNESS: Mapping[str, str] = MappingProxyType(
    {
        "A": "alerte",
        "C": "confusion nouvelle",
        "V": "réagit à la voix",
        "P": "réagit à la douleur",
        "U": "sans réaction",
    }
)


def number(value: float) -> str:
    """Write a number with a decimal comma, without needless digits.

    >>> number(39.4), number(88.0), number(37.00000000000006)
    ('39,4', '88', '37')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def quantity(vital: Vital, value: float) -> str:
    """Write a value with its unit, or as a word where it stands for one.

    >>> quantity(Vital.TEMPERATURE, 39.4), quantity(Vital.CONSCIOUSNESS, 2)
    ('39,4 °C', 'réagit à la voix')
    """
    if vital is Vital.CONSCIOUSNESS:
        return CONSCIOUSNESS[ACVPU[round(value)]]
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return "oui" if value else "non"
    return f"{number(value)} {UNITS[SPECS[vital].unit]}"


def expected(vital: Vital, low: float | None, high: float | None) -> str:
    """Say what was expected; empty when no bound is known.

    >>> expected(Vital.SPO2, 96, None), expected(Vital.HEART_RATE, 51, 90)
    ('attendu : au moins 96 %', 'attendu : de 51 à 90 /min')
    """
    if low is not None and high is not None:
        if low == high:
            return f"attendu : {quantity(vital, low)}"
        bounds = f"de {number(low)} à {quantity(vital, high)}"
    elif low is not None:
        bounds = f"au moins {quantity(vital, low)}"
    elif high is not None:
        bounds = f"au plus {quantity(vital, high)}"
    else:
        return ""
    return f"attendu : {bounds}"


def evidence(one: Evidence) -> str:
    """Write one reading: what, how much, against what was expected, and when."""
    aside = [expected(one.vital, one.low, one.high)]
    if one.points is not None:
        aside.append(f"{one.points} point{'s' if one.points > 1 else ''}")
    said = " ; ".join(part for part in aside if part)
    clock = f"{one.time.astimezone(PARIS):%H:%M:%S}"
    value = f"{VITALS[one.vital]} : {quantity(one.vital, one.value)}"
    return f"{value} ({said}) à {clock}" if said else f"{value} à {clock}"


def moment(time: datetime) -> str:
    """Write a moment in French legal time, with the zone's name, and in UTC.

    >>> from datetime import datetime
    >>> moment(datetime(2026, 11, 24, 3, 0, 7, tzinfo=UTC))
    '24/11/2026 à 04:00:07 (heure de Paris, CET), 24/11/2026 à 03:00:07 UTC'
    """
    day = "%d/%m/%Y à %H:%M:%S"
    local = time.astimezone(PARIS)
    return f"{local:{day}} (heure de Paris, {local:%Z}), {time.astimezone(UTC):{day}} UTC"


def reason(rule: str, score: float | None, *, partial: bool) -> str:
    """Say in words why a rule spoke; a rule without words of its own is named as it is.

    >>> reason("news2", 7, partial=True)
    "score NEWS2 d'au moins 7 sur 20 (partiel : des mesures manquent)"
    >>> reason("limits.spo2", None, partial=False)
    'valeur hors des limites fixées pour ce patient : saturation en oxygène (SpO2)'
    """
    family, _, rest = rule.partition(".")
    if family == "news2" and score is not None:
        if partial:
            return f"score NEWS2 d'au moins {number(score)} sur 20 (partiel : des mesures manquent)"
        return f"score NEWS2 de {number(score)} sur 20"
    vital = VITALS[Vital(rest)] if rest in set(Vital) else rest
    if family == "limits" and vital:
        return f"valeur hors des limites fixées pour ce patient : {vital}"
    if family == "baseline" and vital:
        return f"valeur inhabituelle pour ce patient : {vital}"
    return f"règle {rule}"
