"""FHIR R4: what is taken, how it is named, and that it is kept apart from whom it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ingest.readings import Instant, Original, Vital
from tests.contract.format_cases import LOINC, MDC, concept, observation, quantity
from tests.unit.ingest.formats.fhir_messages import (
    LEFT_OUT,
    MOMENT,
    SNOMED,
    TIME,
    bundle,
    coded,
    rate,
    read,
    told,
)

if TYPE_CHECKING:
    from datetime import datetime


def test_an_observation_comes_whole() -> None:
    decoded = read(
        rate(
            id="obs-1", subject={"reference": "Patient/somebody"}, device={"reference": "Device/x"}
        )
    )
    assert decoded.instants == [Instant(MOMENT, {Vital.HEART_RATE: 70})]
    assert (decoded.seq, decoded.id, decoded.refused) == (None, "obs-1", [])
    assert decoded.places == ["valueQuantity"]


def test_values_of_one_moment_come_together_and_the_original_is_kept() -> None:
    pressure = observation(
        TIME,
        code=concept((LOINC, "85354-9")),
        component=[
            {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(120, "mm[Hg]")},
            {"code": concept((MDC, "150022")), "valueQuantity": quantity(10, "kPa")},
            {"code": concept((MDC, "150023")), "dataAbsentReason": concept(("x", "error"))},
        ],
    )
    warm = rate(code=concept((LOINC, "8310-5")), valueQuantity=quantity(98.6, "[degF]"))
    decoded = read(bundle({"resourceType": "Patient", "name": [{"family": "N"}]}, pressure, warm))
    (instant,) = decoded.instants
    assert instant.values[Vital.SYSTOLIC] == 120
    assert instant.values[Vital.DIASTOLIC] == pytest.approx(10_000 / 133.322)
    assert instant.values[Vital.TEMPERATURE] == 37
    assert instant.original == {
        Vital.DIASTOLIC: Original(10, "kPa"),
        Vital.TEMPERATURE: Original(98.6, "[degF]"),
    }
    assert told(decoded) == [("entry[1].resource.component[2].dataAbsentReason", "absent")]


def test_answers_are_taken_where_a_vital_is_one() -> None:
    decoded = read(
        bundle(
            coded((LOINC, "67775-7"), (LOINC, "LA17108-4")),
            coded((SNOMED, "371825009"), (SNOMED, "373066001")),
        )
    )
    assert decoded.instants[0].values == {
        Vital.CONSCIOUSNESS: 2,
        Vital.SUPPLEMENTAL_OXYGEN: 1,
    }
    assert decoded.refused == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": LEFT_OUT}, MOMENT, id="without a status"),
        pytest.param({"status": "amended"}, MOMENT, id="amended"),
        pytest.param({"status": "corrected"}, MOMENT, id="corrected"),
        pytest.param(
            {"effectiveDateTime": LEFT_OUT, "effectiveInstant": TIME}, MOMENT, id="an instant"
        ),
        pytest.param(
            {
                "effectiveDateTime": LEFT_OUT,
                "effectivePeriod": {"start": "2026-11-24T02:00:00Z", "end": TIME},
            },
            MOMENT,
            id="the end of a while",
        ),
    ],
)
def test_what_is_taken_too(changes: dict[str, Any], expected: datetime) -> None:
    decoded = read(rate(**changes))
    assert decoded.refused == []
    assert [instant.time for instant in decoded.instants] == [expected]


def test_what_is_good_in_a_bundle_is_kept() -> None:
    decoded = read(bundle(rate(), rate(code=concept((LOINC, "8302-2"))), rate(contained=[rate()])))
    assert decoded.instants == [Instant(MOMENT, {Vital.HEART_RATE: 70})]
    assert told(decoded) == [
        ("entry[1].resource.code", "unknown-code"),
        ("entry[2].resource.contained[0]", "unsupported"),
    ]


def test_the_same_value_twice_is_one_and_another_is_refused() -> None:
    decoded = read(bundle(rate(), rate(), rate(valueQuantity=quantity(71, "/min"))))
    assert decoded.instants == [Instant(MOMENT, {Vital.HEART_RATE: 70})]
    assert told(decoded) == [("entry[2].resource.valueQuantity", "repeated")]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        pytest.param(rate(), None, id="without a name"),
        pytest.param(rate(id="obs-1"), "obs-1", id="its id"),
        pytest.param(
            rate(id="obs-1", identifier=[{"value": "urn:uuid:1"}]), "urn:uuid:1", id="identifier"
        ),
        pytest.param(
            rate(id="obs-1", identifier=[{"value": "x" * 65}]), "obs-1", id="one is too long"
        ),
        pytest.param(rate(id="vigie/v1/#"), None, id="not of letters"),
        pytest.param(rate(id="id\n"), None, id="a line of its own"),
        pytest.param(rate(id=7), None, id="a number"),
        pytest.param(
            bundle(rate(id="obs-1"), id="b-1", identifier={"value": "b-2"}), "b-2", id="a bundle's"
        ),
        pytest.param(
            bundle({"resourceType": "Device", "id": "d"}, rate(id="obs-1"), rate(id="obs-2")),
            "obs-1",
            id="its first observation's",
        ),
        pytest.param(rate(id="obs-1", status="cancelled"), "obs-1", id="of what is refused"),
        pytest.param(
            bundle(rate(id="obs-1"), type="searchset"), "obs-1", id="of a bundle that is refused"
        ),
    ],
)
def test_how_a_message_is_named(message: object, name: str | None) -> None:
    assert read(message).id == name


def test_no_refusal_tells_of_the_patient() -> None:
    surname = "MARTIN"
    person = {"reference": f"Patient/{surname}", "display": surname}
    message = rate(subject=person, performer=[person], status=surname, id=surname + "\n")
    assert surname not in repr(read(message))
    assert surname not in repr(read(rate(subject=person, code={"text": surname})))
