"""The bundles that leave for the e-health space, against the rules that were written apart."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from alerts.channels import fhir
from alerts.channels.ens import Ens
from alerts.delivery import SHAREABLE, Measure
from ingest.ports import SettingError
from ingest.readings import Original, Vital, reading_id
from simulators import ens_rules
from tests.unit.alerts.stories import NIGHT, measure

SPACE = fhir.Space(
    "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/",
    "1.2.840.10004.1.1.1.0.0.1.0.0.1.2560",
    "2.25.17",
)
PRESSURE = Measure({Vital.SYSTOLIC: 88.0, Vital.DIASTOLIC: 50.0}, NIGHT, "dev-1")
SENT = [
    measure(Vital.HEART_RATE, 131.0),
    measure(Vital.SPO2, 88.0),
    measure(Vital.TEMPERATURE, 39.4),
    measure(Vital.WEIGHT, 71.0),
    PRESSURE,
    measure(Vital.TEMPERATURE, 37.0, original={Vital.TEMPERATURE: Original(98.6, "[degF]")}),
]


def bundle(one: Measure) -> dict[str, Any]:
    """Write the bundle and read it back, as the other side does."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(fhir.bundle(one, "idpe-17", SPACE)))
    return found


def observation(one: Measure) -> dict[str, Any]:
    found: dict[str, Any] = bundle(one)["entry"][1]["resource"]
    return found


def test_every_shareable_vital_is_among_those_tried() -> None:
    assert {vital for one in SENT for vital in one.values} >= set(SHAREABLE)
    assert set(fhir.SHAPES) == set(SHAREABLE)


@pytest.mark.parametrize("one", SENT, ids=lambda m: "+".join(m.values))
def test_the_space_has_nothing_to_object(one: Measure) -> None:
    assert ens_rules.check(bundle(one)) == []


def test_a_heart_rate_is_written_as_the_guide_writes_a_measure() -> None:
    found = bundle(measure(Vital.HEART_RATE, 131.0))
    device = found["entry"][0]["resource"]["id"]
    name = str(reading_id("dev-1", Vital.HEART_RATE, NIGHT))
    assert found["entry"][0]["request"] == {
        "method": "POST",
        "url": "Device",
        "ifNoneExist": "identifier=urn:oid:2.25.17.1|dev-1",
    }
    assert found["entry"][1] == {
        "fullUrl": f"urn:uuid:{name}",
        "resource": {
            "resourceType": "Observation",
            "id": name,
            "meta": {
                "source": "urn:oid:2.25.17",
                "profile": [f"{SPACE.profiles}mesures-fr-observation-heartrate"],
            },
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{name}"}],
            "status": "final",
            "category": [{"coding": [{"system": fhir.CATEGORY, "code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {
                "identifier": {"system": f"urn:oid:{SPACE.patient_oid}", "value": "idpe-17"}
            },
            "device": {"reference": f"Device/{device}"},
            "effectiveDateTime": "2026-11-24T03:00:00Z",
            "valueQuantity": {
                "value": 131.0,
                "unit": "/min",
                "system": "http://unitsofmeasure.org",
                "code": "/min",
            },
        },
        "request": {"method": "POST", "url": "Observation"},
    }


def test_saturation_has_both_codes_and_no_method() -> None:
    found = observation(measure(Vital.SPO2, 88.0))
    assert [c["code"] for c in found["code"]["coding"]] == ["2708-6", "59408-5"]
    assert "method" not in found


def test_blood_pressure_is_a_panel_without_a_value_of_its_own() -> None:
    found = observation(PRESSURE)
    assert "valueQuantity" not in found
    told = [(c["code"]["coding"][0]["code"], c["valueQuantity"]) for c in found["component"]]
    unit = {"unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    assert told == [("8480-6", {"value": 88.0} | unit), ("8462-4", {"value": 50.0} | unit)]


def test_what_was_converted_says_what_the_device_sent() -> None:
    converted, plain = observation(SENT[-1]), observation(SENT[2])
    (extension,) = converted["extension"]
    parts = {part["url"]: part for part in extension["extension"]}
    assert parts["has-been-converted"]["valueBoolean"] is True
    assert parts["original-code"]["valueCodeableConcept"]["coding"][0]["code"] == "8310-5"
    assert parts["original-value"]["valueQuantity"]["value"] == 98.6
    assert parts["original-value"]["valueQuantity"]["code"] == "[degF]"
    assert "extension" not in plain


def test_the_same_measure_gives_the_same_bundle_and_another_moment_another_name() -> None:
    first, second = measure(), measure()
    later = msgspec.structs.replace(first, time=NIGHT.replace(hour=4))
    assert bundle(first) == bundle(second)
    assert observation(first)["identifier"] != observation(later)["identifier"]
    pressure, systolic = observation(PRESSURE)["id"], reading_id("dev-1", Vital.SYSTOLIC, NIGHT)
    assert pressure != str(systolic)


@pytest.mark.parametrize("device", ["dev-1", "a", "ward.3_bed.7", "X9", "0a-1b-", "a.b", "a_b"])
def test_any_device_of_the_registry_gets_an_identifier_that_the_space_accepts(device: str) -> None:
    one = Measure({Vital.SPO2: 88.0}, NIGHT, device)
    assert ens_rules.check(bundle(one)) == []


def test_two_devices_never_get_one_identifier() -> None:
    assert fhir.serial_number("a.b") != fhir.serial_number("a_b")


@pytest.mark.parametrize("url", ["ftp://ens", "ens", "", "http://", "http://ens:port/fhir"])
def test_an_unusable_address_is_an_operators_matter(url: str) -> None:
    with pytest.raises(SettingError, match="VIGIE_ENS"):
        Ens(url, "", SPACE)
