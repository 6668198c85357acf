"""FHIR R4: what is refused, where, and why."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.fhir_observation import PARTS
from tests.contract.format_cases import LOINC, MDC, concept, quantity
from tests.unit.ingest.formats.fhir_messages import (
    LEFT_OUT,
    RATE,
    SEVENTY,
    SNOMED,
    TIME,
    bundle,
    coded,
    rate,
    read,
    told,
)


def during(**period: str) -> dict[str, Any]:
    return rate(effectiveDateTime=LEFT_OUT, effectivePeriod=period)


EXTENDED = {"_value": {"extension": [{"url": "...", "valueCode": "unknown"}]}}


@pytest.mark.parametrize(
    ("message", "at", "reason"),
    [
        pytest.param({}, "resourceType", "unsupported", id="nothing of FHIR"),
        pytest.param([rate()], "", "not-an-object", id="a list"),
        pytest.param({"resourceType": "Device"}, "resourceType", "unsupported", id="a device"),
        pytest.param(rate(status="entered-in-error"), "status", "not-final", id="an error"),
        pytest.param(rate(status="cancelled"), "status", "not-final", id="cancelled"),
        pytest.param(rate(status="registered"), "status", "not-final", id="registered"),
        pytest.param(rate(status="preliminary"), "status", "not-final", id="preliminary"),
        pytest.param(rate(status="unknown"), "status", "not-final", id="of unknown status"),
        pytest.param(rate(status=None), "status", "not-final", id="of a status that is null"),
        pytest.param(rate(modifierExtension=[]), "modifierExtension", "unsupported", id="modified"),
        pytest.param(rate(implicitRules="x"), "implicitRules", "unsupported", id="by other rules"),
        pytest.param(
            rate(effectiveDateTime=LEFT_OUT), "effectiveDateTime", "missing-time", id="at no time"
        ),
        pytest.param(
            rate(effectiveDateTime="2026-11-24"), "effectiveDateTime", "bad-time", id="on a day"
        ),
        pytest.param(
            rate(effectiveDateTime="2026-11-24T03:00:00"),
            "effectiveDateTime",
            "no-time-zone",
            id="without a zone",
        ),
        pytest.param(
            rate(effectiveDateTime=LEFT_OUT, effectiveTiming={}),
            "effectiveTiming",
            "unsupported",
            id="by a schedule",
        ),
        pytest.param(
            rate(effectivePeriod={"end": TIME}),
            "effectiveDateTime",
            "unsupported",
            id="at two times",
        ),
        pytest.param(
            during(start=TIME),
            "effectivePeriod.end",
            "missing-time",
            id="for a while that has no end",
        ),
        pytest.param(
            rate(effectiveDateTime=LEFT_OUT, effectivePeriod=TIME),
            "effectivePeriod",
            "bad-time",
            id="for a while that is none",
        ),
        pytest.param(
            during(start="2026-11-17T03:00:00Z", end=TIME),
            "effectivePeriod",
            "unsupported",
            id="for a week",
        ),
        pytest.param(
            during(start="2026-11-24T03:00:01Z", end=TIME),
            "effectivePeriod",
            "bad-time",
            id="from its end to its start",
        ),
        pytest.param(
            during(start="yesterday", end=TIME),
            "effectivePeriod.start",
            "bad-time",
            id="since then",
        ),
        pytest.param(rate(code=LEFT_OUT), "code", "unknown-code", id="no code"),
        pytest.param(
            rate(code=concept((LOINC, "8302-2"))), "code", "unknown-code", id="a foreign code"
        ),
        pytest.param(
            rate(valueQuantity=quantity(82, "mm[Hg]")),
            "valueQuantity.code",
            "unit-contradicts-code",
            id="a pressure coded as a heart rate",
        ),
        pytest.param(
            rate(valueQuantity=quantity(82, "parsec")),
            "valueQuantity.code",
            "unknown-unit",
            id="a unit of nobody",
        ),
        pytest.param(
            rate(valueQuantity={"value": 70, "unit": "/min"}),
            "valueQuantity.code",
            "missing-unit",
            id="a unit for people only",
        ),
        pytest.param(
            rate(valueQuantity={"value": 70, "code": "/min"}),
            "valueQuantity.system",
            "missing-unit",
            id="a unit of no system",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"system": MDC}),
            "valueQuantity.system",
            "unknown-unit",
            id="a unit of another system",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"comparator": "<"}),
            "valueQuantity.comparator",
            "unsupported",
            id="less than a value",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"value": "70"}),
            "valueQuantity",
            "not-a-number",
            id="a number as text",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"value": float("nan")}),
            "valueQuantity",
            "not-finite",
            id="not a number",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"value": 10**400}),
            "valueQuantity",
            "not-finite",
            id="a huge number",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"value": 700}),
            "valueQuantity",
            "out-of-range",
            id="out of this world",
        ),
        pytest.param(
            rate(valueQuantity=SEVENTY | {"value": None}), "valueQuantity", "null", id="null"
        ),
        pytest.param(rate(valueQuantity=None), "valueQuantity", "null", id="a null quantity"),
        pytest.param(rate(valueQuantity=70), "valueQuantity", "not-an-object", id="a bare number"),
        pytest.param(
            rate(valueQuantity={"code": "/min", **EXTENDED}),
            "valueQuantity._value",
            "absent",
            id="a value that is said to be missing",
        ),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, dataAbsentReason=concept(("x", "not-a-number"))),
            "dataAbsentReason",
            "absent",
            id="no value",
        ),
        pytest.param(
            rate(dataAbsentReason=concept(("x", "error"))),
            "dataAbsentReason",
            "unsupported",
            id="a value and none",
        ),
        pytest.param(rate(valueQuantity=LEFT_OUT), "", "no-vitals", id="silence"),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, hasMember=[{"reference": "Observation/1"}]),
            "",
            "no-vitals",
            id="members elsewhere",
        ),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, valueSampledData={"data": "1 2 E"}),
            "valueSampledData",
            "unsupported",
            id="sampled data",
        ),
        pytest.param(rate(valueInteger=70), "valueQuantity", "unsupported", id="two values"),
        pytest.param(
            rate(code=concept((LOINC, "85354-9"))),
            "valueQuantity",
            "unsupported",
            id="a panel with a value",
        ),
        pytest.param(
            rate(code=concept((LOINC, "67775-7"))),
            "valueQuantity",
            "unsupported",
            id="a quantity of consciousness",
        ),
        pytest.param(
            coded((LOINC, "8867-4"), (LOINC, "LA9340-6")),
            "valueCodeableConcept",
            "unsupported",
            id="an answer for a heart rate",
        ),
        pytest.param(
            coded((LOINC, "67775-7"), (SNOMED, "373066001")),
            "valueCodeableConcept",
            "unknown-code",
            id="the answer to another question",
        ),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, component=[{"code": RATE}]),
            "component[0]",
            "no-vitals",
            id="a component without a value",
        ),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, component=[7]),
            "component[0]",
            "not-an-object",
            id="a component that is none",
        ),
        pytest.param(
            rate(valueQuantity=LEFT_OUT, component={}),
            "component",
            "bad-readings",
            id="components that are no list",
        ),
        pytest.param(
            rate(
                valueQuantity=LEFT_OUT,
                component=[{"code": RATE, "valueQuantity": SEVENTY, "modifierExtension": [{}]}],
            ),
            "component[0].modifierExtension",
            "unsupported",
            id="a modified component",
        ),
        pytest.param(bundle(type="searchset"), "type", "unsupported", id="what was searched"),
        pytest.param(bundle(type=None), "type", "unsupported", id="a bundle of no type"),
        pytest.param(bundle(), "", "no-vitals", id="an empty bundle"),
        pytest.param(bundle(entry={}), "entry", "bad-readings", id="entries that are no list"),
        pytest.param(
            bundle(entry=[{}] * (PARTS + 1)), "entry", "bad-readings", id="a flood of entries"
        ),
        pytest.param(bundle(entry=[7]), "entry[0]", "not-an-object", id="an entry that is none"),
        pytest.param(
            bundle(entry=[{}]), "entry[0].resource", "not-an-object", id="an entry of nothing"
        ),
        pytest.param(
            bundle(rate(), implicitRules="x"), "implicitRules", "unsupported", id="ruled otherwise"
        ),
        pytest.param(
            bundle(entry=[{"resource": rate(), "modifierExtension": [{}]}]),
            "entry[0].modifierExtension",
            "unsupported",
            id="a modified entry",
        ),
        pytest.param(
            bundle(entry=[{"resource": rate(), "request": {"method": "DELETE"}}]),
            "entry[0].request.method",
            "unsupported",
            id="what is to be deleted",
        ),
        pytest.param(
            bundle({"resourceType": "QuestionnaireResponse"}),
            "entry[0].resource.resourceType",
            "unsupported",
            id="a resource that may hold a measure",
        ),
        pytest.param(
            bundle(bundle(rate())),
            "entry[0].resource.resourceType",
            "unsupported",
            id="a bundle in a bundle",
        ),
        pytest.param(
            bundle({"resourceType": "DiagnosticReport", "contained": [rate()]}),
            "entry[0].resource.contained[0]",
            "unsupported",
            id="packed into a report",
        ),
        pytest.param(
            bundle(rate(status="cancelled")),
            "entry[0].resource.status",
            "not-final",
            id="a cancelled entry",
        ),
    ],
)
def test_what_is_refused_where_and_why(message: object, at: str, reason: str) -> None:
    decoded = read(message)
    assert (decoded.instants, told(decoded)) == ([], [(at, reason)])
