"""Les mots français. Times are legal time in France, and say so.

A space stands before a colon, a semicolon and a unit, a plain one as in the rest of our French
texts: they are searched, and go into tables and mails as plain text.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from detectors.explain.words import Noun, Times, Words
from detectors.findings import Against, Pattern
from ingest.readings import Vital

if TYPE_CHECKING:
    from datetime import datetime

PARIS = ZoneInfo("Europe/Paris")
_VOWELS = "aeiouyàâéèêëîïôûh"  # no name of ours begins with an aspirated h


def _noun(words: str, *, feminine: bool = False) -> Noun:
    """Give a noun its articles.

    >>> _noun("poids").of, _noun("état de conscience").the, _noun("glycémie", feminine=True).of
    ('du poids', "l'état de conscience", 'de la glycémie')
    """
    ending = "e" if feminine else ""
    if words[0] in _VOWELS:
        return Noun(words, f"l'{words}", f"de l'{words}", ending)
    if feminine:
        return Noun(words, f"la {words}", f"de la {words}", ending)
    return Noun(words, f"le {words}", f"du {words}", ending)


def _date(moment: datetime, year: bool) -> str:  # noqa: FBT001 (a table's function)
    return f"{moment:%d/%m}/{moment.year}" if year else f"{moment:%d/%m}"


USUAL = "ce qui est habituel chez ce patient"
FRENCH = Words(
    decimal=",",
    colon=" : ",
    semicolon=" ; ",
    vitals=MappingProxyType(
        {
            Vital.HEART_RATE: _noun("fréquence cardiaque", feminine=True),
            Vital.PULSE_RATE: _noun("fréquence du pouls", feminine=True),
            Vital.RESPIRATORY_RATE: _noun("fréquence respiratoire", feminine=True),
            Vital.SPO2: _noun("saturation en oxygène (SpO2)", feminine=True),
            Vital.TEMPERATURE: _noun("température", feminine=True),
            Vital.SYSTOLIC: _noun("pression artérielle systolique", feminine=True),
            Vital.DIASTOLIC: _noun("pression artérielle diastolique", feminine=True),
            Vital.MEAN_PRESSURE: _noun("pression artérielle moyenne", feminine=True),
            Vital.WEIGHT: _noun("poids"),
            Vital.GLUCOSE: _noun("glycémie", feminine=True),
            Vital.STEPS: _noun("nombre de pas"),
            Vital.OXYGEN_FLOW: _noun("débit d'oxygène"),
            Vital.SUPPLEMENTAL_OXYGEN: _noun("oxygène d'appoint"),
            Vital.CONSCIOUSNESS: _noun("état de conscience"),
            Vital.BATTERY: _noun("batterie de l'appareil", feminine=True),
        }
    ),
    series=lambda name: Noun(name, f"la série {name}", f"de la série {name}", "e"),
    units=MappingProxyType(
        {
            "/min": " /min",
            "%": " %",
            "Cel": " °C",
            "mm[Hg]": " mmHg",
            "kg": " kg",
            "mg/dL": " mg/dL",
            "1/(24.h)": " par jour",
            "L/min": " L/min",
            "1": "",
            "{ACVPU}": "",
        }
    ),
    consciousness=MappingProxyType(
        {
            "A": "alerte",
            "C": "confusion nouvelle",
            "V": "réagit à la voix",
            "P": "réagit à la douleur",
            "U": "sans réaction",
        }
    ),
    yes_no=("oui", "non"),
    bounds=("de {low} à {high}", "au moins {low}", "au plus {high}"),
    expected="attendu : {bounds}",
    points=("{n} point", "{n} points"),
    more=("1 autre", "{n} autres"),
    reading="{the} est de {value}",
    state="{the} : {value}",
    patterns=MappingProxyType(
        {
            Pattern.ABOVE: "{reading}, {far}au-dessus de {ref}",
            Pattern.BELOW: "{reading}, {far}en dessous de {ref}",
            Pattern.RISING: "{the} a augmenté durablement, à {value}, par rapport à {ref}",
            Pattern.FALLING: "{the} a baissé durablement, à {value}, par rapport à {ref}",
            Pattern.FLAT: "{the} garde exactement la même valeur ({value}), plus régulièrement "
            "qu'un corps ne le fait de lui-même",
            Pattern.JUMP: "{the} est passé{ending} d'un coup à {value}, plus vite qu'un corps ne "
            "change d'ordinaire",
            Pattern.DISAGREES: "deux façons de mesurer la même chose ne concordent pas : {list}",
            Pattern.OFF: "le capteur {of} semble débranché ou en mauvais contact",
            Pattern.SILENT: "aucune mesure {of} n'est arrivée",
            Pattern.MISSED: "la mesure prescrite {of} manque",
            Pattern.TOGETHER: "prises ensemble, les mesures ne correspondent pas à {ref}",
        }
    ),
    bare=MappingProxyType(
        {
            Pattern.FLAT: "{the} garde exactement la même valeur, plus régulièrement qu'un corps "
            "ne le fait de lui-même",
            Pattern.RISING: "{the} avait augmenté durablement, par rapport à {ref}",
            Pattern.FALLING: "{the} avait baissé durablement, par rapport à {ref}",
            Pattern.JUMP: "{the} a changé d'un coup, plus vite qu'un corps ne change d'ordinaire",
        }
    ),
    newest_level="le niveau le plus récent est de {value}",
    disagrees="{the}{value} ne concorde pas avec une autre façon de mesurer la même chose",
    passable="chacune, prise seule, peut passer",
    against=MappingProxyType(
        {
            Against.CHART: "ce qui ne donne aucun point dans la grille",
            Against.LIMITS: "la limite en vigueur pour ce patient",
            Against.HOURS: f"{USUAL} ces dernières heures",
            Against.DAYS: f"{USUAL} ces derniers jours",
            Against.WEEKS: f"{USUAL} ces dernières semaines",
            Against.TIME_OF_DAY: f"{USUAL} à cette heure de la journée",
            Against.OTHERS: "ce qui est habituel chez les autres patients",
            Against.MODEL: "ce que prévoit le modèle",
            Against.EXPECTED: "ce qui était attendu",
            None: USUAL,
        }
    ),
    far="nettement ",
    trend=(
        "{the} a augmenté de {change} en {span}, de {first} à {value}",
        "{the} a baissé de {change} en {span}, de {first} à {value}",
    ),
    unusual=(
        "quelque chose demande attention{colon}{list}",
        "quelque chose ne correspond pas à {ref}{colon}{list}",
    ),
    readings="mesures : {list}",
    besides="par ailleurs : {list}",
    device_silent=(
        "l'appareil n'a rien envoyé",
        "rien n'est arrivé de l'appareil qui donnait : {list}",
        "rien n'est arrivé de {n} appareils, qui donnaient : {list}",
    ),
    withheld="voir d'abord le patient ; cela est pris pour un défaut de mesure, et ces valeurs "
    "n'ouvrent pas de nouvelle alerte en attendant",
    believed="voir d'abord le patient ; cela est pris pour un défaut de mesure, mais les valeurs "
    "peuvent encore ouvrir des alertes",
    several="plusieurs fonctions vitales à la fois ne correspondent pas à {ref}, même si chacune "
    "seule demande peu",
    news2=(
        "score NEWS2 de {score} sur 20",
        "score NEWS2 d'au moins {score} sur 20 (partiel : des mesures manquent)",
    ),
    contributions="points selon sa grille : {list}",
    risk="un modèle (ce n'est pas un diagnostic) estime le risque {question} à {odds}",
    odds=("environ {odds}", "moins de {odds}", "plus de {odds}", "{k} sur {n}"),
    questions=MappingProxyType(
        {
            "deterioration": "d'aggravation (score NEWS2 de 7 ou plus dans les 6 heures)",
            "sepsis": "de sepsis (présent, ou dans les 6 heures)",
        }
    ),
    question="« {name} »",
    raised="ce qui l'augmente le plus : {list}",
    features=MappingProxyType({"news2": "score NEWS2", "age": "âge"}),
    statistics=(
        (r"now", "dernière valeur"),
        (r"above_(\d+(?:\.\d+)?)", "dernière valeur au-dessus de {0}"),
        (r"mean(\d+)h", "moyenne des {0} dernières heures"),
        (r"spread(\d+)h", "variabilité sur {0} h"),
        (r"outside_above_(\d+(?:\.\d+)?)_(\d+)h", "au-dessus de {0} ces {1} dernières heures"),
        (r"outside_below_(\d+(?:\.\d+)?)_(\d+)h", "en dessous de {0} ces {1} dernières heures"),
        (r"outside_news2_(\d+)h", "points NEWS2 ces {0} dernières heures"),
    ),
    missing=("mesure manquante : {list}", "mesures manquantes : {list}"),
    complete="aucune mesure ne manque",
    times=Times(
        zone=PARIS,
        zone_name="heure de Paris",
        date=_date,
        spans=("moins d'une minute", "{n} min", "{n} h", "1 jour", "{n} jours"),
        lasting="depuis {span} ({start})",
        began_at="depuis {clock} ({zone})",
        began_on="depuis le {date} à {clock} ({zone})",
        start_at="{clock}, {zone}",
        start_on="le {date} à {clock}, {zone}",
        measured_at="dernière mesure à {clock} ({zone})",
        measured_on="dernière mesure le {date} à {clock} ({zone})",
    ),
)
