"""What a reader is told of each family of rules: the whole text, as it was read and agreed to."""

from __future__ import annotations

import pytest

from detectors.explain import Language, explain
from tests.unit.detectors.findings_told import FOUND, NIGHT

EXPECTED = {
    "a clinical score": (
        (
            "NEWS2 score of at least 8 out of 20 (partial: some measurements are missing), "
            "last measured at 03:52 UTC. Points on its chart come from oxygen saturation "
            "(SpO2) 88% (expected: at least 96%; 3 points), level of consciousness: responds "
            "to voice (expected: alert; 3 points), temperature 39.4 °C (expected: 36.1 to 38 "
            "°C; 2 points). Missing measurements: respiratory rate, systolic blood pressure."
        ),
        (
            "Score NEWS2 d'au moins 8 sur 20 (partiel : des mesures manquent), dernière mesure "
            "à 04:52 (heure de Paris). Points selon sa grille : saturation en oxygène (SpO2) "
            "88 % (attendu : au moins 96 % ; 3 points), état de conscience : réagit à la voix "
            "(attendu : alerte ; 3 points), température 39,4 °C (attendu : de 36,1 à 38 °C ; 2 "
            "points). Mesures manquantes : fréquence respiratoire, pression artérielle "
            "systolique."
        ),
    ),
    "a whole clinical score": (
        (
            "NEWS2 score of 3 out of 20, for 40 min, since 03:12 UTC. Points on its chart come "
            "from oxygen saturation (SpO2) 90% (expected: at least 96%; 3 points). No "
            "measurement is missing."
        ),
        (
            "Score NEWS2 de 3 sur 20, depuis 40 min (04:12, heure de Paris). Points selon sa "
            "grille : saturation en oxygène (SpO2) 90 % (attendu : au moins 96 % ; 3 points). "
            "Aucune mesure ne manque."
        ),
    ),
    "a limit, one side of it": (
        (
            "Heart rate is 132/min, above the limit in force for this patient (at most "
            "120/min), for 40 min, since 03:12 UTC."
        ),
        (
            "La fréquence cardiaque est de 132 /min, au-dessus de la limite en vigueur pour ce "
            "patient (au plus 120 /min), depuis 40 min (04:12, heure de Paris)."
        ),
    ),
    "a limit passed by less than one is rounded to": (
        (
            "Oxygen saturation (SpO2) is 87.6%, below the limit in force for this patient (at "
            "least 88%), for 40 min, since 03:12 UTC."
        ),
        (
            "La saturation en oxygène (SpO2) est de 87,6 %, en dessous de la limite en vigueur "
            "pour ce patient (au moins 88 %), depuis 40 min (04:12, heure de Paris)."
        ),
    ),
    "a trend": (
        ("Weight has risen by 2.4 kg in 3 days, from 76 to 78.4 kg, since 21 Nov, 03:52 UTC."),
        (
            "Le poids a augmenté de 2,4 kg en 3 jours, de 76 à 78,4 kg, depuis le 21/11 à "
            "04:52 (heure de Paris)."
        ),
    ),
    "the patient's own hours": (
        (
            "Heart rate is 132/min, far above what is usual for this patient over the last "
            "hours (58 to 82/min), for 40 min, since 03:12 UTC."
        ),
        (
            "La fréquence cardiaque est de 132 /min, nettement au-dessus de ce qui est "
            "habituel chez ce patient ces dernières heures (de 58 à 82 /min), depuis 40 min "
            "(04:12, heure de Paris)."
        ),
    ),
    "the time of day": (
        (
            "The step count is 400 a day, below what is usual for this patient at this time of "
            "day (3000 to 9000 a day), for 40 min, since 03:12 UTC."
        ),
        (
            "Le nombre de pas est de 400 par jour, en dessous de ce qui est habituel chez ce "
            "patient à cette heure de la journée (de 3000 à 9000 par jour), depuis 40 min "
            "(04:12, heure de Paris)."
        ),
    ),
    "a new level": (
        (
            "Temperature has risen and stayed higher: now 37.9 °C, compared with what is usual "
            "for this patient over the last days (36.4 to 37.1 °C), for 2 days, since 22 Nov, "
            "03:52 UTC."
        ),
        (
            "La température a augmenté durablement, à 37,9 °C, par rapport à ce qui est "
            "habituel chez ce patient ces derniers jours (de 36,4 à 37,1 °C), depuis 2 jours "
            "(le 22/11 à 04:52, heure de Paris)."
        ),
    ),
    "other patients": (
        (
            "Heart rate is 118/min, above what is usual for other patients (55 to 110/min), "
            "for 40 min, since 03:12 UTC. Besides: temperature 38.2 °C."
        ),
        (
            "La fréquence cardiaque est de 118 /min, au-dessus de ce qui est habituel chez les "
            "autres patients (de 55 à 110 /min), depuis 40 min (04:12, heure de Paris). Par "
            "ailleurs : température 38,2 °C."
        ),
    ),
    "a risk": (
        (
            "A model (this is no diagnosis) estimates the risk of deterioration (NEWS2 of 7 or "
            "more within 6 hours) at about 1 in 5, for 40 min, since 03:12 UTC. What raises it "
            "most: NEWS2 score, heart rate (mean of the last 3 h). Missing measurement: "
            "temperature."
        ),
        (
            "Un modèle (ce n'est pas un diagnostic) estime le risque d'aggravation (score "
            "NEWS2 de 7 ou plus dans les 6 heures) à environ 1 sur 5, depuis 40 min (04:12, "
            "heure de Paris). Ce qui l'augmente le plus : score NEWS2, fréquence cardiaque "
            "(moyenne des 3 dernières heures). Mesure manquante : température."
        ),
    ),
    "a flat line": (
        (
            "Oxygen saturation (SpO2) shows exactly the same value (97%) again and again, more "
            "evenly than a body does by itself, for 40 min, since 03:12 UTC. Look at the "
            "patient first; this is taken for a measurement fault, and these values raise no "
            "new alert meanwhile."
        ),
        (
            "La saturation en oxygène (SpO2) garde exactement la même valeur (97 %), plus "
            "régulièrement qu'un corps ne le fait de lui-même, depuis 40 min (04:12, heure de "
            "Paris). Voir d'abord le patient ; cela est pris pour un défaut de mesure, et ces "
            "valeurs n'ouvrent pas de nouvelle alerte en attendant."
        ),
    ),
    "a flat line that is believed": (
        (
            "Oxygen saturation (SpO2) shows exactly the same value again and again, more "
            "evenly than a body does by itself, for 40 min, since 03:12 UTC. Look at the "
            "patient first; this is taken for a measurement fault, but the values can still "
            "raise alerts."
        ),
        (
            "La saturation en oxygène (SpO2) garde exactement la même valeur, plus "
            "régulièrement qu'un corps ne le fait de lui-même, depuis 40 min (04:12, heure de "
            "Paris). Voir d'abord le patient ; cela est pris pour un défaut de mesure, mais "
            "les valeurs peuvent encore ouvrir des alertes."
        ),
    ),
    "a jump": (
        (
            "Temperature went to 32 °C all at once, faster than a body usually changes, for 40 "
            "min, since 03:12 UTC. Look at the patient first; this is taken for a measurement "
            "fault, and these values raise no new alert meanwhile."
        ),
        (
            "La température est passée d'un coup à 32 °C, plus vite qu'un corps ne change "
            "d'ordinaire, depuis 40 min (04:12, heure de Paris). Voir d'abord le patient ; "
            "cela est pris pour un défaut de mesure, et ces valeurs n'ouvrent pas de nouvelle "
            "alerte en attendant."
        ),
    ),
    "two that disagree": (
        (
            "Two ways of measuring the same thing do not agree: heart rate 180/min, pulse rate "
            "80/min, for 40 min, since 03:12 UTC. Look at the patient first; this is taken for "
            "a measurement fault, and these values raise no new alert meanwhile."
        ),
        (
            "Deux façons de mesurer la même chose ne concordent pas : fréquence cardiaque 180 "
            "/min, fréquence du pouls 80 /min, depuis 40 min (04:12, heure de Paris). Voir "
            "d'abord le patient ; cela est pris pour un défaut de mesure, et ces valeurs "
            "n'ouvrent pas de nouvelle alerte en attendant."
        ),
    ),
    "one that disagrees": (
        (
            "Heart rate (170/min) does not agree with another way of measuring the same thing, "
            "for 40 min, since 03:12 UTC. Look at the patient first; this is taken for a "
            "measurement fault, and these values raise no new alert meanwhile."
        ),
        (
            "La fréquence cardiaque (170 /min) ne concorde pas avec une autre façon de mesurer "
            "la même chose, depuis 40 min (04:12, heure de Paris). Voir d'abord le patient ; "
            "cela est pris pour un défaut de mesure, et ces valeurs n'ouvrent pas de nouvelle "
            "alerte en attendant."
        ),
    ),
    "one that disagrees and is believed": (
        (
            "Heart rate does not agree with another way of measuring the same thing, for 40 "
            "min, since 03:12 UTC. Look at the patient first; this is taken for a measurement "
            "fault, but the values can still raise alerts."
        ),
        (
            "La fréquence cardiaque ne concorde pas avec une autre façon de mesurer la même "
            "chose, depuis 40 min (04:12, heure de Paris). Voir d'abord le patient ; cela est "
            "pris pour un défaut de mesure, mais les valeurs peuvent encore ouvrir des alertes."
        ),
    ),
    "a sensor off": (
        (
            "The sensor that measures oxygen saturation (SpO2) seems to be off or in poor "
            "contact, for 40 min, since 03:12 UTC. Look at the patient first; this is taken "
            "for a measurement fault, and these values raise no new alert meanwhile."
        ),
        (
            "Le capteur de la saturation en oxygène (SpO2) semble débranché ou en mauvais "
            "contact, depuis 40 min (04:12, heure de Paris). Voir d'abord le patient ; cela "
            "est pris pour un défaut de mesure, et ces valeurs n'ouvrent pas de nouvelle "
            "alerte en attendant."
        ),
    ),
    "a silent device": (
        (
            "Nothing has come from the device that gave oxygen saturation (SpO2), for 40 min, "
            "since 03:12 UTC."
        ),
        (
            "Rien n'est arrivé de l'appareil qui donnait : saturation en oxygène (SpO2), "
            "depuis 40 min (04:12, heure de Paris)."
        ),
    ),
    "several silent devices": (
        (
            "Nothing has come from 2 devices, which gave oxygen saturation (SpO2), weight, for "
            "40 min, since 03:12 UTC."
        ),
        (
            "Rien n'est arrivé de 2 appareils, qui donnaient : saturation en oxygène (SpO2), "
            "poids, depuis 40 min (04:12, heure de Paris)."
        ),
    ),
    "a silent vital": (
        ("No measurement of heart rate has come, for 40 min, since 03:12 UTC."),
        (
            "Aucune mesure de la fréquence cardiaque n'est arrivée, depuis 40 min (04:12, "
            "heure de Paris)."
        ),
    ),
    "a missed weight": (
        ("The prescribed measurement of weight is missing, for 24 h, since 23 Nov, 03:52 UTC."),
        ("La mesure prescrite du poids manque, depuis 24 h (le 23/11 à 04:52, heure de Paris)."),
    ),
    "all of it together": (
        (
            "Taken together, the measurements do not fit what is usual for this patient over "
            "the last days, for 40 min, since 03:12 UTC. Measured: heart rate 132/min "
            "(expected: 58 to 82/min), temperature 38.2 °C (expected: 36.2 to 37.4 °C)."
        ),
        (
            "Prises ensemble, les mesures ne correspondent pas à ce qui est habituel chez ce "
            "patient ces derniers jours, depuis 40 min (04:12, heure de Paris). Mesures : "
            "fréquence cardiaque 132 /min (attendu : de 58 à 82 /min), température 38,2 °C "
            "(attendu : de 36,2 à 37,4 °C)."
        ),
    ),
    "each alone may pass": (
        (
            "Taken together, the measurements do not fit what is usual for other patients, for "
            "40 min, since 03:12 UTC. Measured: heart rate 80/min (expected: 58 to 82/min), "
            "respiratory rate 12/min; each of them alone may pass."
        ),
        (
            "Prises ensemble, les mesures ne correspondent pas à ce qui est habituel chez les "
            "autres patients, depuis 40 min (04:12, heure de Paris). Mesures : fréquence "
            "cardiaque 80 /min (attendu : de 58 à 82 /min), fréquence respiratoire 12 /min ; "
            "chacune, prise seule, peut passer."
        ),
    ),
    "several functions": (
        (
            "Several vital functions at once do not fit what is usual for this patient over "
            "the last days, although each alone calls for little, for 40 min, since 03:12 UTC. "
            "Measured: heart rate 132/min (expected: 58 to 82/min), temperature 38.2 °C "
            "(expected: 36.2 to 37.4 °C)."
        ),
        (
            "Plusieurs fonctions vitales à la fois ne correspondent pas à ce qui est habituel "
            "chez ce patient ces derniers jours, même si chacune seule demande peu, depuis 40 "
            "min (04:12, heure de Paris). Mesures : fréquence cardiaque 132 /min (attendu : de "
            "58 à 82 /min), température 38,2 °C (attendu : de 36,2 à 37,4 °C)."
        ),
    ),
    "a rule that has no words": (
        ("Something calls for attention: ph 7.312, for 40 min, since 03:12 UTC."),
        ("Quelque chose demande attention : ph 7,312, depuis 40 min (04:12, heure de Paris)."),
    ),
    "a rule without anything": (
        ("Something calls for attention."),
        ("Quelque chose demande attention."),
    ),
}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", list(FOUND))
def test_what_is_told_of_each_family(name: str, language: Language) -> None:
    english, french = EXPECTED[name]
    expected = english if language is Language.ENGLISH else french
    assert explain(FOUND[name], language, moment=NIGHT) == expected
