"""What whoever scores a table is shown."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from alerts.scoring import screen
from alerts.scoring.rows import MEANINGS, NAMED, BadCell, BadRows, RowFault
from alerts.scoring.tables import table
from ingest.readings import Refusal
from tests.unit.alerts.scoring.tables_of import lines, stay

HOW_TO = Path(__file__).parents[4] / "docs" / "how-to" / "score-a-table.md"


def shown(path: Path, *, terminal: bool) -> tuple[int, str]:
    path.write_text(lines(stay("p-1", 1, hours=1000)))
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    count = sum(1 for _ in screen.followed(table(path), console))
    return count, file.getvalue()


def test_a_terminal_shows_how_far_it_is_and_how_fast(tmp_path: Path) -> None:
    count, told = shown(tmp_path / "t.csv", terminal=True)
    assert count == 5000
    assert "4,000 rows" in told
    assert "/s" in told


def test_nothing_is_shown_where_nobody_looks(tmp_path: Path) -> None:
    assert shown(tmp_path / "t.csv", terminal=False) == (5000, "")


def test_the_how_to_and_the_summary_say_what_to_do_about_the_same_reasons() -> None:
    [bad] = re.findall(r"\n\| reason \| what to do \|\n(.+?)\n\n", HOW_TO.read_text(), re.DOTALL)
    told = re.findall(r"`([a-z-]+)`", "".join(line.split("|")[1] for line in bad.splitlines()))
    assert sorted(told) == sorted(MEANINGS)
    assert set(RowFault) <= set(MEANINGS)


def test_the_summary_names_the_first_bad_rows_and_counts_all() -> None:
    bad = BadRows()
    assert screen.summary(bad) == []
    for number in range(NAMED + 1):
        bad.add(number + 1, BadCell("value", Refusal.OUT_OF_RANGE))
    bad.add(99, BadCell("time", RowFault.OUT_OF_ORDER), rows=3)
    told = screen.summary(bad)
    assert told[:3] == [
        "bad rows: 14, left out",
        "  out-of-order: 3 (older than an earlier row of the same patient: sort the table by time)",
        "  out-of-range: 11 (no body has such a value: is the unit right?)",
    ]
    assert told[3:-1] == [f"  row {n + 1}, column value: out-of-range" for n in range(NAMED)]
    assert told[-1] == "  (the others are counted only)"
