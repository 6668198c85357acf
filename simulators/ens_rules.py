"""What Mon espace santé demands of a measure, as the ANS guide 3.2.0 and its API page say it. Pure.

Written from those rules, not from our client: it is what the client is tested against.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

BASE = "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/"
ORIGINAL = f"{BASE}mesures-original-data"
PHD = "http://hl7.org/fhir/uv/phd/StructureDefinition/PhdDevice"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
MDC = "urn:iso:std:iso:11073:10101"
# The API page's own expression (`identifier=urn:oid:([0-9]+[\.[0-9]+]+)\|([a-zA-Z0-9]+...`): its
# nested classes are a Java spelling of the classes below.
CONDITION = re.compile(r"identifier=urn:oid:([0-9]+[.0-9+]+)\|([a-zA-Z0-9]+[-a-zA-Z0-9+]+)")
OID = re.compile(r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+")
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
# FHIR dateTime: precise to the day at least (vs-1), and with a zone where there is a time.
STAMP = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?")


class Issue(NamedTuple):
    """One thing that is wrong: a FHIR issue code, a place (FHIRPath), and what was expected."""

    code: str
    at: str
    what: str


class Profile(NamedTuple):
    """What a profile fixes: the LOINC code, the unit, the codes of components."""

    code: str
    unit: str
    components: tuple[str, ...] = ()


PROFILES = MappingProxyType(
    {
        f"{BASE}mesures-fr-observation-heartrate": Profile("8867-4", "/min"),
        f"{BASE}mesures-fr-observation-oxygen-sat": Profile("2708-6", "%"),
        f"{BASE}mesures-fr-observation-body-temperature": Profile("8310-5", "Cel"),
        f"{BASE}mesures-fr-observation-body-weight": Profile("29463-7", "kg"),
        f"{BASE}mesures-fr-observation-bodyheight": Profile("8302-2", "cm"),
        f"{BASE}mesures-observation-steps-by-day": Profile("41950-7", "1/(24.h)"),
        f"{BASE}mesures-fr-observation-bp": Profile("85354-9", "mm[Hg]", ("8480-6", "8462-4")),
    }
)
BMI = f"{BASE}mesures-fr-observation-bmi"

Issues = Iterator[Issue]


def check(bundle: object) -> list[Issue]:
    """List everything that the space would refuse; empty when it would accept."""
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        return [Issue("structure", "Bundle", "not a Bundle")]
    return list(_bundle(bundle))


def _bundle(bundle: dict[str, Any]) -> Issues:
    if bundle.get("type") != "transaction":
        yield Issue("value", "Bundle.type", "must be transaction")
    entries = [e for e in _list(bundle.get("entry")) if isinstance(e, dict)]
    observations = [e for e in entries if _resource(e).get("resourceType") == "Observation"]
    devices = [e for e in entries if _resource(e).get("resourceType") == "Device"]
    if len(observations) != 1:
        yield Issue("structure", "Bundle.entry", "exactly one Observation")
    if len(devices) != 1:
        yield Issue("structure", "Bundle.entry", "one Device, conditionally created")
    if len(entries) != len(observations) + len(devices):
        yield Issue("structure", "Bundle.entry", "nothing but an Observation and a Device")
    for entry in devices:
        yield from _request(entry, "Device")
        yield from _condition(entry)
        yield from _device(_resource(entry))
    for entry in observations:
        yield from _request(entry, "Observation")
        yield from _observation(_resource(entry))
        yield from _link(_resource(entry), devices)


def _request(entry: dict[str, Any], kind: str) -> Issues:
    request = _dict(entry.get("request"))
    if request.get("method") != "POST" or request.get("url") != kind:
        yield Issue("value", f"Bundle.entry({kind}).request", f"POST {kind}")
    if not isinstance(entry.get("fullUrl"), str) or not entry["fullUrl"]:
        yield Issue("required", f"Bundle.entry({kind}).fullUrl", "mandatory")


def _condition(entry: dict[str, Any]) -> Issues:
    at = "Bundle.entry(Device).request.ifNoneExist"
    found = CONDITION.fullmatch(str(_dict(entry.get("request")).get("ifNoneExist", "")))
    if found is None:
        yield Issue("value", at, "identifier=urn:oid:OID|ID")
        return
    wanted = {"system": f"urn:oid:{found[1]}", "value": found[2]}
    named = [_dict(i) for i in _list(_resource(entry).get("identifier"))]
    if not any({k: i.get(k) for k in wanted} == wanted for i in named):
        yield Issue("value", at, "must name an identifier of the Device itself")


def _device(device: dict[str, Any]) -> Issues:
    yield from _identified(device, "Device")
    if PHD not in _profiles(device):
        yield Issue("required", "Device.meta.profile", PHD)
    for name in ("manufacturer", "modelNumber"):
        if not isinstance(device.get(name), str) or not device[name]:
            yield Issue("required", f"Device.{name}", "mandatory")
    if (MDC, "65573") not in _codes(device.get("type")):
        yield Issue("value", "Device.type", "MDC 65573, personal health device")
    special = [_dict(s) for s in _list(device.get("specialization"))]
    if not special or not all(_codes(s.get("systemType")) and s.get("version") for s in special):
        yield Issue("required", "Device.specialization", "an MDC system type and its version")


def _observation(observation: dict[str, Any]) -> Issues:
    yield from _identified(observation, "Observation")
    profiles = _profiles(observation)
    known = [PROFILES[p] for p in profiles if p in PROFILES]
    if BMI in profiles:
        yield Issue("business-rule", "Observation.meta.profile", "the BMI is computed by the space")
    elif len(known) != 1:
        yield Issue("value", "Observation.meta.profile", "one profile of the guide's bundle")
    for profile in known[:1]:
        yield from _measured(observation, profile)
    yield from _framed(observation)
    for place, extension in enumerate(_list(observation.get("extension"))):
        if _dict(extension).get("url") == ORIGINAL:
            yield from _original(_dict(extension), f"Observation.extension[{place}]")


def _framed(observation: dict[str, Any]) -> Issues:
    if observation.get("status") != "final":
        yield Issue("value", "Observation.status", "must be final")
    categories = [_codes(c) for c in _list(observation.get("category"))]
    if sum((CATEGORY, "vital-signs") in c for c in categories) != 1:
        yield Issue("required", "Observation.category", "vital-signs, once")
    subject = _dict(_dict(observation.get("subject")).get("identifier"))
    if not OID.fullmatch(str(subject.get("system", ""))) or not subject.get("value"):
        yield Issue("required", "Observation.subject.identifier", "(OID, idPE)")
    stamp = str(observation.get("effectiveDateTime", ""))
    if not STAMP.fullmatch(stamp) or not _is_moment(stamp):
        yield Issue("value", "Observation.effectiveDateTime", "a dateTime with its zone")
    source = _dict(observation.get("meta")).get("source")
    if source is not None and not OID.fullmatch(str(source)):
        yield Issue("value", "Observation.meta.source", "urn:oid: of the sending system")


def _measured(observation: dict[str, Any], profile: Profile) -> Issues:
    if (LOINC, profile.code) not in _codes(observation.get("code")):
        yield Issue("code-invalid", "Observation.code", f"LOINC {profile.code}")
    if profile.code == "2708-6" and "method" in observation:
        yield Issue("code-invalid", "Observation.method", "its list has nothing for saturation")
    if not profile.components:
        yield from _value(observation, profile.unit, "Observation")
        return
    if any(name.startswith("value") for name in observation):
        yield Issue("structure", "Observation.value", "a panel has no value of its own")
    components = [_dict(c) for c in _list(observation.get("component"))]
    for code in profile.components:
        found = [c for c in components if (LOINC, code) in _codes(c.get("code"))]
        if len(found) != 1:
            yield Issue("required", "Observation.component", f"LOINC {code}, once")
        for component in found:
            yield from _value(component, profile.unit, f"Observation.component({code})")


def _value(holder: dict[str, Any], unit: str, at: str) -> Issues:
    quantity = holder.get("valueQuantity")
    if not isinstance(quantity, dict):
        yield Issue("required", f"{at}.valueQuantity", "measures without a value are refused")
        return
    value = quantity.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        yield Issue("value", f"{at}.valueQuantity.value", "a number")
    if (quantity.get("system"), quantity.get("code")) != (UCUM, unit):
        yield Issue("code-invalid", f"{at}.valueQuantity.code", f"UCUM {unit}")


def _original(extension: dict[str, Any], at: str) -> Issues:
    parts = {p.get("url"): p for p in map(_dict, _list(extension.get("extension")))}
    if _dict(parts.get("has-been-converted")).get("valueBoolean") is not True:
        yield Issue("required", f"{at}.has-been-converted", "true")
    if not _codes(_dict(parts.get("original-code")).get("valueCodeableConcept")):
        yield Issue("required", f"{at}.original-code", "a coding")
    if not isinstance(_dict(parts.get("original-value")).get("valueQuantity"), dict):
        yield Issue("required", f"{at}.original-value", "a Quantity")


def _link(observation: dict[str, Any], devices: list[dict[str, Any]]) -> Issues:
    reference = _dict(observation.get("device")).get("reference")
    if reference not in [f"Device/{_resource(d).get('id')}" for d in devices]:
        yield Issue(
            "not-found", "Observation.device.reference", "Device/ID of this bundle's Device"
        )


def _identified(resource: dict[str, Any], kind: str) -> Issues:
    if not ID.fullmatch(str(resource.get("id", ""))):
        yield Issue("value", f"{kind}.id", "a FHIR id")


def _is_moment(stamp: str) -> bool:
    try:
        datetime.fromisoformat(stamp)
    except ValueError:
        return False
    return True


def _profiles(resource: dict[str, Any]) -> list[Any]:
    return _list(_dict(resource.get("meta")).get("profile"))


def _codes(concept: object) -> list[tuple[object, object]]:
    codings = map(_dict, _list(_dict(concept).get("coding")))
    return [(c.get("system"), c.get("code")) for c in codings]


def _resource(entry: dict[str, Any]) -> dict[str, Any]:
    return _dict(entry.get("resource"))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
