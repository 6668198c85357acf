"""Makes `docs/evaluation.md` of the record."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from tests.evaluation.demands import DEMANDS, HOURS, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.evaluation.bounds import Bound
    from tests.evaluation.demands import Demand, Told
    from tests.evaluation.record import Figure, Kept, Record

HEAD = """\
# Evaluation

How good the detectors are on recordings of real people, against NEWS2 and plain thresholds, the
negative results too. Made by `make evaluate` from the folder that `VIGIE_RECORDINGS` names; do not
edit. The numbers are in `docs/evaluation.json` as well. `make evaluate CHECK=1` measures anew and
names every figure that lies outside of this page's 95 % interval; `make evaluate TASK=nab` does one
section. Intervals are in brackets.
"""
# Below the table of demands.
AFTER = """\
A bound is held against the strictest baseline. "Not the whole interval": the figure reaches it, the
worse end of its 95 % interval does not, so other patients may well give less. Of a figure without
brackets nothing is known of how it varies. What is reckoned in shares or multiples of a baseline
takes the baseline's figure as it is, without its own interval. NEWS2 >= 5 is one threshold, and
gives the alerts that it gives (see its section): the rows at as many alerts compare like with like.
What the detectors cost (time for a reading, size of a state, import) is measured by `make bench`
and stands in [performance.md](performance.md).
"""
WIDTH = 110
NOT_MEASURED = "not measured"


def page(record: Record, demands: Mapping[str, tuple[Demand, ...]] = DEMANDS) -> str:
    """Write the page."""
    lines = [HEAD, *_demanded(record, demands)]
    for task in sorted(record.sections):
        lines += _section(task, record.sections[task])
    return "\n".join(lines).rstrip() + "\n"


def shown(one: Figure | None, digits: int = 3) -> str:
    """Write a figure; a whole number that comes of a count has no digits behind the point.

    >>> shown((0.7012, 0.684, 0.7181)), shown((4.0, 3.0, 4.0), 1), shown((0.865, None, None))
    ('0.701 [0.684, 0.718]', '4.0 [3.0, 4.0]', '0.865')
    >>> shown((2.0, None, None)), shown(None)
    ('2', 'not measured')
    """
    if one is None:
        return NOT_MEASURED
    value, low, high = one
    if low is None or high is None:
        return f"{value:.0f}" if value.is_integer() else f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _demanded(record: Record, demands: Mapping[str, tuple[Demand, ...]]) -> Iterator[str]:
    yield "## What was asked, and what is reached\n"
    rows = []
    for task, asked in demands.items():
        section = record.sections.get(task)
        figures = section.figures if section is not None else {}
        rows += [_demand(task, demand, figures) for demand in asked]
    yield from _table(("what", "baseline", "reached", "must", "goal", "section"), rows)
    yield AFTER


def _demand(task: str, demand: Demand, figures: Mapping[str, Figure]) -> tuple[str, ...]:
    held = (f"{name}: {_told(told, figures)}" for name, told in demand.baselines.items())
    return (
        demand.what,
        "; ".join(held),
        _told(demand.reached, figures),
        _bound(demand.must, demand, figures),
        _bound(demand.goal, demand, figures),
        f"`{task}`",
    )


def _told(told: Told, figures: Mapping[str, Figure]) -> str:
    cells = (
        # Hours are known to the hour: more digits would be none.
        f"{name} {shown(figures.get(figure), 1 if name == HOURS else 3)}".strip()
        for name, figure in told.items()
    )
    return ", ".join(cells)


def _bound(bound: Bound | None, demand: Demand, figures: Mapping[str, Figure]) -> str:
    return "" if bound is None else f"{bound.words}: {verdict(figures, demand, bound)}"


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
