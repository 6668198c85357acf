"""Compares new figures with those of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.evaluation.record import Figure, Kept

# A figure without an interval comes of a computation without chance; another processor and other
# versions of libraries may still differ in a last place that decides on a row or two.
RELATIVE, ABSOLUTE = 0.01, 0.002


def outside(page: Mapping[str, Kept], new: Mapping[str, Kept]) -> Iterator[str]:
    """Name each figure that is not where the page says, in one line; of the new sections only.

    With an interval: within it. Without, or where it is narrower: within one part in a hundred (or
    0.002). A figure that is on one side only is named as well; a section that failed is not
    compared.
    """
    for task, found in new.items():
        if found.failed is not None:
            continue
        known = page.get(task)
        if known is None:
            yield f"{task}: not on the page"
            continue
        for name in dict.fromkeys((*known.figures, *found.figures)):
            told = _told(known.figures.get(name), found.figures.get(name))
            if told:
                yield f"{task}: {name}: {told}"


def _told(known: Figure | None, found: Figure | None) -> str:
    if known is None:
        return "not on the page"
    if found is None:
        return "not measured any more"
    value, low, high = known
    room = max(ABSOLUTE, RELATIVE * abs(value))
    low = value - room if low is None else min(low, value - room)
    high = value + room if high is None else max(high, value + room)
    if low <= found[0] <= high:
        return ""
    return f"{found[0]:.4g}, the page says {value:.4g} [{low:.4g}, {high:.4g}]"
