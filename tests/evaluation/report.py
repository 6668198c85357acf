"""What a task of the evaluation tells, before it becomes a part of `docs/evaluation.md`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Section:
    """One question that was put to the detectors.

    `method` says in a few sentences what was done, so that a reader could repeat it. `rows` have as
    many cells as `header`; a figure with its 95 % interval is written `0.701 [0.684, 0.718]`.
    `figures` are the numbers behind them by name (value, low, high; low and high None: no
    interval), which `make evaluate` compares with those of the page. `verdict` says plainly what
    follows, the negative results too.
    """

    title: str
    question: str
    method: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    figures: dict[str, tuple[float, float | None, float | None]] = field(default_factory=dict)
    verdict: str = ""
    pictures: list[Path] = field(default_factory=list)
