"""Vigie's own JSON: `{"seq": 1042, "readings": [{"time": "...", "heart_rate": 72}]}`.

The common message is parsed and judged in one go, by msgspec. One that does not pass so (it has a
unit, a doubtful value, a mistake) is read again element by element, so that what is good in it is
kept and what is not has its place named.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import msgspec
from msgspec.structs import astuple

from ingest.codec import Refused
from ingest.formats import times
from ingest.formats.measures import shown
from ingest.formats.port import MESSAGE_BYTES, REFUSALS, Decoded, limited
from ingest.readings import ACVPU, SPECS, Instant, Original, Quality, Refusal, Vital, judge
from ingest.units import conversion, fault

if TYPE_CHECKING:
    from collections.abc import Sequence

READINGS = 10_000
SEQ_MAX = 2**63 - 1

_VITALS = {vital.value: vital for vital in Vital}
# Vitals that are not sent as plain numbers.
_CODED = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})
# The others, with the limits inside which nothing is doubtful: these lie inside the hard ones.
_PLAIN = {
    vital.value: (vital, *spec.suspect) for vital, spec in SPECS.items() if vital not in _CODED
}


# The common message, all of whose values are believed, is judged while it is parsed: a bound, a
# name or a zone that is not as it should be makes msgspec refuse it; the slow way finds out why.
_NAMES = tuple(vital for vital, _, _ in _PLAIN.values())
_Reading = msgspec.defstruct(
    "_Reading",
    [
        ("time", Annotated[datetime, msgspec.Meta(tz=True)]),
        *(
            (
                name,
                Annotated[float, msgspec.Meta(ge=low, le=high)] | msgspec.UnsetType,
                msgspec.UNSET,
            )
            for name, (_, low, high) in _PLAIN.items()
        ),
        ("consciousness", Literal["A", "C", "V", "P", "U"] | msgspec.UnsetType, msgspec.UNSET),
        ("supplemental_oxygen", bool | msgspec.UnsetType, msgspec.UNSET),
    ],
    forbid_unknown_fields=True,
    gc=False,
)


class _Message(msgspec.Struct, gc=False):
    seq: Annotated[int, msgspec.Meta(ge=1, le=SEQ_MAX)]
    readings: Annotated[list[_Reading], msgspec.Meta(min_length=1, max_length=READINGS)]  # type: ignore[valid-type]  # made above
    device: str | msgspec.UnsetType = msgspec.UNSET


class _Shape(TypedDict, total=False):
    """What is read of a message in the slow way: it passes over the same members as the quick one.

    Otherwise one that nobody reads could make the difference, by text that is not UTF-8.
    """

    seq: Any
    device: Any
    readings: Any


_common = msgspec.json.Decoder(_Message)
_shape = msgspec.json.Decoder(_Shape)


def decode(payload: bytes, device: str, received: datetime) -> Decoded:
    """Read a message of this device, received at `received` (UTC). Never raises.

    >>> from datetime import UTC, datetime
    >>> sent = b'{"seq": 7, "readings": [{"time": "2026-11-24T03:00:00Z", "spo2": 97, "pulse": 1}]}'
    >>> decode(sent, "dev-1", datetime(2026, 11, 24, 3, 0, 1, tzinfo=UTC)).refused
    [Refused(reason=<Refusal.UNKNOWN_VITAL: 'unknown-vital'>, at='readings[0].pulse')]
    """
    if len(payload) > MESSAGE_BYTES:
        return _whole(Refusal.TOO_LARGE)
    try:
        message = _common.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _slowly(payload, device, received)
    if message.device is not msgspec.UNSET and message.device != device:
        return _whole(Refusal.DEVICE_MISMATCH, message.seq)
    instants = _believed(message.readings, received)
    if instants is None:
        return _slowly(payload, device, received)
    return Decoded(message.seq, instants, [], range(len(instants)))


def _believed(readings: Sequence[Any], received: datetime) -> list[Instant] | None:
    """Take readings over as they are; None when a time is odd or one has no vitals."""
    oldest, newest = received - times.OLDEST, received + times.AHEAD_UNMARKED
    instants = []
    for reading in readings:
        time, *found, letter, oxygen = astuple(reading)
        if time.tzinfo is not UTC:
            try:
                time = time.astimezone(UTC)
            except OverflowError:
                return None
        values = {
            vital: value
            for vital, value in zip(_NAMES, found, strict=True)
            if value is not msgspec.UNSET
        }
        if letter is not msgspec.UNSET:
            values[Vital.CONSCIOUSNESS] = float(ACVPU.index(letter))
        if oxygen is not msgspec.UNSET:
            values[Vital.SUPPLEMENTAL_OXYGEN] = float(oxygen)
        if not values or not oldest <= time <= newest:
            return None
        instants.append(Instant(time, values))
    return instants


def _whole(reason: Refusal, seq: int | None = None, at: str = "") -> Decoded:
    return Decoded(seq, [], [Refused(reason, at)])


def _parsed(payload: bytes) -> Any:
    """Parse JSON; NaN and 1e999, which msgspec refuses, are to be refused where they stand."""
    try:
        return _shape.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(payload)


def _slowly(payload: bytes, device: str, received: datetime) -> Decoded:
    """Read what is not the common message."""
    if not payload.strip():
        return _whole(Refusal.EMPTY)
    try:
        message = _parsed(payload)
    except RecursionError:
        return _whole(Refusal.TOO_DEEP)
    except ValueError:  # not JSON, not UTF-8, or a number of thousands of digits
        return _whole(Refusal.NOT_JSON)
    if not isinstance(message, dict):
        return _whole(Refusal.NOT_AN_OBJECT)
    seq = message.get("seq")
    if type(seq) is not int or not 1 <= seq <= SEQ_MAX:
        return _whole(Refusal.BAD_SEQ, at="seq")
    if message.get("device", device) != device:
        return _whole(Refusal.DEVICE_MISMATCH, seq)
    readings = message.get("readings")
    if not isinstance(readings, list):
        return _whole(Refusal.BAD_READINGS, seq, "readings")
    return _judge(seq, readings, received)


def _judge(seq: int, readings: list[Any], received: datetime) -> Decoded:
    if not readings or len(readings) > READINGS:
        return _whole(Refusal.BAD_READINGS, seq, "readings")
    instants: list[Instant] = []
    refused: list[Refused] = []
    places: list[int | str] = []
    for index, reading in enumerate(readings):
        if len(refused) > REFUSALS:
            break
        if not isinstance(reading, dict):
            refused.append(Refused(Refusal.NOT_AN_OBJECT, f"readings[{index}]"))
            continue
        time = times.moment(reading.get("time", msgspec.UNSET), received)
        if isinstance(time, Refusal):
            refused.append(Refused(time, f"readings[{index}].time"))
            continue
        instant = _instant(index, reading, time, received, refused)
        if instant is not None:
            instants.append(instant)
            places.append(index)
    limited(refused)
    return Decoded(seq, instants, refused, places)


def _instant(
    index: int,
    reading: dict[Any, Any],
    time: datetime,
    received: datetime,
    refused: list[Refused],
) -> Instant | None:
    values: dict[Vital, float] = {}
    quality: dict[Vital, int] = {}
    original: dict[Vital, Original] = {}
    ahead = times.doubt(time, received)
    for name, raw in reading.items():
        if name == "time":
            continue
        found = _one(f"readings[{index}].{shown(name)}", name, raw, original)
        if isinstance(found, Refused):
            refused.append(found)
            continue
        vital, value, doubt = found
        values[vital] = value
        if doubt | ahead:
            quality[vital] = int(doubt | ahead)
    if not values:
        if len(reading) == 1:
            refused.append(Refused(Refusal.NO_VITALS, f"readings[{index}]"))
        return None
    return Instant(time, values, quality, original)


def _one(
    at: str, name: str, raw: object, original: dict[Vital, Original]
) -> tuple[Vital, float, Quality] | Refused:
    """Read what is not just a number that is believed: doubt, a unit, a code, a mistake."""
    vital = _VITALS.get(name)
    if vital is None:
        return Refused(Refusal.UNKNOWN_VITAL, at)
    value = _value(at, vital, raw, original)
    if isinstance(value, Refused):
        return value
    verdict = judge(vital, value)
    if isinstance(verdict, Refusal):
        original.pop(vital, None)
        return Refused(verdict, at)
    return vital, value, verdict


def _value(at: str, vital: Vital, raw: object, original: dict[Vital, Original]) -> float | Refused:
    """Read one value in whatever form it came; notes the original where it was converted."""
    if raw is None:
        return Refused(Refusal.NULL, at)
    if vital is Vital.CONSCIOUSNESS:
        if isinstance(raw, str) and len(raw) == 1 and raw in ACVPU:
            return float(ACVPU.index(raw))
        return Refused(Refusal.UNKNOWN_CODE, at)
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return float(raw) if isinstance(raw, bool) else Refused(Refusal.UNKNOWN_CODE, at)
    if isinstance(raw, dict):
        return _object(at, vital, raw, original)
    return _number(at, raw)


def _object(
    at: str, vital: Vital, raw: dict[Any, Any], original: dict[Vital, Original]
) -> float | Refused:
    for field in raw:
        if field not in {"value", "unit"}:
            return Refused(Refusal.UNKNOWN_FIELD, f"{at}.{shown(field)}")
    if raw.get("value") is None:
        return Refused(Refusal.NULL, f"{at}.value")
    unit = raw.get("unit")
    if not isinstance(unit, str):
        return Refused(Refusal.UNKNOWN_UNIT, f"{at}.unit")
    value = _number(f"{at}.value", raw["value"])
    return value if isinstance(value, Refused) else _converted(at, vital, value, unit, original)


def _number(at: str, raw: object) -> float | Refused:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return Refused(Refusal.NOT_A_NUMBER, at)
    try:
        value = float(raw)
    except OverflowError:
        return Refused(Refusal.NOT_FINITE, at)
    return value if math.isfinite(value) else Refused(Refusal.NOT_FINITE, at)


def _converted(
    at: str, vital: Vital, value: float, unit: str, original: dict[Vital, Original]
) -> float | Refused:
    convert = conversion(vital, unit)
    if convert is None:
        return Refused(fault(vital, unit), f"{at}.unit")
    if unit != SPECS[vital].unit:
        original[vital] = Original(value, shown(unit))
    return convert(value)
