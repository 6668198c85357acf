"""FHIR messages for tests: a heart rate of 70, changed as a test wants it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ingest.formats.fhir import decode
from tests.contract.format_cases import LOINC, concept, observation, quantity

if TYPE_CHECKING:
    from ingest.formats.port import Decoded

NOW = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
TIME = "2026-11-24T04:00:00+01:00"
MOMENT = datetime(2026, 11, 24, 3, tzinfo=UTC)
SNOMED = "http://snomed.info/sct"
RATE = concept((LOINC, "8867-4"))
SEVENTY = quantity(70, "/min")
LEFT_OUT = object()


def rate(**changes: Any) -> dict[str, Any]:
    """Make an Observation of a heart rate of 70, with changes."""
    made = observation(TIME, code=RATE, valueQuantity=SEVENTY) | changes
    return {name: value for name, value in made.items() if value is not LEFT_OUT}


def bundle(*resources: Any, **rest: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries, **rest}


def read(message: object) -> Decoded:
    return decode(json.dumps(message).encode(), "dev-1", NOW)


def told(decoded: Decoded) -> list[tuple[str, str]]:
    return [(one.at, one.reason.value) for one in decoded.refused]


def coded(question: tuple[str, str], *answers: tuple[str, str]) -> dict[str, Any]:
    return rate(
        code=concept(question), valueQuantity=LEFT_OUT, valueCodeableConcept=concept(*answers)
    )
