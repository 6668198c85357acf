"""What the codes of others mean: LOINC, ISO/IEEE 11073 (MDC) and SNOMED CT to vitals, and units.

Sources: LOINC and UCUM of the FHIR R4 vital signs profiles and of the ANS guide "Mesures de santé"
3.2.0; answers of the consciousness scale and "patient on oxygen" of the Belgian telemonitoring
guide; MDC codes of ISO/IEEE 11073-10101 (context-free: partition times 65536 plus term code).
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.readings import ACVPU, SPECS, Refusal, Vital
from ingest.units import conversion, fault

if TYPE_CHECKING:
    from collections.abc import Mapping

LOINC = "http://loinc.org"
MDC = "urn:iso:std:iso:11073:10101"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"


class Other(StrEnum):
    """Codes that are known and are no vital."""

    PANEL = "panel"  # has no value of its own: its components or members have
    QUALIFIER = "qualifier"  # says how something was measured


_LOINC: Mapping[str, Vital | Other] = {
    "8889-8": Vital.PULSE_RATE,  # by pulse oximetry
    "9279-1": Vital.RESPIRATORY_RATE,
    "2708-6": Vital.SPO2,
    "59408-5": Vital.SPO2,  # by pulse oximetry
    "8310-5": Vital.TEMPERATURE,
    "8328-7": Vital.TEMPERATURE,  # axillary
    "8331-1": Vital.TEMPERATURE,  # oral
    "8332-9": Vital.TEMPERATURE,  # rectal
    "8333-7": Vital.TEMPERATURE,  # tympanic
    "8480-6": Vital.SYSTOLIC,
    "8462-4": Vital.DIASTOLIC,
    "8478-0": Vital.MEAN_PRESSURE,
    "29463-7": Vital.WEIGHT,
    "3141-9": Vital.WEIGHT,  # measured
    "2345-7": Vital.GLUCOSE,  # mass, serum or plasma
    "2339-0": Vital.GLUCOSE,  # mass, blood
    "41653-7": Vital.GLUCOSE,  # mass, capillary blood by glucometer
    "14749-6": Vital.GLUCOSE,  # moles, serum or plasma
    "15074-8": Vital.GLUCOSE,  # moles, blood
    "99504-3": Vital.GLUCOSE,  # mass, interstitial fluid
    "41950-7": Vital.STEPS,  # in 24 hours
    "3151-8": Vital.OXYGEN_FLOW,
    "67775-7": Vital.CONSCIOUSNESS,
    "85354-9": Other.PANEL,  # blood pressure, all children optional
    "55284-4": Other.PANEL,  # blood pressure, systolic and diastolic
    "85353-1": Other.PANEL,  # vital signs
    "8716-3": Other.PANEL,  # vital signs, older
}
# Not here on purpose: MDC_SAT_O2_QUAL (150320, the quality of a saturation), MDC_CONC_GLU_CONTROL
# (160208, a test fluid), and temperatures of skin, finger and toe, which are not the body's.
_MDC: Mapping[str, Vital | Other] = {
    "147842": Vital.HEART_RATE,  # MDC_ECG_HEART_RATE
    "149554": Vital.HEART_RATE,  # MDC_TTHOR_HEART_RATE
    "149514": Vital.PULSE_RATE,  # MDC_PULS_RATE
    "149530": Vital.PULSE_RATE,  # MDC_PULS_OXIM_PULS_RATE
    "149546": Vital.PULSE_RATE,  # MDC_PULS_RATE_NON_INV
    "151562": Vital.RESPIRATORY_RATE,  # MDC_RESP_RATE
    "151570": Vital.RESPIRATORY_RATE,  # MDC_AWAY_RESP_RATE
    "151578": Vital.RESPIRATORY_RATE,  # MDC_TTHOR_RESP_RATE
    "151594": Vital.RESPIRATORY_RATE,  # MDC_CO2_RESP_RATE
    "150324": Vital.SPO2,  # MDC_SAT_O2_ART
    "150456": Vital.SPO2,  # MDC_PULS_OXIM_SAT_O2
    "150364": Vital.TEMPERATURE,  # MDC_TEMP_BODY
    "150368": Vital.TEMPERATURE,  # MDC_TEMP_CORE
    "150392": Vital.TEMPERATURE,  # MDC_TEMP_TYMP
    "188420": Vital.TEMPERATURE,  # MDC_TEMP_RECT
    "188424": Vital.TEMPERATURE,  # MDC_TEMP_ORAL
    "188428": Vital.TEMPERATURE,  # MDC_TEMP_EAR
    "188452": Vital.TEMPERATURE,  # MDC_TEMP_AXILLA
    "150021": Vital.SYSTOLIC,  # MDC_PRESS_BLD_NONINV_SYS
    "150022": Vital.DIASTOLIC,  # MDC_PRESS_BLD_NONINV_DIA
    "150023": Vital.MEAN_PRESSURE,  # MDC_PRESS_BLD_NONINV_MEAN
    "150033": Vital.SYSTOLIC,  # MDC_PRESS_BLD_ART_SYS
    "150034": Vital.DIASTOLIC,  # MDC_PRESS_BLD_ART_DIA
    "150035": Vital.MEAN_PRESSURE,  # MDC_PRESS_BLD_ART_MEAN
    "150037": Vital.SYSTOLIC,  # MDC_PRESS_BLD_ART_ABP_SYS
    "150038": Vital.DIASTOLIC,  # MDC_PRESS_BLD_ART_ABP_DIA
    "150039": Vital.MEAN_PRESSURE,  # MDC_PRESS_BLD_ART_ABP_MEAN
    "188736": Vital.WEIGHT,  # MDC_MASS_BODY_ACTUAL
    "160020": Vital.GLUCOSE,  # MDC_CONC_GLU_GEN
    "160184": Vital.GLUCOSE,  # MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD
    "160188": Vital.GLUCOSE,  # MDC_CONC_GLU_CAPILLARY_PLASMA
    "160192": Vital.GLUCOSE,  # MDC_CONC_GLU_VENOUS_WHOLEBLOOD
    "160196": Vital.GLUCOSE,  # MDC_CONC_GLU_VENOUS_PLASMA
    "160200": Vital.GLUCOSE,  # MDC_CONC_GLU_ARTERIAL_WHOLEBLOOD
    "160204": Vital.GLUCOSE,  # MDC_CONC_GLU_ARTERIAL_PLASMA
    "160212": Vital.GLUCOSE,  # MDC_CONC_GLU_ISF
    "67996": Vital.BATTERY,  # MDC_ATTR_VAL_BATT_CHARGE
    "150020": Other.PANEL,  # MDC_PRESS_BLD_NONINV
    "150032": Other.PANEL,  # MDC_PRESS_BLD_ART
    "150036": Other.PANEL,  # MDC_PRESS_BLD_ART_ABP
    "68193": Other.QUALIFIER,  # MDC_ATTR_SUPPLEMENTAL_TYPES
}
CODES: Mapping[str, Mapping[str, Vital | Other]] = MappingProxyType(
    {LOINC: _LOINC, MDC: _MDC, SNOMED: {"371825009": Vital.SUPPLEMENTAL_OXYGEN}}
)

# FHIR wants this code on every heart rate, also on one that an oximeter counted: another code
# beside it may say so, and is the more exact of the two.
_ANY_HEART_RATE = "8867-4"
_RATES = frozenset({Vital.HEART_RATE, Vital.PULSE_RATE})

# Vitals that are answers, not quantities.
CODED = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})
_ANSWERS: Mapping[tuple[str, str], tuple[Vital, float]] = MappingProxyType(
    {
        **{
            (LOINC, answer): (Vital.CONSCIOUSNESS, float(ACVPU.index(letter)))
            for answer, letter in (
                ("LA9340-6", "A"),
                ("LA6560-2", "C"),
                ("LA17108-4", "V"),
                ("LA17107-6", "P"),
                ("LA9343-0", "U"),
            )
        },
        (SNOMED, "373066001"): (Vital.SUPPLEMENTAL_OXYGEN, 1.0),  # yes
        (SNOMED, "373067005"): (Vital.SUPPLEMENTAL_OXYGEN, 0.0),  # no
    }
)


def meaning(concept: object) -> Vital | Other | Refusal:
    """Say what a FHIR CodeableConcept names; all its codings that are known must agree.

    Codings that are not known are others' business. UNKNOWN_CODE when none is known, or when they
    name different things: guessing between two vitals would be worse than none.

    >>> meaning(
    ...     {"coding": [{"system": LOINC, "code": "8867-4"}, {"system": MDC, "code": "149530"}]}
    ... )
    <Vital.PULSE_RATE: 'pulse_rate'>
    """
    found: Vital | Other | None = None
    any_rate = False
    for system, code in _codings(concept):
        if code == _ANY_HEART_RATE and system == LOINC:
            any_rate = True
            continue
        known = CODES[system].get(code) if system in CODES else None
        if known is None or known is found:
            continue
        if found is not None:
            return Refusal.UNKNOWN_CODE
        found = known
    if any_rate:
        if found is None:
            return Vital.HEART_RATE
        return found if found in _RATES else Refusal.UNKNOWN_CODE
    return Refusal.UNKNOWN_CODE if found is None else found


def answer(vital: Vital, concept: object) -> float | Refusal:
    """Read the answer that a FHIR CodeableConcept gives for a coded vital, as it is stored."""
    found: float | None = None
    for coding in _codings(concept):
        known = _ANSWERS.get(coding)
        if known is None:
            continue
        if known[0] is not vital or found not in {None, known[1]}:
            return Refusal.UNKNOWN_CODE
        found = known[1]
    return Refusal.UNKNOWN_CODE if found is None else found


def unit_fault(vital: Vital, unit: str) -> Refusal | None:
    """Say why a vital cannot be in this UCUM unit; None: it can.

    A unit in which some other vital is measured contradicts the code: one of the two is wrong, and
    nobody can say which. Mass and moles of glucose are both taken for every glucose code: between
    those two the unit leaves no doubt.

    >>> unit_fault(Vital.HEART_RATE, "mm[Hg]")
    <Refusal.UNIT_CONTRADICTS_CODE: 'unit-contradicts-code'>
    >>> unit_fault(Vital.HEART_RATE, "parsec")
    <Refusal.UNKNOWN_UNIT: 'unknown-unit'>
    """
    if unit == SPECS[vital].unit or conversion(vital, unit) is not None:
        return None
    return fault(vital, unit)


def _codings(concept: object) -> list[tuple[str, str]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(codings, list):
        return []
    found = []
    for coding in codings:
        if isinstance(coding, dict):
            system, code = coding.get("system"), coding.get("code")
            if isinstance(system, str) and isinstance(code, str):
                found.append((system, code))
    return found
