"""HL7 FHIR R4: one Observation, or a Bundle of them, as personal health devices send.

Who is measured and by what is not taken from the message: the topic names the device, the registry
its wearer. `valueQuantity.unit` is text for people and is not read: its `code` is UCUM.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ingest.codec import Refused
from ingest.formats import fhir_shape
from ingest.formats.fhir_observation import contained, modified, observe, parts
from ingest.formats.foreign import load, name_of
from ingest.formats.measures import Measures, TooManyFaults
from ingest.formats.port import Decoded
from ingest.readings import Refusal

if TYPE_CHECKING:
    from datetime import datetime

# Bundles that bring something new; the others answer, list or bind together what exists.
BUNDLES = frozenset({"collection", "transaction", "batch", "message"})
METHODS = frozenset({"POST", "PUT"})
# Resources that go along with measures and hold none.
COMPANIONS = frozenset(
    {
        "Device",
        "DeviceMetric",
        "DiagnosticReport",
        "Encounter",
        "Location",
        "MessageHeader",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "Provenance",
        "RelatedPerson",
    }
)


def decode(payload: bytes, device: str, received: datetime) -> Decoded:  # noqa: ARG001 (the port)
    """Read a message of this device, received at `received` (UTC). Never raises.

    The message's name is its `identifier.value` or `id`; a Bundle that has neither goes by its
    first Observation's.
    """
    resource = load(payload, fhir_shape.read)
    if isinstance(resource, Refusal):
        return _whole(resource)
    if not isinstance(resource, dict):
        return _whole(Refusal.NOT_AN_OBJECT)
    measures = Measures(received)
    kind = resource.get("resourceType")
    name = _name(resource)
    with suppress(TooManyFaults):
        if kind == "Observation":
            observe(measures, resource, "")
        elif kind == "Bundle":
            name = _first_name(resource) if name is None else name
            _bundle(measures, resource)
        else:
            measures.refuse(Refusal.UNSUPPORTED, "resourceType")
    return measures.decoded(name=name)


def _whole(reason: Refusal) -> Decoded:
    return Decoded(None, [], [Refused(reason)])


def _name(resource: dict[str, Any]) -> str | None:
    identifiers = resource.get("identifier")
    if identifiers is None:
        return name_of(resource.get("id"))
    if not isinstance(identifiers, list):
        identifiers = [identifiers]
    values = [one.get("value") for one in identifiers if isinstance(one, dict)]
    return name_of(*values, resource.get("id"))


def _first_name(bundle: dict[str, Any]) -> str | None:
    """Return the name of the first Observation that has one.

    Also of a Bundle that is refused: what has no name has no receipt, and would be sent for ever.
    """
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict) and resource.get("resourceType") == "Observation":
            name = _name(resource)
            if name is not None:
                return name
    return None


def _bundle(measures: Measures, bundle: dict[str, Any]) -> None:
    """Read each entry."""
    kind = bundle.get("type")
    if not isinstance(kind, str) or kind not in BUNDLES:
        return measures.refuse(Refusal.UNSUPPORTED, "type")
    if modified(measures, bundle, ""):
        return None
    for index, entry in parts(measures, bundle, "entry", ""):
        at = f"entry[{index}]"
        request = entry.get("request")
        if request is not None and not _brings(request):
            measures.refuse(Refusal.UNSUPPORTED, f"{at}.request.method")
            continue
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            measures.refuse(Refusal.NOT_AN_OBJECT, f"{at}.resource")
        elif modified(measures, entry, f"{at}."):
            continue
        elif resource.get("resourceType") == "Observation":
            observe(measures, resource, f"{at}.resource.")
        else:
            _companion(measures, resource, f"{at}.resource.")
    return None


def _brings(request: object) -> bool:
    method = request.get("method") if isinstance(request, dict) else None
    return isinstance(method, str) and method in METHODS


def _companion(measures: Measures, resource: dict[str, Any], at: str) -> None:
    """Pass over what holds no measure, and refuse what may."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in COMPANIONS:
        measures.refuse(Refusal.UNSUPPORTED, f"{at}resourceType")
    contained(measures, resource, at)
