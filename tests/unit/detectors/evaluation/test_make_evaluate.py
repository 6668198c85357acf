"""The frame of `make evaluate`, over tasks that measure nothing."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.__main__ import main
from tests.evaluation.comparing import outside
from tests.evaluation.record import Kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.evaluation.record import Figure

    Run = Callable[..., int]

GOOD = """
from tests.evaluation.report import Section

def run(recordings, console):
    console.print(f"looking at {{recordings.name}}")
    section = Section("A | B", "Is it?", "Done so.\\nAnd so.", ("", "figure"))
    section.rows.append(("ours | theirs", "0.700 [0.650, 0.750]"))
    section.figures["ours"] = ({value}, 0.65, 0.75)
    section.figures["plain"] = ({plain}, None, None)
    section.verdict = "It is."
    return section
"""
BAD = """
def run(recordings, console):
    raise ValueError("patient 17 has 666")
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "good.py").write_text(GOOD.format(value=0.7, plain=3))
    (folder / "_helper.py").write_text("raise RuntimeError")
    (folder / "words.py").write_text("WORDS = 1")
    return folder


@pytest.fixture
def run(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    recordings = tasks.parent / "recordings"
    recordings.mkdir()
    monkeypatch.setenv("VIGIE_RECORDINGS", str(recordings))
    page = tasks.parent / "evaluation.md"
    return lambda *options: main(["--tasks", str(tasks), "--out", str(page), *options])


def page(tasks: Path) -> str:
    return (tasks.parent / "evaluation.md").read_text()


def kept(tasks: Path) -> dict[str, Any]:
    sections: dict[str, Any] = json.loads((tasks.parent / "evaluation.json").read_text())
    return dict(sections["sections"])


def test_every_task_found_is_a_section_of_the_page_and_of_the_figures(
    run: Run, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    written = page(tasks)
    assert "## A | B" in written
    assert "**Is it?**" in written
    assert "Done so. And so." in written
    assert r"| ours \| theirs | 0.700 [0.650, 0.750] |" in written
    assert "It is." in written
    assert re.search(r"measured \d{4}-\d\d-\d\d; Python 3\.", written)
    assert kept(tasks)["good"]["figures"] == {"ours": [0.7, 0.65, 0.75], "plain": [3.0, None, None]}
    assert set(kept(tasks)) == {"good"}
    said = capsys.readouterr().out
    assert "looking at recordings" in said
    assert re.search(r"good: done, \d+ s", said)


def test_the_demands_stand_on_top_with_what_is_not_measured(run: Run, tasks: Path) -> None:
    run()
    top = page(tasks).partition("## A | B")[0]
    assert (
        "| NEWS2: not measured; its mean of 6 h: not measured | not measured "
        "| 0.675: not measured | 0.72: not measured | `sepsis` |" in top
    )
    assert "make bench" in top


def test_a_whole_run_forgets_tasks_that_are_no_more(run: Run, tasks: Path) -> None:
    (tasks / "other.py").write_text(GOOD.format(value=0.66, plain=1))
    run()
    (tasks / "other.py").unlink()
    run()
    assert set(kept(tasks)) == {"good"}


def test_one_task_alone_leaves_the_others_sections_as_they_were(run: Run, tasks: Path) -> None:
    (tasks / "other.py").write_text(GOOD.format(value=0.66, plain=1))
    run()
    (tasks / "good.py").write_text(GOOD.format(value=0.74, plain=9))
    (tasks / "other.py").unlink()
    assert run("--only", "good") == 0
    found = {task: one["figures"]["ours"][0] for task, one in kept(tasks).items()}
    assert found == {"good": 0.74, "other": 0.66}


def test_a_task_that_raises_is_a_section_that_says_so_and_the_others_are_run(
    run: Run, tasks: Path
) -> None:
    (tasks / "bad.py").write_text(BAD)
    assert run() == 1
    assert "**Failed:** ValueError in bad.py, line 3." in page(tasks)
    assert "666" not in page(tasks)
    assert "It is." in page(tasks)


@pytest.mark.parametrize(
    ("value", "plain", "said"),
    [
        (0.74, 3.001, ""),
        (0.76, 3, "good: ours: 0.76, the page says 0.7 [0.65, 0.75]"),
        (0.7, 3.1, "good: plain: 3.1, the page says 3"),
    ],
)
def test_a_check_names_the_figures_outside_of_the_pages_intervals_and_writes_nothing(
    run: Run, tasks: Path, capsys: pytest.CaptureFixture[str], value: float, plain: float, said: str
) -> None:
    run()
    before = page(tasks), kept(tasks)
    (tasks / "good.py").write_text(GOOD.format(value=value, plain=plain))
    assert run("--check") == (1 if said else 0)
    assert (said or "all figures of 1 sections lie where the page says") in capsys.readouterr().out
    assert (page(tasks), kept(tasks)) == before


def test_an_interval_without_width_leaves_room_for_a_last_place() -> None:
    def one(figure: Figure) -> dict[str, Kept]:
        return {"task": Kept("2026-11-24", "", "A", figures={"lead": figure})}

    assert not list(outside(one((4.0, 4.0, 4.0)), one((3.99, 3.9, 4.0))))
    assert list(outside(one((4.0, 4.0, 4.0)), one((3.5, 3.0, 4.0))))


def test_a_check_names_what_is_not_on_the_page_and_what_is_no_more(
    run: Run, tasks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    text = GOOD.format(value=0.7, plain=3).replace('"plain"', '"new"')
    (tasks / "good.py").write_text(text)
    (tasks / "other.py").write_text(GOOD.format(value=0.7, plain=3))
    assert run("--check") == 1
    said = capsys.readouterr().out
    for line in (
        "good: plain: not measured any more",
        "good: new: not on the page",
        "other: not on the page",
    ):
        assert line in said


def test_a_task_that_fails_fails_the_check(run: Run, tasks: Path) -> None:
    run()
    (tasks / "good.py").write_text(BAD)
    assert run("--check") == 1


@pytest.mark.parametrize("place", ["", "/nowhere/at/all"])
def test_without_recordings_it_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("VIGIE_RECORDINGS", place)
    with pytest.raises(SystemExit, match="VIGIE_RECORDINGS must name the folder"):
        run()


def test_a_task_that_is_not_there_is_one_sentence(run: Run) -> None:
    with pytest.raises(SystemExit, match="no task `nob`; there are good, words"):
        run("--only", "nob")
