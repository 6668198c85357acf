"""Open mHealth's schemas of the vital signs: which of their members are measures, in which units.

Source: the schemas of openmhealth.org, of all their versions; IEEE 1752.1 took over their shape.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping


class Field(NamedTuple):
    """A member of a schema's body that is a measure: its vital, and its units as UCUM codes."""

    vital: Vital
    units: Mapping[str, str]


_TEMPERATURE = {"C": "Cel", "F": "[degF]", "K": "K"}
_MASS = {"kg": "kg", "g": "g", "lb": "[lb_av]"}
_PRESSURE = {"mmHg": "mm[Hg]"}
_STEPS = {"steps": "1/(24.h)"}

# Open mHealth's schemas of the vital signs, and which of their members are measures.
SCHEMAS: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        "heart-rate": {"heart_rate": Field(Vital.HEART_RATE, {"beats/min": "/min"})},
        "respiratory-rate": {
            "respiratory_rate": Field(Vital.RESPIRATORY_RATE, {"breaths/min": "/min"})
        },
        "oxygen-saturation": {
            "oxygen_saturation": Field(Vital.SPO2, {"%": "%"}),
            # 0 means room air.
            "supplemental_oxygen_flow_rate": Field(Vital.OXYGEN_FLOW, {"L/min": "L/min"}),
        },
        "body-temperature": {"body_temperature": Field(Vital.TEMPERATURE, _TEMPERATURE)},
        "blood-pressure": {
            "systolic_blood_pressure": Field(Vital.SYSTOLIC, _PRESSURE),
            "diastolic_blood_pressure": Field(Vital.DIASTOLIC, _PRESSURE),
        },
        "body-weight": {"body_weight": Field(Vital.WEIGHT, _MASS)},
        "blood-glucose": {
            "blood_glucose": Field(Vital.GLUCOSE, {"mg/dL": "mg/dL", "mmol/L": "mmol/L"})
        },
        "step-count": {"step_count": Field(Vital.STEPS, _STEPS)},
    }
)
# Every unit of these schemas: one that is another measure's contradicts the schema.
UNITS = frozenset(
    unit for fields in SCHEMAS.values() for field in fields.values() for unit in field.units
)
