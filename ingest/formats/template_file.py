"""A template as its file says it: TOML, read and checked before any message comes."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import msgspec

from ingest.ports import VigieError
from ingest.readings import ACVPU, Vital
from ingest.registry.entities import Identifier  # noqa: TC001 (msgspec reads annotations)
from ingest.units import contradicts, conversion, taken

if TYPE_CHECKING:
    from pathlib import Path

# Vitals that are answers, not quantities: a template says what each of the vendor's words means.
CODED = frozenset({Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN})


class TemplateRefused(VigieError):
    """A template cannot be used. The text names the file, the place in it, and what is wrong."""


class Form(StrEnum):
    """How a vendor writes a moment."""

    RFC3339 = "rfc3339"  # "2026-11-24T03:00:00Z", with its zone
    UNIX_SECONDS = "unix-seconds"
    UNIX_MILLISECONDS = "unix-milliseconds"
    LOCAL = "local"  # "2026-11-24 04:00:00": a wall clock's, in the zone that is named beside


class Whole(StrEnum):
    """What an expression looks at: one element of `each`, or the whole message."""

    ELEMENT = "element"
    MESSAGE = "message"


class TimeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """Where the moment of a measurement stands, and in which form."""

    value: str
    form: Form
    zone: str | None = None
    source: Whole = Whole.ELEMENT


class UnitRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the vendor's word for the unit stands, and the UCUM code of each word."""

    value: str
    table: Annotated[dict[str, str], msgspec.Meta(min_length=1)]


class VitalRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where one vital stands. `absent` are values by which the device says that it has none."""

    vital: Vital
    value: str
    unit: str | UnitRule | None = None
    codes: dict[str, str | bool] = {}
    absent: tuple[int | float | str, ...] = ()
    required: bool = False


class TemplateFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole template; `docs/reference/templates.md` explains each key."""

    name: Identifier
    description: str
    match: str
    time: TimeRule
    vitals: Annotated[tuple[VitalRule, ...], msgspec.Meta(min_length=1, max_length=100)]
    seq: str | None = None
    id: str | None = None
    each: str | None = None


def read(file: Path) -> TemplateFile:
    """Read a file and check all but its expressions. Raises TemplateRefused."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TemplateRefused(f"{file}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TemplateRefused(f"{file}: not TOML: {error}") from None
    try:
        template = msgspec.convert(content, TemplateFile)
    except msgspec.ValidationError as error:
        raise TemplateRefused(f"{file}: {_plain(str(error))}") from None
    fault = _fault(template)
    if fault is not None:
        raise TemplateRefused(f"{file}: {fault}")
    return template


def _plain(text: str) -> str:
    """Turn msgspec's place around: ``vitals[0]: unknown key `unitt` ``.

    >>> _plain("Object contains unknown field `unitt` - at `$.vitals[0]`")
    'vitals[0]: unknown key `unitt`'
    """
    what, _, place = text.partition(" - at ")
    what = what.replace("Object contains unknown field", "unknown key")
    what = what.replace("Object missing required field", "missing key")
    at = place.strip("`").removeprefix("$").removeprefix(".")
    return f"{at}: {what}" if at else what


def _fault(template: TemplateFile) -> str | None:
    """Say what contradicts itself; None when nothing does."""
    time = template.time
    if (time.form is Form.LOCAL) != (time.zone is not None):
        return "time: `zone` belongs to form `local`, and to no other"
    if time.zone is not None:
        try:
            ZoneInfo(time.zone)
        except (KeyError, ValueError, OSError):
            return f"time.zone: there is no time zone `{time.zone}`"
    for index, rule in enumerate(template.vitals):
        fault = _code_fault(rule) if rule.vital in CODED else _unit_fault(rule)
        if fault is not None:
            return f"vitals[{index}].{fault}"
    return None


def _unit_fault(rule: VitalRule) -> str | None:
    if rule.codes:
        return f"codes: {rule.vital} is a quantity: give its `unit`"
    if rule.unit is None:
        return f"unit: missing; {rule.vital} comes in one of {', '.join(taken(rule.vital))}"
    table = isinstance(rule.unit, UnitRule)
    for unit in rule.unit.table.values() if isinstance(rule.unit, UnitRule) else (rule.unit,):
        if conversion(rule.vital, unit) is None:
            why = "contradicts the vital" if contradicts(rule.vital, unit) else "is not known"
            known = ", ".join(taken(rule.vital))
            return f"unit{'.table' if table else ''}: `{unit}` {why}; {rule.vital}: {known}"
    return None


def _code_fault(rule: VitalRule) -> str | None:
    if rule.unit is not None:
        return f"unit: {rule.vital} is no quantity: give its `codes`"
    if not rule.codes:
        return f"codes: missing; they say what the vendor's words for {rule.vital} mean"
    for code in rule.codes.values():
        letters = rule.vital is Vital.CONSCIOUSNESS
        right = code in tuple(ACVPU) if letters else isinstance(code, bool)
        if not right:
            wanted = "one of A, C, V, P, U" if letters else "true or false"
            return f"codes: a meaning of {rule.vital} is {wanted}"
    return None
