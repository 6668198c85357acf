"""Finds the tasks and runs them, one after the other."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from tests.evaluation.record import Kept, kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

TASKS = Path(__file__).with_name("tasks")
PACKAGE = "tests.evaluation.tasks"


def names(folder: Path = TASKS) -> list[str]:
    """List the tasks of a folder: its modules, but for those that begin with an underscore."""
    return sorted(one.stem for one in folder.glob("*.py") if not one.name.startswith("_"))


def run(
    chosen: Sequence[str], recordings: Path, console: Console, beside: Path, folder: Path = TASKS
) -> Iterator[tuple[str, Kept]]:
    """Run tasks; yields each one's section as soon as it is there, a failed one too.

    `beside` is the folder of the page, to which pictures are told. A module without `run` is no
    task, and is passed over.
    """
    for number, name in enumerate(chosen, 1):
        console.rule(f"{name} ({number} of {len(chosen)})")
        begun, day = monotonic(), datetime.now(UTC).date().isoformat()
        try:
            task = _module(name, folder)
            if not hasattr(task, "run"):
                continue
            found = kept(task.run(recordings, console), day, environment(), beside)
        except Exception as error:  # noqa: BLE001 (the other tasks are still to be run)
            console.print_exception()
            found = Kept(day, environment(), name, failed=_failure(error))
        console.print(
            f"{name}: {'failed' if found.failed else 'done'}, {monotonic() - begun:.0f} s"
        )
        yield name, found


def environment() -> str:
    """Say with what it was measured, but for the commit."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "river"))
    where = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"Python {platform.python_version()}, {libraries}, {where}"


def _failure(error: Exception) -> str:
    """Say what failed and where; the words of an error may quote a recording."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    file = Path(place.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} in {file}, line {place.tb_lineno}"


def _module(name: str, folder: Path) -> Any:
    if folder == TASKS:
        return importlib.import_module(f"{PACKAGE}.{name}")
    # A folder elsewhere: by its path, so that it need be no package.
    spec = importlib.util.spec_from_file_location(f"evaluation_task_{name}", folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
