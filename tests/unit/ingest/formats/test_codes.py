"""What the codes of others mean, and which units may go with them."""

from __future__ import annotations

import pytest

from ingest.formats import codes
from ingest.formats.codes import LOINC, MDC, SNOMED, Other
from ingest.readings import SPECS, Refusal, Vital
from tests.contract.format_cases import concept


@pytest.mark.parametrize(
    ("codings", "expected"),
    [
        pytest.param([(LOINC, "8867-4")], Vital.HEART_RATE, id="LOINC"),
        pytest.param([(MDC, "150456")], Vital.SPO2, id="MDC"),
        pytest.param([(SNOMED, "371825009")], Vital.SUPPLEMENTAL_OXYGEN, id="SNOMED CT"),
        pytest.param([(LOINC, "85354-9"), (MDC, "150020")], Other.PANEL, id="a panel twice"),
        pytest.param([(MDC, "68193")], Other.QUALIFIER, id="how, not what"),
        pytest.param(
            [(LOINC, "2708-6"), (LOINC, "59408-5"), (MDC, "150456")], Vital.SPO2, id="all agree"
        ),
        pytest.param(
            [(LOINC, "29463-7"), (SNOMED, "27113001")], Vital.WEIGHT, id="one is not known"
        ),
        pytest.param(
            [(MDC, "149530"), (LOINC, "8867-4")],
            Vital.PULSE_RATE,
            id="the exact beside the general",
        ),
        pytest.param(
            [(LOINC, "8867-4"), (MDC, "147842")], Vital.HEART_RATE, id="by electrocardiogram"
        ),
        pytest.param(
            [(LOINC, "8867-4"), (LOINC, "8462-4")], Refusal.UNKNOWN_CODE, id="they contradict"
        ),
        pytest.param([(LOINC, "8480-6"), (MDC, "150022")], Refusal.UNKNOWN_CODE, id="so do these"),
        pytest.param([(LOINC, "8302-2")], Refusal.UNKNOWN_CODE, id="not one of ours"),
        pytest.param([(MDC, "8867-4")], Refusal.UNKNOWN_CODE, id="in the wrong system"),
        pytest.param([(MDC, "150320")], Refusal.UNKNOWN_CODE, id="quality of a saturation"),
        pytest.param([(MDC, "160208")], Refusal.UNKNOWN_CODE, id="a control fluid's glucose"),
        pytest.param([], Refusal.UNKNOWN_CODE, id="none"),
    ],
)
def test_what_a_concept_names(
    codings: list[tuple[str, str]], expected: Vital | Other | Refusal
) -> None:
    assert codes.meaning(concept(*codings)) is expected


@pytest.mark.parametrize(
    "junk",
    [
        None,
        "8867-4",
        [],
        {"coding": None},
        {"coding": {"system": LOINC, "code": "8867-4"}},
        {"coding": ["8867-4"]},
        {"coding": [{"system": LOINC, "code": ["8867-4"]}]},
        {"coding": [{"code": "8867-4"}]},
        {"text": "Heart rate"},
    ],
    ids=str,
)
def test_what_is_no_concept_names_nothing(junk: object) -> None:
    assert codes.meaning(junk) is Refusal.UNKNOWN_CODE
    assert codes.answer(Vital.CONSCIOUSNESS, junk) is Refusal.UNKNOWN_CODE


def test_the_code_that_we_write_for_a_vital_is_the_one_that_we_read() -> None:
    for vital, spec in SPECS.items():
        if spec.loinc is not None:
            assert codes.meaning(concept((LOINC, spec.loinc))) is vital


def test_the_answers_of_the_consciousness_scale_are_stored_in_its_order() -> None:
    answers = ["LA9340-6", "LA6560-2", "LA17108-4", "LA17107-6", "LA9343-0"]
    found = [codes.answer(Vital.CONSCIOUSNESS, concept((LOINC, one))) for one in answers]
    assert found == [0, 1, 2, 3, 4]


def test_answers_that_contradict_each_other_or_the_question_are_refused() -> None:
    yes, no, alert = (SNOMED, "373066001"), (SNOMED, "373067005"), (LOINC, "LA9340-6")
    oxygen = Vital.SUPPLEMENTAL_OXYGEN
    assert codes.answer(oxygen, concept(yes)) == 1
    assert codes.answer(oxygen, concept(no, no)) == 0
    assert codes.answer(oxygen, concept(yes, no)) is Refusal.UNKNOWN_CODE
    assert codes.answer(oxygen, concept(alert)) is Refusal.UNKNOWN_CODE


@pytest.mark.parametrize(
    ("vital", "unit", "expected"),
    [
        pytest.param(Vital.HEART_RATE, "/min", None, id="its own"),
        pytest.param(Vital.HEART_RATE, "{beats}/min", None, id="annotated"),
        pytest.param(Vital.TEMPERATURE, "[degF]", None, id="converted"),
        pytest.param(Vital.GLUCOSE, "mmol/L", None, id="moles of glucose"),
        pytest.param(
            Vital.HEART_RATE, "mm[Hg]", Refusal.UNIT_CONTRADICTS_CODE, id="a pressure as a rate"
        ),
        pytest.param(Vital.SPO2, "Cel", Refusal.UNIT_CONTRADICTS_CODE, id="warmth as a saturation"),
        pytest.param(Vital.WEIGHT, "parsec", Refusal.UNKNOWN_UNIT, id="nobody's"),
        pytest.param(Vital.WEIGHT, "", Refusal.UNKNOWN_UNIT, id="empty"),
    ],
)
def test_which_units_may_go_with_a_vital(vital: Vital, unit: str, expected: Refusal | None) -> None:
    assert codes.unit_fault(vital, unit) is expected
