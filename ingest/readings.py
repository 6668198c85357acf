"""What a vital sign is, and when a value of it can be believed. The domain: no I/O, no clock.

Hard limits are the valid ranges of MIMIC-Extract's `variable_ranges.csv` (Wang et al., CHIL 2020):
a value outside is no number from this world and is refused. Suspect limits are an engineering
choice: a value outside is kept and marked. Where that table has no row, the hard limit is marked
"ours".
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping  # noqa: TC003 (msgspec reads annotations at run time)
from datetime import UTC, datetime
from enum import IntFlag, StrEnum
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

import msgspec


class Vital(StrEnum):
    """The measures that Vigie knows, by the names that devices send and tables show."""

    HEART_RATE = "heart_rate"
    PULSE_RATE = "pulse_rate"
    RESPIRATORY_RATE = "respiratory_rate"
    SPO2 = "spo2"
    TEMPERATURE = "temperature"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    MEAN_PRESSURE = "mean_pressure"
    WEIGHT = "weight"
    GLUCOSE = "glucose"
    STEPS = "steps"
    OXYGEN_FLOW = "oxygen_flow"
    SUPPLEMENTAL_OXYGEN = "supplemental_oxygen"
    CONSCIOUSNESS = "consciousness"
    BATTERY = "battery"


class Range(NamedTuple):
    """A closed interval in the vital's own unit."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        """Whether the value lies in the interval; NaN does not."""
        return isinstance(value, int | float) and self.low <= value <= self.high


class VitalSpec(NamedTuple):
    """The meaning of a vital: LOINC code (None: LOINC has none for it), UCUM unit, limits."""

    loinc: str | None
    unit: str
    hard: Range
    suspect: Range


# LOINC and UCUM: FHIR R4 vital signs and the ANS guide; 8889-8 is "heart rate by pulse oximetry".
SPECS: Mapping[Vital, VitalSpec] = MappingProxyType(
    {
        Vital.HEART_RATE: VitalSpec("8867-4", "/min", Range(0, 350), Range(20, 250)),
        Vital.PULSE_RATE: VitalSpec("8889-8", "/min", Range(0, 350), Range(20, 250)),
        Vital.RESPIRATORY_RATE: VitalSpec("9279-1", "/min", Range(0, 300), Range(3, 70)),
        Vital.SPO2: VitalSpec("2708-6", "%", Range(0, 100), Range(50, 100)),
        Vital.TEMPERATURE: VitalSpec("8310-5", "Cel", Range(26, 45), Range(30, 43)),
        Vital.SYSTOLIC: VitalSpec("8480-6", "mm[Hg]", Range(0, 375), Range(40, 280)),
        Vital.DIASTOLIC: VitalSpec("8462-4", "mm[Hg]", Range(0, 375), Range(20, 180)),
        Vital.MEAN_PRESSURE: VitalSpec("8478-0", "mm[Hg]", Range(14, 330), Range(30, 220)),
        # MIMIC-Extract ends at 250 kg, too low for bariatric patients (ours: 650).
        Vital.WEIGHT: VitalSpec("29463-7", "kg", Range(0, 650), Range(2, 300)),
        Vital.GLUCOSE: VitalSpec("2345-7", "mg/dL", Range(33, 2000), Range(33, 600)),
        Vital.STEPS: VitalSpec("41950-7", "1/(24.h)", Range(0, 200_000), Range(0, 60_000)),  # ours
        Vital.OXYGEN_FLOW: VitalSpec("3151-8", "L/min", Range(0, 100), Range(0, 70)),  # ours
        Vital.SUPPLEMENTAL_OXYGEN: VitalSpec(None, "1", Range(0, 1), Range(0, 1)),
        Vital.CONSCIOUSNESS: VitalSpec("67775-7", "{ACVPU}", Range(0, 4), Range(0, 4)),
        Vital.BATTERY: VitalSpec(None, "%", Range(0, 100), Range(0, 100)),
    }
)

# A consciousness letter is stored as its place in this order, from Alert to Unresponsive.
ACVPU = "ACVPU"


class Quality(IntFlag):
    """What is doubtful about a stored value; 0 means nothing is."""

    GOOD = 0
    SUSPECT = 1  # outside the suspect limits
    AHEAD = 2  # the device's clock was a little ahead of the gateway's
    BACKFILLED = 4  # it came through the backfill lane: late, or above the device's quota
    CORRECTED = 8  # its time was corrected by the registry's setting for this device's clock


class Refusal(StrEnum):
    """Why a message or a reading was refused; the words a device maker reads in a receipt."""

    EMPTY = "empty"
    TOO_LARGE = "too-large"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    NOT_AN_OBJECT = "not-an-object"
    BAD_SEQ = "bad-seq"
    BAD_READINGS = "bad-readings"
    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_VITAL = "unknown-vital"
    UNKNOWN_UNIT = "unknown-unit"
    NOT_A_NUMBER = "not-a-number"
    NOT_FINITE = "not-finite"
    NULL = "null"
    UNKNOWN_CODE = "unknown-code"
    OUT_OF_RANGE = "out-of-range"
    NO_VITALS = "no-vitals"
    MISSING_TIME = "missing-time"
    BAD_TIME = "bad-time"
    NO_TIME_ZONE = "no-time-zone"
    TIME_AHEAD = "time-ahead"
    TIME_TOO_OLD = "time-too-old"
    ABSENT = "absent"  # the device says that it has no value: nothing is wrong with the message
    REPEATED = "repeated"
    UNSUPPORTED = "unsupported"
    NOT_FINAL = "not-final"
    MISSING_UNIT = "missing-unit"
    UNIT_CONTRADICTS_CODE = "unit-contradicts-code"
    BAD_HEX = "bad-hex"
    TRUNCATED = "truncated"
    NO_MATCH = "no-match"
    TOO_MANY = "too-many"  # so much is wrong that the rest is not listed
    UNKNOWN_TEMPLATE = "unknown-template"
    UNKNOWN_TOPIC = "unknown-topic"
    UNKNOWN_DEVICE = "unknown-device"
    DEVICE_MISMATCH = "device-mismatch"
    DEVICE_REVOKED = "device-revoked"
    MODEL_NOT_LISTED = "model-not-listed"
    FORMAT_NOT_LISTED = "format-not-listed"
    VITAL_NOT_LISTED = "vital-not-listed"
    UNIT_NOT_LISTED = "unit-not-listed"
    NOT_ASSIGNED = "not-assigned"
    NO_CONSENT = "no-consent"  # counted, and nothing of it kept
    UNDECODABLE = "undecodable"  # by the worker: a record of the log that is not ours
    DETECTOR_FAILED = "detector-failed"  # by the worker: our own fault, kept for replay


class Original(msgspec.Struct, frozen=True, gc=False):
    """The value as the device sent it, before conversion; `unit` is a UCUM code."""

    value: float
    unit: str


class Instant(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What one device measured at one moment, in each vital's own unit.

    `time` is the device's, in UTC. Values are finite and inside the hard limits. `quality` holds
    only vitals that are doubtful, `original` only those that were converted.
    """

    time: datetime
    values: dict[Vital, float]
    quality: dict[Vital, int] = {}
    original: dict[Vital, Original] = {}


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of one vital of one patient; device time and gateway time, both UTC."""

    patient: str
    device: str
    vital: Vital
    time: datetime
    value: float
    quality: Quality
    received: datetime

    @property
    def id(self) -> uuid.UUID:
        """The reading's own id: the same for each copy of it, whoever sends it again."""
        return reading_id(self.device, self.vital, self.time)

    @property
    def unit(self) -> str:
        """The UCUM code of the value's unit."""
        return SPECS[self.vital].unit


def reading_id(device: str, vital: Vital, time: datetime) -> uuid.UUID:
    """Derive a reading's id from what makes it the same reading: device, vital and device time.

    Raises ValueError for a time without a zone.

    >>> moment = datetime(2026, 11, 24, 3, tzinfo=UTC)
    >>> reading_id("dev-1", Vital.SPO2, moment) == reading_id("dev-1", Vital.SPO2, moment)
    True
    """
    if time.tzinfo is None:
        msg = "a reading's time needs a zone"
        raise ValueError(msg)
    name = f"{device}\x00{vital}\x00{time.astimezone(UTC).isoformat(timespec='microseconds')}"
    return uuid.UUID(bytes=blake2b(name.encode(), digest_size=16).digest(), version=5)


def judge(vital: Vital, value: float) -> Quality | Refusal:
    """Say whether a value in the vital's own unit can be believed.

    >>> judge(Vital.SPO2, 97), judge(Vital.SPO2, 40), judge(Vital.SPO2, 130)
    (<Quality.GOOD: 0>, <Quality.SUSPECT: 1>, <Refusal.OUT_OF_RANGE: 'out-of-range'>)
    """
    spec = SPECS[vital]
    if not math.isfinite(value):
        return Refusal.NOT_FINITE
    if value not in spec.hard:
        return Refusal.OUT_OF_RANGE
    return Quality.GOOD if value in spec.suspect else Quality.SUSPECT
