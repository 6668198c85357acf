"""Vendor JSON, read by a declarative template: which messages, when, which vitals, in which units.

A template is made once, when a process starts; all that could be wrong with it is found then. Of a
message it takes what it names and lets the rest be: vendors add fields as they please.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ingest.codec import Refused
from ingest.formats import template_file, vendor_times
from ingest.formats.foreign import load, name_of
from ingest.formats.measures import Measures, TooManyFaults
from ingest.formats.paths import ExpressionRefused, Path, Unanswered, true
from ingest.formats.port import Decoded
from ingest.formats.template_file import Form, TemplateRefused, UnitRule, Whole
from ingest.formats.vigie_json import READINGS, SEQ_MAX
from ingest.readings import ACVPU, SPECS, Refusal

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping
    from datetime import datetime

    from ingest.formats.template_file import TemplateFile, VitalRule
    from ingest.readings import Vital


# What the slow expressions of a template may look at in one message, all together: a few hundredths
# of a second, in which nobody else's message is read. One that a stranger wrote could take seconds.
LOOKS = 30_000


class Gathering(Measures):
    """Measures that can also be told what each expression gave; `vigie template try` listens."""

    listening = False

    def saw(self, what: str, at: str, raw: object) -> None:
        """Take note of an expression's answer: `what` names its part of the template."""


@dataclass(frozen=True, slots=True)
class _Vital:
    vital: Vital
    name: str
    path: Path
    unit: str
    unit_path: Path | None
    units: Mapping[str, str]
    codes: Mapping[str, float]
    absent: frozenset[int | float | str]
    required: bool


class Template:
    """One vendor's form of message. Raises TemplateRefused; `source` is the file, for its text."""

    def __init__(self, rules: TemplateFile, source: str) -> None:
        self.name, self.description, self.source = rules.name, rules.description, source
        self._slow = 0
        self._match = self._path("match", rules.match)
        self._seq = None if rules.seq is None else self._path("seq", rules.seq)
        self._id = None if rules.id is None else self._path("id", rules.id)
        self._each = None if rules.each is None else self._path("each", rules.each)
        self._time, self._when = self._path("time.value", rules.time.value), rules.time
        self._zone = None if rules.time.zone is None else ZoneInfo(rules.time.zone)
        self._vitals = [
            self._vital(f"vitals[{index}]", rule) for index, rule in enumerate(rules.vitals)
        ]

    def _path(self, at: str, text: str) -> Path:
        try:
            path = Path(text)
        except ExpressionRefused as error:
            raise TemplateRefused(f"{self.source}: {at}: {error}") from None
        self._slow += path.slow
        return path

    def _too_much(self, payload: bytes) -> bool:
        """Whether the slow expressions would look at too much of a message.

        Each thing in it but the first of a list or object has a comma before it.
        """
        things = payload.count(b",") + payload.count(b"[") + payload.count(b"{")
        return self._slow * things > LOOKS

    def _vital(self, at: str, rule: VitalRule) -> _Vital:
        path = self._path(f"{at}.value", rule.value)
        unit, unit_path, units = SPECS[rule.vital].unit, None, {}
        if isinstance(rule.unit, UnitRule):
            unit_path, units = self._path(f"{at}.unit.value", rule.unit.value), rule.unit.table
        elif rule.unit is not None:
            unit = rule.unit
        codes = {
            word: float(ACVPU.index(code) if isinstance(code, str) else code)
            for word, code in rule.codes.items()
        }
        absent = frozenset(rule.absent)
        name = rule.vital.value
        return _Vital(rule.vital, name, path, unit, unit_path, units, codes, absent, rule.required)

    def decode(self, payload: bytes, device: str, received: datetime) -> Decoded:  # noqa: ARG002 (the port)
        """Read a message of any device, received at `received` (UTC). Never raises."""
        return self.read(payload, Gathering(received), received)

    def read(self, payload: bytes, into: Gathering, received: datetime) -> Decoded:
        """Read a message into what gathers it. Never raises."""
        message = load(payload)
        if isinstance(message, Refusal):
            return _whole(message)
        if not isinstance(message, dict | list):
            return _whole(Refusal.NOT_AN_OBJECT)
        heavy = self._too_much(payload)
        matched = None if heavy else _answer(into, "match", self._match, message)
        # Also of a message that is not this template's: the receipt must be able to name it, or
        # its device would send it for ever.
        seq = name = None
        if self._seq is not None and not (heavy and self._seq.slow):
            given = _answer(into, "seq", self._seq, message)
            seq = given if type(given) is int and 1 <= given <= SEQ_MAX else None
        if self._id is not None and not (heavy and self._id.slow):
            name = name_of(_answer(into, "id", self._id, message))
        if heavy:
            into.refuse(Refusal.BAD_READINGS)
        elif isinstance(matched, Unanswered) or not true(matched):
            into.refuse(Refusal.NO_MATCH)
        elif self._seq is not None and seq is None:
            into.refuse(Refusal.BAD_SEQ, self._seq.place)
        else:
            with suppress(TooManyFaults):
                self._elements(into, message, received)
        return into.decoded(seq, name)

    def _elements(self, into: Gathering, message: Any, received: datetime) -> None:
        common = None
        if self._when.source is Whole.MESSAGE:  # once, not for each element
            common = _answer(into, "time", self._time, message)
        if self._each is None:
            return self._element(into, message, "", common, received)
        elements = _answer(into, "each", self._each, message)
        at = self._each.place
        if not isinstance(elements, list) or not 1 <= len(elements) <= READINGS:
            return into.refuse(Refusal.BAD_READINGS, at)
        for index, element in enumerate(elements):
            self._element(into, element, f"{at}[{index}].", common, received)
        return None

    def _element(
        self, into: Gathering, element: Any, at: str, common: object, received: datetime
    ) -> None:
        told = []
        for rule in self._vitals:
            raw = _answer(into, rule.name, rule.path, element, at)
            if raw is not None:
                told.append((rule, raw))
            elif rule.required:
                into.refuse(Refusal.NULL, at + rule.path.place)
        if not told:
            return  # nothing of ours in it, so its time does not matter
        if self._when.source is Whole.ELEMENT:
            common = _answer(into, "time", self._time, element, at)
        time = self._moment(into, common, at + self._time.place, received)
        if time is not None:
            for rule, raw in told:
                _take(into, time, rule, raw, element, at)

    def _moment(self, into: Gathering, raw: object, at: str, received: datetime) -> datetime | None:
        if raw is None:
            into.refuse(Refusal.MISSING_TIME, at)
            return None
        if self._when.form is Form.RFC3339:
            return into.moment(raw, at)
        if self._zone is not None:
            time = vendor_times.local(raw, self._zone, received)
        else:
            time = vendor_times.unix(raw, 1 if self._when.form is Form.UNIX_SECONDS else 1000)
        if time is None:
            into.refuse(Refusal.BAD_TIME, at)
            return None
        return into.plausible(time, at)


def _whole(reason: Refusal) -> Decoded:
    return Decoded(None, [], [Refused(reason)])


def _answer(into: Gathering, what: str, path: Path, value: Any, at: str = "") -> Any:
    """Ask an expression; Unanswered is returned too: it fits nowhere, and is refused there."""
    answer: Any
    try:
        answer = path.find(value)
    except Unanswered as error:
        answer = error
    if into.listening:
        into.saw(what, at + path.place, answer)
    return answer


def _take(into: Gathering, time: datetime, rule: _Vital, raw: Any, element: Any, at: str) -> None:
    """Take one value that is there, unless the device says by it that it has none."""
    place = at + rule.path.place
    if type(raw) in {int, float, str} and raw in rule.absent:
        return into.refuse(Refusal.ABSENT, place)
    if rule.codes:
        word = str(raw).lower() if isinstance(raw, bool) else raw
        code = rule.codes.get(str(word)) if isinstance(word, str | int) else None
        if code is None:
            return into.refuse(Refusal.UNKNOWN_CODE, place)
        return into.add(time, rule.vital, code, rule.unit, place, within=at.removesuffix("."))
    unit = rule.unit
    if rule.unit_path is not None:
        word = _answer(into, "unit", rule.unit_path, element, at)
        where = at + rule.unit_path.place
        if word is None:
            return into.refuse(Refusal.MISSING_UNIT, where)
        found = rule.units.get(word) if isinstance(word, str) else None
        if found is None:
            return into.refuse(Refusal.UNKNOWN_UNIT, where)
        unit = found
    return into.add(time, rule.vital, raw, unit, place, within=at.removesuffix("."))


def from_file(file: pathlib.Path) -> Template:
    """Read and check one template. Raises TemplateRefused."""
    return Template(template_file.read(file), str(file))


def from_folder(folder: pathlib.Path) -> dict[str, Template]:
    """Read every `*.toml` of a folder, by name. Raises TemplateRefused."""
    if not folder.is_dir():
        raise TemplateRefused(f"{folder}: there is no such folder of templates")
    found: dict[str, Template] = {}
    for file in sorted(folder.glob("*.toml")):
        template = from_file(file)
        if template.name in found:
            raise TemplateRefused(
                f"{file}: name: `{template.name}` is also that of {found[template.name].source}"
            )
        found[template.name] = template
    return found
