"""`make evaluate`: put every question to the detectors, and write `docs/evaluation.md`.

python -m tests.evaluation [--only TASK] [--out docs/evaluation.md] [--check]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.evaluation import record, running
from tests.evaluation.comparing import outside
from tests.evaluation.page import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.evaluation.record import Kept

PAGE = Path("docs/evaluation.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns 1 if a task failed or a figure lies outside."""
    options = _options(arguments)
    place = os.environ.get("VIGIE_RECORDINGS", "")
    if not place or not Path(place).is_dir():
        sys.exit("VIGIE_RECORDINGS must name the folder of the recordings that are judged")
    known = running.names(options.tasks)
    chosen = _chosen(options.only, known)
    console = Console(width=None if sys.stdout.isatty() else 120)
    kept = options.out.with_suffix(".json")
    # Of a task that is no more, a whole run keeps no section.
    old = {
        name: section
        for name, section in record.read(kept).sections.items()
        if options.only or name in known
    }
    new: dict[str, Kept] = {}
    for name, found in running.run(chosen, Path(place), console, options.out.parent, options.tasks):
        new[name] = found
        if not options.check:
            # After each task, so that a long run that is broken off has not been for nothing.
            told = record.Record({**old, **new})
            record.write(told, kept)
            options.out.write_text(page(told), encoding="utf-8")
    differ = list(outside(old, new)) if options.check else []
    if not options.check:
        console.print(f"{options.out}: written", soft_wrap=True)
    return _told(console, new, differ, check=options.check)


def _chosen(only: str | None, known: list[str]) -> list[str]:
    chosen = only.split(",") if only else known
    for name in chosen:
        if name not in known:
            sys.exit(f"no task `{name}`; there are {', '.join(known)}")
    return chosen


def _told(console: Console, new: Mapping[str, Kept], differ: list[str], *, check: bool) -> int:
    """Say what differs and what failed; returns 1 if anything does."""
    failed = [name for name, found in new.items() if found.failed is not None]
    for line in differ:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if check and not differ:
        console.print(f"all figures of {len(new) - len(failed)} sections lie where the page says")
    for name in failed:
        console.print(f"{name}: {new[name].failed}", markup=False, soft_wrap=True)
    return 1 if failed or differ else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation", description=__doc__)
    parser.add_argument("--only", help="tasks, with commas between")
    parser.add_argument(
        "--out", type=Path, default=PAGE, help="the page; its figures lie beside it"
    )
    parser.add_argument("--tasks", type=Path, default=running.TASKS, help="folder of the tasks")
    parser.add_argument("--check", action="store_true", help="compare with the page, write nothing")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
