"""The cells of a registry table: how each is read and written. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from ingest.registry import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ingest.readings import Vital
    from ingest.registry.entities import (
        Assignment,
        Device,
        Limit,
        Member,
        Patient,
        Prescription,
        Trend,
    )

T = TypeVar("T")

# Takes away what is there; an empty cell leaves it.
NOTHING = "none"
# Of a limit: beyond it, the patient needs an urgent consultation.
URGENT = "urgent"
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
    for vital, words in _by_vital("limits", text):
        bounds = " ".join(word for word in words if "=" not in word and word != URGENT)
        low, dots, high = (one.strip() for one in bounds.partition(".."))
        if not dots:
            raise ValueError(
                "a limit is written `spo2 88..` or `heart_rate 50..120 seconds=30 urgent`, not "
                f"{' '.join([vital, *words])!r}"
            )
        pair = {"low": low, "high": high}
        found[vital] = {name: _number(bound) for name, bound in pair.items() if bound}
        found[vital] |= _named([word for word in words if "=" in word])
        if URGENT in words:
            found[vital][URGENT] = True
    return found


def _trends(text: str) -> dict[str, Any]:
    return {vital: _named(words) for vital, words in _by_vital("trends", text)}


def _prescriptions(text: str) -> dict[str, Any]:
    return {vital: _named(words) for vital, words in _by_vital("prescriptions", text)}


def _by_vital(what: str, text: str) -> Iterator[tuple[str, list[str]]]:
    seen = set()
    for part in _parts(text):
        vital, *words = part.split()
        if vital in seen:
            raise ValueError(f"{what} of {vital} are there twice")
        seen.add(vital)
        yield vital, words


def _named(words: Sequence[str]) -> dict[str, float]:
    """Read words such as `days=3`; which names there are, msgspec knows."""
    found: dict[str, float] = {}
    for word in words:
        name, _, number = word.partition("=")
        if not number:
            raise ValueError(f"write `weight days=3 rise=2.0`, not {word!r}")
        found[name] = _whole(number) if name == "count" else _number(number)
    return found


def _year(text: str) -> int | str:
    return "" if text == NOTHING else _whole(text)


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
    "born": _year,
    "pregnant": _flag,
    "limits": _limits,
    "trends": _trends,
    "prescriptions": _prescriptions,
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
    words = [f"{low}..{high}"]
    if limit.seconds is not None:
        words.append(f"seconds={float(limit.seconds)!r}")
    if limit.count is not None:
        words.append(f"count={limit.count}")
    if limit.margin is not None:
        words.append(f"margin={float(limit.margin)!r}")
    return " ".join([*words, URGENT] if limit.urgent else words)


def _trend(trend: Trend) -> str:
    sizes = {"days": trend.days, "rise": trend.rise, "fall": trend.fall}
    return " ".join(f"{name}={float(one)!r}" for name, one in sizes.items() if one is not None)


def _prescription(one: Prescription) -> str:
    return f"every_hours={float(one.every_hours)!r} grace_hours={float(one.grace_hours)!r}"


def _listed(by_vital: Mapping[Vital, T], written: Callable[[T], str]) -> str:
    return "; ".join(f"{vital} {written(one)}" for vital, one in by_vital.items()) or NOTHING


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
    "born": lambda one: one.born or NOTHING,
    "pregnant": lambda one: str(one.pregnant).lower(),
    "limits": lambda one: _listed(one.limits, _limit),
    "trends": lambda one: _listed(one.trends, _trend),
    "prescriptions": lambda one: _listed(one.prescriptions, _prescription),
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
