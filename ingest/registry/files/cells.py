"""The cells of a registry table: how each is read and written. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ingest.registry import rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.registry.entities import Assignment, Device, Limit, Member, Patient

# Takes away what is there; an empty cell leaves it.
NOTHING = "none"
FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number; write 38.5, with a point") from None


def _flag(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise ValueError(f"{text!r} is neither true nor false")
    return FLAGS[text.lower()]


def _text(text: str) -> str:
    return "" if text == NOTHING else text


def _consents(text: str) -> list[str]:
    return [] if text == NOTHING else text.split()


def _limits(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in _parts(text):
        vital, _, span = part.partition(" ")
        low, dots, high = (one.strip() for one in span.partition(".."))
        if not dots:
            raise ValueError(
                f"a limit is written `spo2 88..` or `heart_rate 50..120`, not {part!r}"
            )
        bounds = {"low": low, "high": high}
        if vital in found:
            raise ValueError(f"limits of {vital} are there twice")
        found[vital] = {name: _number(bound) for name, bound in bounds.items() if bound}
    return found


def _team(text: str) -> list[dict[str, str]]:
    found = []
    for part in _parts(text):
        member = re.fullmatch(r"(.+?)\s*<(.+)>", part)
        if member is None:
            raise ValueError(f"a member is written `role <mail address>`, not {part!r}")
        found.append({"role": member[1], "address": member[2]})
    return found


def _assignments(text: str) -> list[dict[str, str]]:
    found = []
    for part in _parts(text):
        patient, _, span = part.partition(" ")
        start, slash, end = (one.strip() for one in span.partition("/"))
        if not slash:
            raise ValueError(f"an assignment is written `p-1 2026-01-01T00:00:00Z/`, not {part!r}")
        found.append({"patient": patient, "from": start, **({"until": end} if end else {})})
    return found


def _parts(text: str) -> list[str]:
    if text == NOTHING:
        return []
    return [part.strip() for part in text.split(";") if part.strip()]


# How a cell is read, by column. Text that is no value of its kind is found by msgspec afterwards.
PATIENT: dict[str, Callable[[str], Any]] = {
    "id": str,
    "profile": str,
    "physician": _text,
    "ens": _text,
    "spo2_scale": _whole,
    "consents": _consents,
    "limits": _limits,
    "team": _team,
}
DEVICE: dict[str, Callable[[str], Any]] = {
    "id": str,
    "model": str,
    "version": _text,
    "clock_offset_seconds": _number,
    "revoked": _flag,
    "assignments": _assignments,
}


def _limit(limit: Limit) -> str:
    low, high = ("" if one is None else repr(float(one)) for one in (limit.low, limit.high))
    return f"{low}..{high}"


def _worn(one: Assignment) -> str:
    end = "" if one.until is None else rules.stamp(one.until)
    return f"{one.patient} {rules.stamp(one.start)}/{end}"


def _member(one: Member) -> str:
    return f"{one.role} <{one.address}>"


PATIENT_CELLS: dict[str, Callable[[Patient], object]] = {
    "id": lambda one: one.id,
    "profile": lambda one: str(one.profile),
    "physician": lambda one: one.physician or NOTHING,
    "ens": lambda one: one.ens or NOTHING,
    "spo2_scale": lambda one: one.spo2_scale,
    "consents": lambda one: " ".join(one.consents) or NOTHING,
    "limits": lambda one: (
        "; ".join(f"{v} {_limit(limit)}" for v, limit in one.limits.items()) or NOTHING
    ),
    "team": lambda one: "; ".join(_member(member) for member in one.team) or NOTHING,
}
DEVICE_CELLS: dict[str, Callable[[Device], object]] = {
    "id": lambda one: one.id,
    "model": lambda one: one.model,
    "version": lambda one: one.version or NOTHING,
    "clock_offset_seconds": lambda one: repr(one.clock_offset_seconds),
    "revoked": lambda one: str(one.revoked).lower(),
    "assignments": lambda one: "; ".join(_worn(worn) for worn in one.assignments) or NOTHING,
}
