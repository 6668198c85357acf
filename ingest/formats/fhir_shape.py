"""The parts of FHIR R4 that are read, so that the parser passes over the others.

Extensions, texts, references and profiles are most of a message, and the parser is quicker without
them. A message of another shape is read whole, and refused where it is wrong.
"""

from __future__ import annotations

from typing import Any, TypedDict

from msgspec.json import Decoder


class Coding(TypedDict, total=False):
    """A code in its system."""

    system: Any
    code: Any


class Concept(TypedDict, total=False):
    """What something is, in the codes of several systems."""

    coding: list[Coding]


class Part(TypedDict, total=False):
    """What Observations and their components have in common.

    All types that `value[x]` has in R4, and those that R5 adds: what is not taken is to be refused.
    """

    code: Concept
    dataAbsentReason: Any
    modifierExtension: Any
    valueQuantity: Any
    valueCodeableConcept: Any
    valueString: Any
    valueBoolean: Any
    valueInteger: Any
    valueRange: Any
    valueRatio: Any
    valueSampledData: Any
    valueTime: Any
    valueDateTime: Any
    valuePeriod: Any
    valueAttachment: Any
    valueReference: Any


class Resource(Part, total=False):
    """An Observation, a Bundle, or what goes along with them."""

    resourceType: Any
    id: Any
    identifier: Any
    implicitRules: Any
    contained: Any
    type: Any
    entry: list[Entry]
    status: Any
    effectiveDateTime: Any
    effectiveInstant: Any
    effectivePeriod: Any
    effectiveTiming: Any
    component: list[Part]
    hasMember: Any


class Entry(TypedDict, total=False):
    """One resource of a Bundle, and what is asked for it."""

    resource: Resource
    request: Any
    modifierExtension: Any


read = Decoder(Resource).decode
