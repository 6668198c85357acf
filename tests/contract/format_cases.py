"""Every format that a device may speak, as the conformance suite sees it: a writer and a reader.

To add a format, add a `Case` to `CASES`. Its writer stands on the standard's own words, not on the
tables of the reader that it checks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ingest.formats import fhir, gatt, open_mhealth, vigie_json
from ingest.readings import ACVPU, SPECS, Instant, Vital
from ingest.units import conversion
from tests.contract import bytes_cases
from tests.contract.drawn import RECEIVED, note, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from ingest.formats.port import Decode

CODED = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})


@dataclass(frozen=True, slots=True)
class Case:
    """A format under test.

    `instants` draws what one message can tell, in the order in which it tells it, with the quality
    that a reader must find at `RECEIVED`. `write` writes just that: a value that has an `original`
    is written as such, in its unit, and the others in the vital's own. `json` is False for a format
    that is none: its messages are changed byte by byte only.
    """

    name: str
    decode: Decode
    write: Callable[[Sequence[Instant]], bytes]
    instants: SearchStrategy[list[Instant]]
    json: bool = True


def numbers(vital: Vital, unit: str) -> SearchStrategy[float]:
    """Numbers in a unit of this vital that can be believed, more or less."""
    convert = conversion(vital, unit)
    assert convert is not None
    spec, zero = SPECS[vital], convert(0)
    slope = (convert(1000) - zero) / 1000
    low, high = ((limit - zero) / slope for limit in spec.hard)
    return st.one_of(st.floats(low, high), st.integers(int(low) + 1, int(high)).map(float))


def answers(vital: Vital) -> SearchStrategy[float]:
    return st.integers(0, int(SPECS[vital].hard.high)).map(float)


@st.composite
def instants(
    draw: DrawFn, units: Mapping[Vital, Sequence[str]], most: int = 3, ms: int = 1
) -> list[Instant]:
    """Draw what a format can tell that knows these vitals in these UCUM units.

    `most` instants in a message; `ms` is the smallest step of its times, in milliseconds.
    """
    steps = st.integers(0, 10**9).map(lambda n: RECEIVED - timedelta(milliseconds=n * ms))
    moments = draw(st.lists(steps, min_size=1, max_size=most, unique=True))
    return [_instant(draw, moment, units) for moment in moments]


def _instant(draw: DrawFn, time: datetime, units: Mapping[Vital, Sequence[str]]) -> Instant:
    found = Instant(time, {}, {}, {})
    for vital in draw(st.lists(st.sampled_from(list(units)), min_size=1, unique=True)):
        unit = draw(st.sampled_from(units[vital]))
        value = draw(answers(vital) if vital in CODED else numbers(vital, unit))
        note(found, vital, value, unit)
    return found if found.values else _instant(draw, time, units)


def bytes_of(message: object) -> bytes:
    return json.dumps(message).encode()


# Vigie's own JSON


def _vigie(told: Sequence[Instant]) -> bytes:
    readings = [
        {"time": each.time.isoformat(), **{v: _vigie_value(each, v) for v in each.values}}
        for each in told
    ]
    return bytes_of({"seq": 7, "readings": readings})


def _vigie_value(instant: Instant, vital: Vital) -> object:
    value, unit = written(instant, vital)
    if vital is Vital.CONSCIOUSNESS:
        return ACVPU[int(value)]
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return bool(value)
    return {"value": value, "unit": unit} if vital in instant.original else value


# FHIR R4

LOINC, MDC = "http://loinc.org", "urn:iso:std:iso:11073:10101"
FHIR_CODES: dict[Vital, list[tuple[str, str]]] = {
    Vital.HEART_RATE: [(LOINC, "8867-4")],
    Vital.PULSE_RATE: [(MDC, "149530"), (LOINC, "8867-4")],
    Vital.RESPIRATORY_RATE: [(LOINC, "9279-1"), (MDC, "151562")],
    Vital.SPO2: [(LOINC, "2708-6"), (LOINC, "59408-5"), (MDC, "150456")],
    Vital.TEMPERATURE: [(MDC, "150364"), (LOINC, "8310-5")],
    Vital.SYSTOLIC: [(LOINC, "8480-6"), (MDC, "150021")],
    Vital.DIASTOLIC: [(LOINC, "8462-4"), (MDC, "150022")],
    Vital.MEAN_PRESSURE: [(MDC, "150023")],
    Vital.WEIGHT: [(LOINC, "29463-7"), ("http://snomed.info/sct", "27113001")],
    Vital.GLUCOSE: [(LOINC, "2345-7")],
    Vital.STEPS: [(LOINC, "41950-7")],
    Vital.OXYGEN_FLOW: [(LOINC, "3151-8")],
    Vital.SUPPLEMENTAL_OXYGEN: [("http://snomed.info/sct", "371825009")],
    Vital.CONSCIOUSNESS: [(LOINC, "67775-7")],
    Vital.BATTERY: [(MDC, "67996")],
}
LEVELS = ["LA9340-6", "LA6560-2", "LA17108-4", "LA17107-6", "LA9343-0"]
PRESSURES = (Vital.SYSTOLIC, Vital.DIASTOLIC, Vital.MEAN_PRESSURE)


def concept(*codings: tuple[str, str]) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code} for system, code in codings]}


def quantity(value: float, code: str) -> dict[str, Any]:
    return {"value": value, "unit": "?", "system": "http://unitsofmeasure.org", "code": code}


def observation(time: str, **rest: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "effectiveDateTime": time, **rest}


def _fhir(told: Sequence[Instant]) -> bytes:
    found = [each for instant in told for each in _observations(instant)]
    if len(found) == 1:
        return bytes_of(found[0])
    entries = [{"resource": each} for each in found]
    return bytes_of({"resourceType": "Bundle", "type": "collection", "entry": entries})


def _observations(instant: Instant) -> list[dict[str, Any]]:
    """Each value its own Observation; the pressures are the components of one."""
    time = instant.time.isoformat()
    pressures = [vital for vital in instant.values if vital in PRESSURES]
    found = [
        observation(time, **_measure(instant, vital))
        for vital in instant.values
        if vital not in pressures
    ]
    if pressures:
        panel = concept((LOINC, "85354-9"), (MDC, "150020"))
        parts = [_measure(instant, vital) for vital in pressures]
        found.append(observation(time, code=panel, component=parts))
    return found


def _measure(instant: Instant, vital: Vital) -> dict[str, Any]:
    value, unit = written(instant, vital)
    code = concept(*FHIR_CODES[vital])
    if vital is Vital.CONSCIOUSNESS:
        return {"code": code, "valueCodeableConcept": concept((LOINC, LEVELS[int(value)]))}
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        yes = "373066001" if value else "373067005"
        return {"code": code, "valueCodeableConcept": concept(("http://snomed.info/sct", yes))}
    return {"code": code, "valueQuantity": quantity(value, unit)}


# Open mHealth

_RATE, _BREATHS = {"/min": "beats/min"}, {"/min": "breaths/min"}
OMH: dict[Vital, tuple[str, str, dict[str, str]]] = {
    Vital.HEART_RATE: ("heart-rate", "heart_rate", _RATE),
    Vital.RESPIRATORY_RATE: ("respiratory-rate", "respiratory_rate", _BREATHS),
    Vital.SPO2: ("oxygen-saturation", "oxygen_saturation", {"%": "%"}),
    Vital.OXYGEN_FLOW: (
        "oxygen-saturation",
        "supplemental_oxygen_flow_rate",
        {"L/min": "L/min"},
    ),
    Vital.TEMPERATURE: (
        "body-temperature",
        "body_temperature",
        {"Cel": "C", "[degF]": "F", "K": "K"},
    ),
    Vital.SYSTOLIC: ("blood-pressure", "systolic_blood_pressure", {"mm[Hg]": "mmHg"}),
    Vital.DIASTOLIC: ("blood-pressure", "diastolic_blood_pressure", {"mm[Hg]": "mmHg"}),
    Vital.WEIGHT: ("body-weight", "body_weight", {"kg": "kg", "g": "g", "[lb_av]": "lb"}),
    Vital.GLUCOSE: ("blood-glucose", "blood_glucose", {"mg/dL": "mg/dL", "mmol/L": "mmol/L"}),
    Vital.STEPS: ("step-count", "step_count", {"1/(24.h)": "steps"}),
}


def header(schema: str, name: str = "point-1") -> dict[str, Any]:
    return {
        "id": name,
        "creation_date_time": RECEIVED.isoformat(),
        "schema_id": {"namespace": "omh", "name": schema, "version": "2.0"},
    }


def _omh(told: Sequence[Instant]) -> bytes:
    points = []
    for instant in told:
        bodies: dict[str, dict[str, Any]] = {}
        for vital in instant.values:
            schema, field, units = OMH[vital]
            value, unit = written(instant, vital)
            body = bodies.setdefault(schema, {"effective_time_frame": _frame(schema, instant)})
            body[field] = {"value": value, "unit": units[unit]}
        points += [{"header": header(schema), "body": body} for schema, body in bodies.items()]
    return bytes_of(points[0] if len(points) == 1 else points)


def _frame(schema: str, instant: Instant) -> dict[str, Any]:
    end = instant.time.isoformat()
    if schema != "step-count":
        return {"date_time": end}
    start = (instant.time - timedelta(days=1)).isoformat()
    return {"time_interval": {"start_date_time": start, "end_date_time": end}}


_UCUM: dict[Vital, Sequence[str]] = {vital: [spec.unit] for vital, spec in SPECS.items()}
_WITH_OTHERS = _UCUM | {
    Vital.TEMPERATURE: ["Cel", "[degF]", "K"],
    Vital.SYSTOLIC: ["mm[Hg]", "kPa"],
    Vital.WEIGHT: ["kg", "g", "[lb_av]"],
    Vital.GLUCOSE: ["mg/dL", "mmol/L"],
    Vital.HEART_RATE: ["/min", "{beats}/min"],
}

CASES = [
    Case("vigie", vigie_json.decode, _vigie, instants(_WITH_OTHERS)),
    Case("fhir", fhir.decode, _fhir, instants(_WITH_OTHERS)),
    Case("omh", open_mhealth.decode, _omh, instants({v: list(OMH[v][2]) for v in OMH})),
    Case("gatt", gatt.decode, bytes_cases.gatt, bytes_cases.notifications()),
    Case("raw", bytes_cases.VENDOR.decode, bytes_cases.vendor, bytes_cases.samples()),
]
