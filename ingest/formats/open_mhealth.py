"""Open mHealth and IEEE 1752.1 data points: a header that names the schema, and a body.

One data point, a list of them, or a data point whose body is a list (IEEE's data series). The units
of these schemas are their own words; each vital has only its schema's.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import UNSET

from ingest.codec import Refused
from ingest.formats.foreign import LONGEST, load, name_of
from ingest.formats.measures import Measures, TooManyFaults, shown
from ingest.formats.open_mhealth_schemas import SCHEMAS, UNITS
from ingest.formats.port import Decoded
from ingest.readings import Refusal, Vital

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.formats.open_mhealth_schemas import Field

# Data points in a list, and items in a body.
POINTS = 10_000
NAMESPACES = frozenset({"omh", "ieee"})

# What a device says of several measurements is still one value of the patient when it is their
# middle; a deviation, a sum or an extreme is not.
MIDDLES = frozenset({"average", "median"})
_SECONDS: Mapping[str, float] = MappingProxyType(
    {"sec": 1, "min": 60, "h": 3600, "d": 86_400, "wk": 604_800}
)
# `steps` are those of a day; the two days of a year on which clocks change have 23 and 25 hours.
DAY = (timedelta(hours=23), LONGEST)


def decode(payload: bytes, device: str, received: datetime) -> Decoded:  # noqa: ARG001 (the port)
    """Read a message of this device, received at `received` (UTC). Never raises.

    The message's name is its header's `id` (`uuid` in IEEE 1752.1); a list goes by that of its
    first data point.
    """
    message = load(payload)
    if isinstance(message, Refusal):
        return _whole(message)
    measures = Measures(received)
    if not isinstance(message, dict | list):
        return _whole(Refusal.NOT_AN_OBJECT)
    if isinstance(message, list) and len(message) > POINTS:
        return _whole(Refusal.BAD_READINGS, _name(message[0]))
    with suppress(TooManyFaults):
        if isinstance(message, dict):
            name = _name(message)
            _point(measures, message, "")
        else:
            name = _name(message[0]) if message else None
            for index, point in enumerate(message):
                _point(measures, point, f"[{index}].")
    return measures.decoded(name=name)


def _whole(reason: Refusal, name: str | None = None) -> Decoded:
    return Decoded(None, [], [Refused(reason)], id=name)


def _name(point: object) -> str | None:
    header = point.get("header") if isinstance(point, dict) else None
    return name_of(header.get("id"), header.get("uuid")) if isinstance(header, dict) else None


def _point(measures: Measures, point: object, at: str) -> None:
    """Read one data point."""
    if not isinstance(point, dict):
        return measures.refuse(Refusal.NOT_AN_OBJECT, at.removesuffix("."))
    header = point.get("header")
    if not isinstance(header, dict):
        return measures.refuse(Refusal.UNKNOWN_CODE, f"{at}header")
    fields = _fields(measures, header.get("schema_id"), f"{at}header.schema_id")
    if fields is not None:
        _bodies(measures, point.get("body"), fields, f"{at}body")
    return None


def _fields(measures: Measures, schema: object, at: str) -> Mapping[str, Field] | None:
    if not isinstance(schema, dict):
        measures.refuse(Refusal.UNKNOWN_CODE, at)
        return None
    space, name = schema.get("namespace"), schema.get("name")
    if not isinstance(space, str) or space not in NAMESPACES:
        measures.refuse(Refusal.UNKNOWN_CODE, f"{at}.namespace")
        return None
    if not isinstance(name, str) or name not in SCHEMAS:
        measures.refuse(Refusal.UNKNOWN_CODE, f"{at}.name")
        return None
    return SCHEMAS[name]


def _bodies(measures: Measures, body: object, fields: Mapping[str, Field], at: str) -> None:
    if isinstance(body, dict):
        return _body(measures, body, fields, at)
    if not isinstance(body, list):
        return measures.refuse(Refusal.NOT_AN_OBJECT, at)
    if not body or len(body) > POINTS:
        return measures.refuse(Refusal.BAD_READINGS, at)
    for index, item in enumerate(body):
        if isinstance(item, dict):
            _body(measures, item, fields, f"{at}[{index}]")
        else:
            measures.refuse(Refusal.NOT_AN_OBJECT, f"{at}[{index}]")
    return None


def _body(measures: Measures, body: dict[str, Any], fields: Mapping[str, Field], at: str) -> None:
    statistic = body.get("descriptive_statistic")
    if statistic is not None and not (isinstance(statistic, str) and statistic in MIDDLES):
        return measures.refuse(Refusal.UNSUPPORTED, f"{at}.descriptive_statistic")
    frame = body.get("effective_time_frame", UNSET)
    when = _when(measures, frame, f"{at}.effective_time_frame")
    if when is None:
        return None
    told = False
    for name, given in body.items():
        field = fields.get(name)
        if field is not None:
            told = True
            _value(measures, given, field, f"{at}.{name}", when, body)
        elif _measures_something(given):
            told = True
            measures.refuse(Refusal.UNKNOWN_FIELD, f"{at}.{shown(name)}")
    if not told:
        measures.refuse(Refusal.NO_VITALS, at)
    return None


def _measures_something(given: object) -> bool:
    """Whether a member that the schema does not know is a measure all the same."""
    if isinstance(given, dict):
        return "value" in given
    return isinstance(given, int | float) and not isinstance(given, bool)


class _When(NamedTuple):
    """When something was measured: its end (UTC), and how long it took, where that is told."""

    end: datetime
    length: timedelta | None


def _when(measures: Measures, frame: object, at: str) -> _When | None:
    """Read a time frame, whose refusal is noted; what took a while is known at its end."""
    if not isinstance(frame, dict):
        measures.refuse(Refusal.MISSING_TIME if frame is UNSET else Refusal.BAD_TIME, at)
        return None
    interval = frame.get("time_interval", UNSET)
    if interval is UNSET:
        time = measures.moment(frame.get("date_time", UNSET), f"{at}.date_time")
        return None if time is None else _When(time, None)
    at = f"{at}.time_interval"
    if not isinstance(interval, dict):
        measures.refuse(Refusal.BAD_TIME, at)
        return None
    return _interval(measures, interval, at)


def _interval(measures: Measures, interval: dict[str, Any], at: str) -> _When | None:
    """Read an interval: of start, end and length two are told."""
    length = _length(interval["duration"]) if "duration" in interval else None
    if length is None and "duration" in interval:
        measures.refuse(Refusal.BAD_TIME, f"{at}.duration")
        return None
    start = None
    if "start_date_time" in interval:
        start = measures.moment(interval["start_date_time"], f"{at}.start_date_time")
        if start is None:
            return None
    if "end_date_time" not in interval and start is not None and length is not None:
        try:
            end = start + length
        except OverflowError:
            end = datetime.max.replace(tzinfo=UTC)
        told = measures.plausible(end, f"{at}.duration")
    else:
        told = measures.moment(interval.get("end_date_time", UNSET), f"{at}.end_date_time")
    if told is None:
        return None
    if start is not None and length is None:
        length = told - start
    if length is not None and length < timedelta():
        measures.refuse(Refusal.BAD_TIME, at)
        return None
    return _When(told, length)


def _length(duration: object) -> timedelta | None:
    if not isinstance(duration, dict):
        return None
    value, unit = duration.get("value"), duration.get("unit")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not isinstance(unit, str) or unit not in _SECONDS:
        return None
    try:
        return timedelta(seconds=value * _SECONDS[unit])
    except (OverflowError, ValueError):  # beyond all time, or NaN
        return None


def _value(
    measures: Measures,
    given: object,
    field: Field,
    at: str,
    when: _When,
    body: dict[str, Any],
) -> None:
    """Take one measure of a body."""
    if field.vital is Vital.STEPS:
        if not _of_a_day(when, body):
            return measures.refuse(Refusal.UNSUPPORTED, at)
        if not isinstance(given, dict):  # step-count 1 and 2: the bare number
            given = {"value": given, "unit": "steps"}
    elif when.length is not None and when.length > LONGEST:
        return measures.refuse(Refusal.UNSUPPORTED, at)
    if given is None:
        return measures.refuse(Refusal.NULL, at)
    if not isinstance(given, dict):
        bare = isinstance(given, int | float) and not isinstance(given, bool)
        return measures.refuse(Refusal.MISSING_UNIT if bare else Refusal.NOT_AN_OBJECT, at)
    unit = given.get("unit")
    if not isinstance(unit, str):
        return measures.refuse(Refusal.MISSING_UNIT, f"{at}.unit")
    ucum = field.units.get(unit)
    if ucum is None:
        reason = Refusal.UNIT_CONTRADICTS_CODE if unit in UNITS else Refusal.UNKNOWN_UNIT
        return measures.refuse(reason, f"{at}.unit")
    return measures.add(when.end, field.vital, given.get("value"), ucum, at)


def _of_a_day(when: _When, body: dict[str, Any]) -> bool:
    """Whether a number of steps is that of one day; a part of a day is no measure of ours."""
    if "descriptive_statistic_denominator" in body:
        return bool(body["descriptive_statistic_denominator"] == "d")
    return when.length is not None and DAY[0] <= when.length <= DAY[1]
