"""What a template makes of a sample, step by step: for its author, on the author's own sample."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.codec import Refused  # noqa: TC001 (msgspec reads annotations at run time)
from ingest.formats.paths import Unanswered, true
from ingest.formats.template import Gathering
from ingest.readings import SPECS, Instant, Quality, Vital

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.formats.template import Template
    from ingest.readings import Refusal

SHOWN_CHARACTERS = 60


class Step(msgspec.Struct):
    """One expression: its part of the template, its place, what it gave (JSON), what came of it.

    `refused` says that something was refused here; an expression that gave nothing is not.
    """

    what: str
    at: str
    gave: str
    came: str = ""
    refused: bool = False


class Explained(msgspec.Struct):
    """All steps, and the result: as the gateway would have it."""

    template: str
    steps: list[Step]
    seq: int | None
    id: str | None
    kept: list[Instant]
    refused: list[Refused]


class _Witness(Gathering):
    """Gathers as ever, and writes down what comes of each expression."""

    listening = True

    def __init__(self, received: datetime) -> None:
        super().__init__(received)
        self.steps: list[Step] = []

    def saw(self, what: str, at: str, raw: object) -> None:
        step = Step(what, at, _json(raw))
        if isinstance(raw, Unanswered):
            step.came = f"cannot be applied: {raw}"
        elif what == "match":
            step.came = "it is this template's" if true(raw) else "it is not this template's"
        elif what == "each" and isinstance(raw, list):
            step.came = f"{len(raw)} elements"
        elif raw is None:
            step.came = "nothing there"
        self.steps.append(step)

    def moment(self, text: object, at: str) -> datetime | None:
        return self._noted(super().moment(text, at), at)

    def plausible(self, time: datetime, at: str) -> datetime | None:
        return self._noted(super().plausible(time, at), at)

    def add(
        self,
        time: datetime,
        vital: Vital,
        value: object,
        unit: str,
        at: str,
        *,
        doubt: Quality = Quality.GOOD,
        within: str = "",
    ) -> None:
        before = len(self._refused)
        super().add(time, vital, value, unit, at, doubt=doubt, within=within)
        if len(self._refused) > before:
            self._step(at).came += f"; as {vital}, {unit}"
            return
        moment = self._moments[time]
        marks = Quality(moment.quality.get(vital, 0))
        marked = f", marked {marks.name}" if marks else ""
        given = "" if unit == SPECS[vital].unit else f"{unit} -> "
        self._step(
            at, vital.value
        ).came = f"kept: {given}{moment.values[vital]:.10g} {SPECS[vital].unit}{marked}"

    def refuse(self, reason: Refusal, at: str = "") -> None:
        super().refuse(reason, at)
        self.told(reason, at)

    def told(self, reason: Refusal, at: str) -> None:
        """Write a refusal to its step, once; what is known of it stays behind."""
        step = self._step(at)
        if not step.refused:
            known = f"; {step.came}" if step.came else ""
            step.came, step.refused = f"refused: {reason}{known}", True

    def _noted(self, time: datetime | None, at: str) -> datetime | None:
        if time is not None:
            self._step(at, "time").came = f"{time.isoformat()}"
        return time

    def _step(self, at: str, what: str = "") -> Step:
        """Return the newest step of this place; makes one when no expression was asked there."""
        for step in reversed(self.steps):
            if step.at == at and what in {"", step.what}:
                return step
        self.steps.append(Step("message", at, ""))
        return self.steps[-1]


def explain(template: Template, sample: bytes, received: datetime) -> Explained:
    """Read a sample as if it had come at `received` (UTC). Never raises."""
    witness = _Witness(received)
    decoded = template.read(sample, witness, received)
    for refused in decoded.refused:
        witness.told(refused.reason, refused.at)  # of the whole message, too
    for step in witness.steps:
        if not step.came and step.what in set(Vital):
            step.came = "not kept: its time or unit was refused"
    return Explained(
        template.name, witness.steps, decoded.seq, decoded.id, decoded.instants, decoded.refused
    )


def _json(raw: Any) -> str:
    if isinstance(raw, Unanswered):
        return ""
    try:
        text = json.dumps(raw, ensure_ascii=True)
    except (ValueError, RecursionError):
        return "(too deep to show)"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
