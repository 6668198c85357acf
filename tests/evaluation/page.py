"""Makes `docs/evaluation.md` of the record."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from tests.evaluation.demands import DEMANDS, baseline, reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.evaluation.demands import Demand
    from tests.evaluation.record import Figure, Kept, Record

HEAD = """\
# Evaluation

How good the detectors are on recordings of real people, against NEWS2 and plain thresholds, the
negative results too. Made by `make evaluate` from the folder that `VIGIE_RECORDINGS` names; do not
edit. The numbers are in `docs/evaluation.json` as well. `make evaluate CHECK=1` measures anew and
names every figure that lies outside of this page's 95 % interval; `make evaluate TASK=nab` does one
section. Intervals are in brackets.
"""
WIDTH = 110
NOT_MEASURED = "not measured"


def page(record: Record, demands: Mapping[str, tuple[Demand, ...]] = DEMANDS) -> str:
    """Write the page."""
    lines = [HEAD, *_demanded(record, demands)]
    for task in sorted(record.sections):
        lines += _section(task, record.sections[task])
    return "\n".join(lines).rstrip() + "\n"


def shown(one: Figure | None) -> str:
    """Write a figure.

    >>> shown((0.7012, 0.684, 0.7181)), shown((2.0, None, None)), shown(None)
    ('0.701 [0.684, 0.718]', '2.000', 'not measured')
    """
    if one is None:
        return NOT_MEASURED
    value, low, high = one
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _demanded(record: Record, demands: Mapping[str, tuple[Demand, ...]]) -> Iterator[str]:
    yield "## What was asked, and what is reached\n"
    rows = []
    for task, asked in demands.items():
        section = record.sections.get(task)
        for demand in asked:
            figures = section.figures if section is not None else {}
            held = "" if demand.baseline is None else shown(baseline(figures, demand))
            answer = shown(reached(figures, demand))
            rows.append((demand.what, held, demand.must, demand.goal, answer, f"`{task}`"))
    yield from _table(("what", "baseline", "must", "goal", "reached", "section"), rows)


def _section(task: str, one: Kept) -> Iterator[str]:
    yield f"## {one.title}\n"
    yield f"Task `{task}`, measured {one.measured}; {one.environment}.\n"
    if one.failed is not None:
        yield f"**Failed:** {one.failed}.\n"
        return
    yield f"**{one.question}**\n"
    yield fill(" ".join(one.method.split()), WIDTH, break_on_hyphens=False) + "\n"
    yield from _table(one.header, one.rows)
    if one.verdict:
        yield fill(" ".join(one.verdict.split()), WIDTH, break_on_hyphens=False) + "\n"
    for picture in one.pictures:
        yield f"![{one.title}]({picture})\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield "|" + "---|" * len(header)
    for row in rows:
        cells = [cell.replace("|", r"\|") for cell in row]
        yield f"| {' | '.join(cells)} |"
    yield ""
