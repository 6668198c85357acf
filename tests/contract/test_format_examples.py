"""The formats on what their makers published: examples value for value, schemas word for word.

The published files are read in place, from the folder that VIGIE_FHIR names or from `shared/fhir`
beside the checkout; they are not ours to copy. What stands here in full is short and our own.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest.formats import codes, fhir, open_mhealth
from ingest.formats.open_mhealth_schemas import SCHEMAS
from ingest.readings import Instant, Vital

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.formats.port import Decode

BESIDE = Path(__file__).parents[3] / "shared" / "fhir"


@pytest.fixture(scope="module")
def published() -> Path:
    folder = Path(os.environ.get("VIGIE_FHIR") or BESIDE)
    if not (folder / "phd").is_dir():
        pytest.skip("VIGIE_FHIR names no folder with the published definitions")
    return folder


def at(*moment: int, west: int = 0) -> datetime:
    """Make a moment of a clock that is so many hours behind UTC."""
    return datetime(*moment, tzinfo=UTC) + timedelta(hours=west)  # type: ignore[arg-type, misc]  # parts of a date


@pytest.mark.parametrize(
    ("path", "moment", "values", "name"),
    [
        pytest.param(
            "phd/numeric-spotnumeric.json",
            at(2018, 11, 13, 17, 59, 3, west=5),
            {Vital.PULSE_RATE: 48},
            "numeric-spotnumeric",
            id="a pulse by oximetry, also coded as a heart rate, with a broken unit text",
        ),
        pytest.param(
            "phd/numeric-spo2-alarm.json",
            at(2018, 11, 13, 17, 59, 2, west=5),
            {Vital.SPO2: 79},
            "numeric-spo2-alarm",
            id="a saturation, with a component that says how",
        ),
        pytest.param(
            "phd/compound-numeric-blood-pressure.json",
            at(2018, 11, 11, 11, 38, 15, west=5),
            {Vital.SYSTOLIC: 116, Vital.DIASTOLIC: 71, Vital.MEAN_PRESSURE: 86},
            "compound-numeric-blood-pressure",
            id="a blood pressure",
        ),
        pytest.param(
            "phd/temperature-observation.json",
            at(2025, 1, 8, 19, 7, 48, west=5),
            {Vital.TEMPERATURE: 36.5},
            "temperature-observation",
            id="a temperature, with quantities in extensions",
        ),
        pytest.param(
            "examples/mes-bundle-bodyweight.json",
            at(2022, 8, 22, 1, 56, 16, west=-1),
            {Vital.WEIGHT: 71},
            "5138af77-df7e-4b9d-ba17-07ba3ebb950a",
            id="a transaction of the e-health space",
        ),
    ],
)
def test_a_published_example_comes_value_for_value(
    published: Path, path: str, moment: datetime, values: dict[Vital, float], name: str
) -> None:
    payload = (published / path).read_bytes()
    found = fhir.decode(payload, "dev-1", moment + timedelta(seconds=1))
    assert found.refused == []
    assert found.instants == [Instant(moment, values)]
    assert found.id == name


def test_a_published_example_without_a_number_gives_none(published: Path) -> None:
    payload = (published / "phd/numeric-observation-not-a-number.json").read_bytes()
    found = fhir.decode(payload, "dev-1", at(2018, 11, 12))
    assert found.instants == []
    assert [(one.at, one.reason.value) for one in found.refused] == [("dataAbsentReason", "absent")]


def test_every_published_example_is_told_or_refused(published: Path) -> None:
    paths = [*published.glob("phd/*.json"), *published.glob("examples/*.json")]
    assert len(paths) >= 7
    for path in paths:
        found = fhir.decode(path.read_bytes(), "dev-1", at(2025, 6, 1))
        assert found.instants or found.refused, path.name


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS) - {"step-count"}))
def test_measures_and_units_are_those_of_the_published_schema(published: Path, schema: str) -> None:
    (path,) = published.glob(f"omh/{schema}-*.json")
    definition = json.loads(path.read_text())
    fields = SCHEMAS[schema]
    assert fields.keys() <= definition["properties"].keys()
    assert set(definition["required"]) - {"effective_time_frame"} <= fields.keys()
    for name, field in fields.items():
        listed = list(units(definition["properties"][name]))
        assert not listed or listed == [list(field.units)], name


def units(node: Any) -> Iterator[list[str]]:
    """Walk to the units that a schema lists for a measure; the older ones refer to another file."""
    if isinstance(node, dict):
        if "unit" in node:
            yield node["unit"]["enum"]
        for inner in node.values():
            yield from units(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from units(inner)


@pytest.mark.parametrize(
    ("profile", "vital"),
    [
        ("fr-observation-body-temperature", Vital.TEMPERATURE),
        ("fr-observation-body-weight", Vital.WEIGHT),
        ("observation-steps-by-day", Vital.STEPS),
    ],
)
def test_the_unit_that_a_profile_of_the_e_health_space_fixes_is_taken(
    published: Path, profile: str, vital: Vital
) -> None:
    path = published / "ans" / f"StructureDefinition-mesures-{profile}.json"
    elements = json.loads(path.read_text())["differential"]["element"]
    fixed = [one["patternQuantity"] for one in elements if "patternQuantity" in one]
    assert fixed
    for quantity in fixed:
        assert quantity["system"] == codes.UCUM
        assert codes.unit_fault(vital, quantity["code"]) is None


SPOT = """{"resourceType": "Observation",
 "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "149530"},
                     {"system": "http://loinc.org", "code": "8867-4"}]},
 "effectiveDateTime": "2026-11-13T17:59:03-05:00",
 "valueQuantity": {"value": 51.0, "unit": "{beat}/min}",
                   "system": "http://unitsofmeasure.org", "code": "/min"},
 "device": {"reference": "Device/phd-1"}}"""
PRESSURE = """{"resourceType": "Bundle", "type": "transaction", "id": "b-1", "entry": [
 {"resource": {"resourceType": "Device", "id": "cuff"},
  "request": {"method": "POST", "url": "Device"}},
 {"resource": {"resourceType": "Observation", "status": "final",
   "code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150020"}]},
   "effectiveDateTime": "2026-11-13T07:00:00+01:00",
   "component": [
    {"code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150021"}]},
     "valueQuantity": {"value": 121, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
    {"code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150022"}]},
     "valueQuantity": {"value": 79, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}},
    {"code": {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150023"}]},
     "valueQuantity": {"value": 93, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}]},
  "request": {"method": "POST", "url": "Observation"}}]}"""
SATURATION = """{"header": {"id": "point-1", "creation_date_time": "2026-11-13T07:25:00Z",
  "schema_id": {"namespace": "omh", "name": "oxygen-saturation", "version": "2.0"},
  "acquisition_provenance": {"source_name": "an oximeter", "modality": "sensed"}},
 "body": {"oxygen_saturation": {"value": 94, "unit": "%"},
  "supplemental_oxygen_flow_rate": {"value": 2.5, "unit": "L/min"},
  "effective_time_frame": {"date_time": "2026-11-13T07:25:00Z"}}}"""


@pytest.mark.parametrize(
    ("decode", "message", "moment", "values", "name"),
    [
        pytest.param(
            fhir.decode,
            SPOT,
            at(2026, 11, 13, 17, 59, 3, west=5),
            {Vital.PULSE_RATE: 51},
            None,
            id="FHIR: a pulse in MDC and LOINC",
        ),
        pytest.param(
            fhir.decode,
            PRESSURE,
            at(2026, 11, 13, 6),
            {Vital.SYSTOLIC: 121, Vital.DIASTOLIC: 79, Vital.MEAN_PRESSURE: 93},
            "b-1",
            id="FHIR: a transaction with a pressure in MDC",
        ),
        pytest.param(
            open_mhealth.decode,
            SATURATION,
            at(2026, 11, 13, 7, 25),
            {Vital.SPO2: 94, Vital.OXYGEN_FLOW: 2.5},
            "point-1",
            id="Open mHealth: a saturation under oxygen",
        ),
    ],
)
def test_an_example_of_our_own_comes_value_for_value(
    decode: Decode, message: str, moment: datetime, values: dict[Vital, float], name: str | None
) -> None:
    found = decode(message.encode(), "dev-1", moment + timedelta(seconds=1))
    assert found.refused == []
    assert found.instants == [Instant(moment, values)]
    assert found.id == name
