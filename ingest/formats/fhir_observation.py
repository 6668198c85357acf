"""A FHIR R4 Observation: its values and those of its components, or why they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from ingest.formats import codes
from ingest.formats.foreign import LONGEST
from ingest.formats.measures import shown
from ingest.readings import SPECS, Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.formats.measures import Measures
    from ingest.readings import Vital

# Entries of a Bundle, and components of an Observation.
PARTS = 10_000
# Preliminary values are not taken: the first value of a moment is the one that is kept, so an
# interim one would stand in the way of the final one. A status left out is taken as final.
FINAL = frozenset({"final", "amended", "corrected"})
# They may turn a value into its opposite; FHIR forbids to read on past one that is not understood.
MODIFIERS = ("modifierExtension", "implicitRules")
EFFECTIVE = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming")


def observe(measures: Measures, observation: dict[str, Any], at: str) -> None:
    """Take what an Observation tells; `at` is its place with a dot, or empty for a whole message.

    Its time, status and modifiers hold for its components too.
    """
    status = observation.get("status", "final")
    if not isinstance(status, str) or status not in FINAL:
        return measures.refuse(Refusal.NOT_FINAL, f"{at}status")
    if modified(measures, observation, at):
        return None
    if "contained" in observation:
        contained(measures, observation, at)
    time = _time(measures, observation, at)
    if time is None:
        return None
    told = _told(measures, observation, at, time)
    if "component" in observation:
        _components(measures, observation, at, time)
    elif not told and "hasMember" not in observation:
        measures.refuse(Refusal.NO_VITALS, at.removesuffix("."))
    return None


def _components(measures: Measures, observation: dict[str, Any], at: str, time: datetime) -> None:
    for index, component in parts(measures, observation, "component", at):
        place = f"{at}component[{index}]"
        if modified(measures, component, f"{place}."):
            continue
        if not _told(measures, component, f"{place}.", time):
            measures.refuse(Refusal.NO_VITALS, place)


def _time(measures: Measures, observation: dict[str, Any], at: str) -> datetime | None:
    """Read when it was measured; what took a while is known at its end."""
    told = [one for one in EFFECTIVE if one in observation]
    name = told[0] if told else "effectiveDateTime"
    given = observation.get(name, UNSET)
    place = f"{at}{name}"
    if len(told) > 1 or name == "effectiveTiming":
        measures.refuse(Refusal.UNSUPPORTED, place)
        return None
    if name == "effectivePeriod":
        return _end(measures, given, place)
    return measures.moment(given, place)


def _end(measures: Measures, period: object, at: str) -> datetime | None:
    if not isinstance(period, dict):
        measures.refuse(Refusal.BAD_TIME, at)
        return None
    end = measures.moment(period.get("end", UNSET), f"{at}.end")
    if end is None or "start" not in period:
        return end
    start = measures.moment(period["start"], f"{at}.start")
    if start is None:
        return None
    if start > end or end - start > LONGEST:
        measures.refuse(Refusal.BAD_TIME if start > end else Refusal.UNSUPPORTED, at)
        return None
    return end


def _told(measures: Measures, holder: dict[str, Any], at: str, time: datetime) -> bool:
    """Take the value of an Observation or a component; says whether there was any."""
    named = [name for name in holder if name.startswith("value")]
    if holder.get("dataAbsentReason") is not None:
        # With a value beside it the two contradict each other (FHIR's invariant obs-6).
        reason = Refusal.UNSUPPORTED if named else Refusal.ABSENT
        measures.refuse(reason, f"{at}dataAbsentReason")
        return True
    if not named:
        return False
    vital = codes.meaning(holder.get("code"))
    if vital is codes.Other.QUALIFIER:
        return True
    name = named[0]
    if isinstance(vital, Refusal):
        measures.refuse(vital, f"{at}code")
    elif isinstance(vital, codes.Other) or len(named) > 1:
        measures.refuse(Refusal.UNSUPPORTED, f"{at}{shown(name)}")
    elif name == "valueQuantity" and vital not in codes.CODED:
        _quantity(measures, holder[name], vital, f"{at}valueQuantity", time)
    elif name == "valueCodeableConcept" and vital in codes.CODED:
        _answer(measures, holder[name], vital, f"{at}valueCodeableConcept", time)
    else:
        measures.refuse(Refusal.UNSUPPORTED, f"{at}{shown(name)}")
    return True


def _answer(measures: Measures, given: object, vital: Vital, at: str, time: datetime) -> None:
    found = codes.answer(vital, given)
    if isinstance(found, Refusal):
        return measures.refuse(found, at)
    return measures.add(time, vital, found, SPECS[vital].unit, at)


def _quantity(measures: Measures, given: object, vital: Vital, at: str, time: datetime) -> None:
    if not isinstance(given, dict):
        return measures.refuse(Refusal.NULL if given is None else Refusal.NOT_AN_OBJECT, at)
    if "comparator" in given:
        # "Less than 50" is no measurement.
        return measures.refuse(Refusal.UNSUPPORTED, f"{at}.comparator")
    value = given.get("value", UNSET)
    if value is UNSET and "_value" in given:
        # FHIR's other way to say why there is no value: an extension of the missing number.
        return measures.refuse(Refusal.ABSENT, f"{at}._value")
    unit, system = given.get("code"), given.get("system")
    if not isinstance(unit, str) or not unit:
        return measures.refuse(Refusal.MISSING_UNIT, f"{at}.code")
    if system != codes.UCUM:
        reason = Refusal.UNKNOWN_UNIT if isinstance(system, str) else Refusal.MISSING_UNIT
        return measures.refuse(reason, f"{at}.system")
    fault = codes.unit_fault(vital, unit)
    if fault is not None:
        return measures.refuse(fault, f"{at}.code")
    return measures.add(time, vital, None if value is UNSET else value, unit, at)


def parts(
    measures: Measures, holder: dict[str, Any], name: str, at: str
) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a list, with their places in it; notes what is none."""
    if name not in holder:
        return []
    listed = holder[name]
    if not isinstance(listed, list) or len(listed) > PARTS:
        measures.refuse(Refusal.BAD_READINGS, f"{at}{name}")
        return []
    found = []
    for index, part in enumerate(listed):
        if isinstance(part, dict):
            found.append((index, part))
        else:
            measures.refuse(Refusal.NOT_AN_OBJECT, f"{at}{name}[{index}]")
    return found


def modified(measures: Measures, holder: dict[str, Any], at: str) -> bool:
    """Whether something changes the meaning of all that follows; that is noted as a refusal."""
    for name in MODIFIERS:
        if name in holder:
            measures.refuse(Refusal.UNSUPPORTED, f"{at}{name}")
            return True
    return False


def contained(measures: Measures, resource: dict[str, Any], at: str) -> None:
    """Refuse Observations that are packed into another resource."""
    for index, inner in parts(measures, resource, "contained", at):
        if inner.get("resourceType") == "Observation":
            measures.refuse(Refusal.UNSUPPORTED, f"{at}contained[{index}]")
