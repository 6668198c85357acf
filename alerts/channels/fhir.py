"""A measure as the ANS guide "Mesures de santé" 3.2.0 wants it: a FHIR R4 transaction bundle. Pure.

One bundle carries one Observation and its Device. The guide's example and rules, and the HL7
profiles below it, fix every code; what a site must set is in `Space`.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import SPECS, Vital, reading_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from alerts.delivery import Measure
    from ingest.readings import Original

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
PHD = "http://hl7.org/fhir/uv/phd/StructureDefinition/PhdDevice"
# The extension's canonical is the guide's own, whatever base a site sets for the profiles.
ORIGINAL = (
    "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/mesures-original-data"
)

# MDC: "personal health device" and the generic specialization. A bedside monitor measures several
# vitals, and a device is created only once, so a special one would be wrong for the next measure.
PERSONAL_HEALTH_DEVICE, GENERIC = "65573", "528457"
# The device identifiers that the space's conditional create accepts.
PLAIN_ID = re.compile(r"[A-Za-z0-9]+[-A-Za-z0-9]+")

Json = dict[str, object]


class Shape(NamedTuple):
    """How the guide wants a vital: profile id, LOINC codes, the unit as people read it."""

    profile: str
    codes: tuple[str, ...]
    unit: str


PRESSURE = Shape("mesures-fr-observation-bp", ("85354-9",), "mmHg")
# SpO2 carries HL7's fixed code and the one of pulse oximetry. No `method`: the profile binds it to
# a list for heart rate, as required.
SHAPES: Mapping[Vital, Shape] = MappingProxyType(
    {
        Vital.HEART_RATE: Shape("mesures-fr-observation-heartrate", ("8867-4",), "/min"),
        Vital.SPO2: Shape("mesures-fr-observation-oxygen-sat", ("2708-6", "59408-5"), "%"),
        Vital.TEMPERATURE: Shape("mesures-fr-observation-body-temperature", ("8310-5",), "°C"),
        Vital.WEIGHT: Shape("mesures-fr-observation-body-weight", ("29463-7",), "kg"),
    }
)


@dataclass(frozen=True, slots=True)
class Space:
    """How a site is known to the patients' e-health space.

    profiles: canonical base of the ANS profiles. patient_oid: OID of pairing identifiers (idPE).
    system_oid: OID of the sending system; its devices are numbered below `.1` of it.
    """

    profiles: str
    patient_oid: str
    system_oid: str


def bundle(measure: Measure, patient: str, space: Space) -> Json:
    """Write the transaction for one measure; `patient` is the pairing identifier (idPE).

    The same measure gives the same bundle, so a copy is recognised by the Observation's identifier.
    """
    name, device = _id(measure), uuid.uuid5(_root(space), measure.device)
    serial = serial_number(measure.device)
    system = f"urn:oid:{space.system_oid}.1"
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{device}",
                "resource": _device(device, system, serial),
                "request": {
                    "method": "POST",
                    "url": "Device",
                    "ifNoneExist": f"identifier={system}|{serial}",
                },
            },
            {
                "fullUrl": f"urn:uuid:{name}",
                "resource": _observation(measure, name, device, patient, space),
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }


def serial_number(device: str) -> str:
    """Return the device's id as the space accepts it: as it is, or else a name derived from it.

    >>> serial_number("dev-0042"), len(serial_number("ward.3_bed.7"))
    ('dev-0042', 36)
    """
    if PLAIN_ID.fullmatch(device):
        return device
    return str(uuid.uuid5(uuid.NAMESPACE_OID, device))


def _root(space: Space) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_OID, space.system_oid)


def _id(measure: Measure) -> uuid.UUID:
    if Vital.SYSTOLIC in measure.values:
        systolic = reading_id(measure.device, Vital.SYSTOLIC, measure.time)
        return uuid.uuid5(systolic, PRESSURE.codes[0])
    (vital,) = measure.values
    return reading_id(measure.device, vital, measure.time)


def _device(device: uuid.UUID, system: str, serial: str) -> Json:
    # The profile demands maker, model and version; an alert does not carry them, and a made-up one
    # would be worse than saying so.
    return {
        "resourceType": "Device",
        "id": str(device),
        "meta": {"profile": [PHD]},
        "identifier": [{"system": system, "value": serial}],
        "manufacturer": "unknown",
        "modelNumber": "unknown",
        "type": {"coding": [{"system": MDC, "code": PERSONAL_HEALTH_DEVICE}]},
        "specialization": [
            {"systemType": {"coding": [{"system": MDC, "code": GENERIC}]}, "version": "unknown"}
        ],
    }


def _observation(
    measure: Measure, name: uuid.UUID, device: uuid.UUID, patient: str, space: Space
) -> Json:
    pressure = Vital.SYSTOLIC in measure.values
    shape = PRESSURE if pressure else SHAPES[next(iter(measure.values))]
    return {
        "resourceType": "Observation",
        "id": str(name),
        "meta": {
            "source": f"urn:oid:{space.system_oid}",
            "profile": [f"{space.profiles}{shape.profile}"],
        },
        **_originals(measure, shape),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{name}"}],
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
        "code": _code(*shape.codes),
        "subject": {
            "identifier": {"system": f"urn:oid:{space.patient_oid}", "value": patient},
        },
        "device": {"reference": f"Device/{device}"},
        "effectiveDateTime": _stamp(measure.time),
        **(_components(measure) if pressure else _value(measure, shape)),
    }


def _value(measure: Measure, shape: Shape) -> Json:
    ((vital, value),) = measure.values.items()
    return {"valueQuantity": _quantity(value, SPECS[vital].unit, shape.unit)}


def _components(measure: Measure) -> Json:
    return {
        "component": [
            {
                "code": _code(SPECS[vital].loinc or ""),
                "valueQuantity": _quantity(measure.values[vital], SPECS[vital].unit, PRESSURE.unit),
            }
            for vital in (Vital.SYSTOLIC, Vital.DIASTOLIC)
        ]
    }


def _originals(measure: Measure, shape: Shape) -> Json:
    # The extension holds one value, of the Observation as a whole: it cannot speak for the two
    # components of a blood pressure, which are therefore sent without.
    if len(measure.values) != 1 or not measure.original:
        return {}
    (original,) = measure.original.values()
    return {"extension": [{"url": ORIGINAL, "extension": _converted(original, shape)}]}


def _converted(original: Original, shape: Shape) -> list[Json]:
    return [
        {"url": "has-been-converted", "valueBoolean": True},
        {"url": "original-code", "valueCodeableConcept": _code(*shape.codes)},
        {
            "url": "original-value",
            "valueQuantity": _quantity(original.value, original.unit, original.unit),
        },
    ]


def _code(*codes: str) -> Json:
    return {"coding": [{"system": LOINC, "code": code} for code in codes]}


def _quantity(value: float, unit: str, text: str) -> Json:
    return {"value": value, "unit": text, "system": UCUM, "code": unit}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
