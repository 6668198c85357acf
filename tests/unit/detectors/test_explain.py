"""What holds of every explanation, whatever the finding."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.explain import Language, explain, models, times, values
from detectors.explain.sentences import LANGUAGES
from detectors.findings import Against, Evidence, Finding, Kind, Part, Pattern, Priority
from detectors.risk.features import FEATURES
from ingest.readings import ACVPU, SPECS, Vital
from tests.unit.detectors.findings_told import FOUND, NIGHT, finding, reading

DEVICE, PATIENT = "dev-geheim-9", "p-geheim-17"
FAMILIES = [
    *("news2", "limits", "trends", "baseline", "drift", "population", "risk", "artefact"),
    *("silence", "anomaly", "combine", "nobody"),
]
RESTS = [*Vital, "", "agreement", "flat.spo2", "sepsis", "device", DEVICE, f"heart_rate.{PATIENT}"]
# From the smallest to the largest number that a double holds: generic series have any.
numbers = st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis wants bounds without a zone)
names = st.one_of(st.sampled_from([*map(str, Vital)]), st.sampled_from(["ph", "a_b", "{0}", "é"]))


@st.composite
def readings(draw: st.DrawFn) -> Evidence:
    vital = draw(names)
    spec = SPECS.get(Vital(vital)) if vital in set(Vital) else None
    inside = st.floats(*spec.hard) if spec is not None else numbers
    return Evidence(
        vital,
        draw(inside),
        draw(moments),
        DEVICE,
        draw(st.none() | inside),
        draw(st.none() | inside),
        draw(st.none() | st.integers(0, 3)),
    )


findings = st.builds(
    Finding,
    rule=st.builds(".".join, st.tuples(st.sampled_from(FAMILIES), st.sampled_from(RESTS))),
    kind=st.sampled_from(Kind),
    priority=st.sampled_from(Priority),
    detector=st.just("any/1"),
    evidence=st.lists(readings(), max_size=6).map(tuple),
    score=st.none() | numbers,
    missing=st.lists(names, max_size=4, unique=True).map(tuple),
    since=st.none() | moments,
    pattern=st.none() | st.sampled_from(Pattern),
    against=st.none() | st.sampled_from(Against),
    parts=st.lists(
        st.builds(Part, st.sampled_from(["news2", "heart_rate.mean3h", "spo2", "a_b.c"]), numbers),
        max_size=4,
    ).map(tuple),
)


@pytest.mark.parametrize("language", list(Language))
@given(found=findings, moment=st.none() | moments)
def test_any_finding_has_an_explanation_that_says_what_is_missing_and_names_nobody(
    language: Language, found: Finding, moment: datetime | None
) -> None:
    said = explain(found, language, moment=moment)
    words = LANGUAGES[language]
    assert len(said) > 10
    assert said[0] == said[0].upper()
    assert said.endswith(".")
    for vital in found.missing:
        assert values.noun(words, vital).alone.lower() in said.lower()
    for vital in Vital:
        assert "_" not in vital or vital not in said
    assert DEVICE not in said
    assert PATIENT not in said
    assert "None" not in said


@given(found=findings)
def test_an_explanation_tells_since_when_where_that_is_known(found: Finding) -> None:
    if found.since is not None:
        assert f"{found.since:%H:%M} UTC" in explain(found, Language.ENGLISH)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", list(FOUND))
def test_an_explanation_is_one_to_three_sentences(name: str, language: Language) -> None:
    said = explain(FOUND[name], language, moment=NIGHT)
    assert 1 <= said.count(". ") + 1 <= 3


@pytest.mark.parametrize("language", list(Language))
def test_a_language_has_a_word_for_everything(language: Language) -> None:
    words = LANGUAGES[language]
    assert set(words.vitals) == set(Vital)
    assert {spec.unit for spec in SPECS.values()} == set(words.units)
    assert set(words.patterns) == set(Pattern)
    assert set(words.against) == {None, *Against}
    assert set(words.consciousness) == set(ACVPU)


@pytest.mark.parametrize(
    ("rest", "alone", "the", "of"),
    [
        (Vital.WEIGHT, "poids", "le poids", "du poids"),
        (Vital.TEMPERATURE, "température", "la température", "de la température"),
        (
            Vital.SUPPLEMENTAL_OXYGEN,
            "oxygène d'appoint",
            "l'oxygène d'appoint",
            "de l'oxygène d'appoint",
        ),
        ("ph", "ph", "la série ph", "de la série ph"),
    ],
)
def test_french_nouns_have_their_articles(rest: str, alone: str, the: str, of: str) -> None:
    noun = values.noun(LANGUAGES[Language.FRENCH], rest)
    assert (noun.alone, noun.the, noun.of) == (alone, the, of)


def test_a_participle_agrees_with_its_noun() -> None:
    jumps = {
        vital: explain(
            finding(f"artefact.sensor.{vital}", reading(vital, 39), pattern=Pattern.JUMP),
            Language.FRENCH,
        )
        for vital in (Vital.TEMPERATURE, Vital.WEIGHT)
    }
    assert jumps[Vital.TEMPERATURE].startswith("La température est passée d'un coup à 39 °C,")
    assert jumps[Vital.WEIGHT].startswith("Le poids est passé d'un coup à 39 kg,")


@pytest.mark.parametrize(
    ("vital", "value", "low", "expected"),
    [
        pytest.param(Vital.SPO2, 84.6, 88.0, "85 %, en", id="whole numbers tell them apart"),
        pytest.param(Vital.SPO2, 87.6, 88.0, "87,6 %, en", id="they do not: one digit more"),
        pytest.param(Vital.TEMPERATURE, 34.96, 35.0, "34,96 °C, en", id="two digits more"),
        pytest.param(Vital.WEIGHT, 71.0, 72.0, "71 kg, en", id="no needless digits"),
        pytest.param("ph", 7.312, 7.35, "7,312, en", id="a series without a known unit"),
    ],
)
def test_a_value_is_written_so_that_it_differs_from_its_bound(
    vital: str, value: float, low: float, expected: str
) -> None:
    found = finding("limits.any", reading(vital, value, low=low))
    assert f"est de {expected} dessous de la limite en vigueur" in explain(found, Language.FRENCH)


@pytest.mark.parametrize(
    ("value", "far"), [(83.0, False), (105.9, False), (106.0, True), (33.9, True)]
)
def test_far_is_what_is_beyond_by_the_whole_width_of_the_usual(value: float, *, far: bool) -> None:
    one = reading(Vital.HEART_RATE, value, low=58.0, high=82.0)
    said = explain(finding("baseline.heart_rate", one), Language.ENGLISH)
    assert ("far" in said) is far


def test_nobody_knows_what_is_far_of_a_prescribed_limit() -> None:
    one = reading(Vital.HEART_RATE, 200.0, low=58.0, high=82.0)
    assert "far" not in explain(finding("limits.heart_rate", one), Language.ENGLISH)


@pytest.mark.parametrize(
    ("minutes", "english", "french"),
    [
        (0.5, "(SpO2), since 03:51 UTC.", "(SpO2), depuis 04:51 (heure de Paris)."),
        (40, "for 40 min, since 03:12 UTC", "depuis 40 min (04:12, heure de Paris)"),
        (119, "for 119 min, since 01:53 UTC", "depuis 119 min (02:53, heure de Paris)"),
        # Midnight has passed in UTC, and not in Paris; then in both.
        (180, "for 3 h, since 00:52 UTC", "depuis 3 h (01:52, heure de Paris)"),
        (270, "for 4 h, since 23 Nov, 23:22 UTC", "depuis 4 h (00:22, heure de Paris)"),
        (1440, "for 24 h, since 23 Nov, 03:52 UTC", "depuis 24 h (le 23/11 à 04:52, heure de"),
        (4320, "for 3 days, since 21 Nov, 03:52 UTC", "depuis 3 jours (le 21/11 à 04:52,"),
        (527040, "for 366 days, since 23 Nov 2025, 03:52", "depuis 366 jours (le 23/11/2025 à"),
    ],
)
def test_since_when_is_told_as_a_length_and_as_a_moment(
    minutes: float, english: str, french: str
) -> None:
    found = finding("limits.spo2", since=NIGHT - timedelta(minutes=minutes))
    assert english in explain(found, Language.ENGLISH, moment=NIGHT)
    assert french in explain(found, Language.FRENCH, moment=NIGHT)


def test_a_saturation_falls_by_points_not_by_a_part_of_itself() -> None:
    first = reading(Vital.SPO2, 99, time=NIGHT - timedelta(days=1))
    said = explain(finding("trends.spo2", first, reading(Vital.SPO2, 95)), Language.ENGLISH)
    assert said.startswith(
        "Oxygen saturation (SpO2) has fallen by 4 points in 24 h, from 99 to 95%"
    )


def test_a_change_is_the_difference_of_the_two_values_that_are_told() -> None:
    first = reading(Vital.SPO2, 99.5, time=NIGHT - timedelta(days=1))
    said = explain(finding("trends.spo2", first, reading(Vital.SPO2, 96.5)), Language.ENGLISH)
    assert "by 4 points in 24 h, from 100 to 96%" in said


def test_a_learned_bound_is_told_no_finer_than_the_vital_is_read() -> None:
    one = reading(Vital.HEART_RATE, 69.0, low=69.012, high=79.34)
    said = explain(finding("drift.heart_rate", one, pattern=Pattern.FALLING), Language.ENGLISH)
    assert "(69 to 79/min)" in said
    inside = reading(Vital.PULSE_RATE, 72.0, low=48.52, high=72.48)
    together = explain(finding("anomaly", inside, pattern=Pattern.TOGETHER), Language.ENGLISH)
    assert "pulse rate 72/min (expected: 49 to 72/min)" in together


@pytest.mark.parametrize(
    ("pattern", "value", "english", "french"),
    [
        (
            Pattern.RISING,
            84,
            "has risen and stayed higher: now 84/min",
            "a augmenté durablement, à",
        ),
        (Pattern.RISING, 69, "Its newest level is 69/min.", "Le niveau le plus récent est de 69"),
        (Pattern.RISING, 75, "had risen and stayed higher", "avait augmenté durablement, par"),
        (Pattern.FALLING, 75, "had fallen and stayed lower", "avait baissé durablement, par"),
        (Pattern.FALLING, 60, "has fallen and stayed lower: now 60", "a baissé durablement, à 60"),
    ],
)
def test_a_level_that_is_back_is_not_told_as_the_new_one(
    pattern: Pattern, value: float, english: str, french: str
) -> None:
    one = reading(Vital.HEART_RATE, value, low=69.0, high=79.0)
    found = finding("drift.heart_rate", one, pattern=pattern, against=Against.DAYS)
    assert english in explain(found, Language.ENGLISH)
    assert french in explain(found, Language.FRENCH)
    assert ("newest level" in explain(found, Language.ENGLISH)) is (value in {69, 75})


def test_what_is_missing_is_named_where_the_first_sentence_has_no_room_for_it() -> None:
    found = finding("artefact.pulse_rate", reading(Vital.HEART_RATE, 170), missing=("pulse_rate",))
    assert "Mesure manquante : fréquence du pouls." in explain(found, Language.FRENCH)


@pytest.mark.parametrize("pattern", [Pattern.FLAT, Pattern.JUMP])
def test_a_pacemaker_and_a_sudden_tachycardia_are_not_called_impossible(pattern: Pattern) -> None:
    found = finding("artefact.any.heart_rate", reading(Vital.HEART_RATE, 170), pattern=pattern)
    english, french = (explain(found, language) for language in Language)
    assert "Look at the patient first" in english
    assert "Voir d'abord le patient" in french
    assert not re.search("living|any body|vivant|aucun corps", english + french)


def test_summer_time_is_the_clock_on_the_wall() -> None:
    july = datetime(2026, 7, 1, 3, tzinfo=UTC)
    assert times.measured(LANGUAGES[Language.FRENCH], july, july).startswith("dernière mesure à 05")


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.0, "less than 1 in 100"),
        (0.021, "about 1 in 50"),
        (0.34, "about 1 in 3"),
        (0.66, "about 2 in 3"),
        (1.0, "more than 9 in 10"),
    ],
)
def test_a_probability_is_told_as_odds(probability: float, expected: str) -> None:
    assert models.odds(LANGUAGES[Language.ENGLISH], probability) == expected


@pytest.mark.parametrize(
    ("name", "english", "french"),
    [
        (
            "heart_rate.mean3h",
            "heart rate (mean of the last 3 h)",
            "fréquence cardiaque (moyenne des 3 dernières heures)",
        ),
        ("spo2.spread24h", "oxygen saturation (SpO2) (variability over 24 h)", None),
        (
            "temperature.outside_below_36.3_3h",
            "temperature (below 36.3 in the last 3 h)",
            "température (en dessous de 36,3 ces 3 dernières heures)",
        ),
        ("news2.mean6h", "NEWS2 score (mean of the last 6 h)", None),
        ("age", "age", "âge"),
        ("mean_pressure.quirk_7", "mean blood pressure, quirk 7", None),
        ("tidal_volume", "tidal volume", "tidal volume"),
    ],
)
def test_an_input_of_a_model_is_named_in_words(name: str, english: str, french: str | None) -> None:
    assert models.feature(LANGUAGES[Language.ENGLISH], name) == english
    if french is not None:
        assert models.feature(LANGUAGES[Language.FRENCH], name) == french


@pytest.mark.parametrize("language", list(Language))
def test_every_input_of_the_shipped_models_has_words_of_its_own(language: Language) -> None:
    words = LANGUAGES[language]
    names = {name for one in FEATURES for name in one}
    assert len(names) > 50
    for name in names:
        vital, _, made = name.partition(".")
        assert vital in words.vitals
        assert models.statistic(words, made), name
    told = {models.feature(words, name) for name in names}
    assert len(told) == len(names)


def test_what_speaks_against_concern_is_not_told_as_what_raises_it() -> None:
    parts = (Part("spo2", -0.9), Part("heart_rate.mean12h", 0.1))
    said = explain(finding("risk.sepsis", score=0.1, parts=parts), Language.ENGLISH)
    assert "What raises it most: heart rate (mean of the last 12 h)." in said
    assert "saturation" not in said


def test_a_long_list_of_readings_is_cut_and_says_so() -> None:
    many = [reading(vital, 40.0, points=1) for vital in list(Vital)[:6]]
    said = explain(finding("news2", *many, score=6.0), Language.ENGLISH)
    assert ", 2 more." in said
