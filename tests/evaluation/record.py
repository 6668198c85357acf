"""What `docs/evaluation.json` keeps: every section, so that the page can be made of it alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evaluation.report import Section

Figure = tuple[float, float | None, float | None]


class Kept(msgspec.Struct, frozen=True):
    """A section as it was measured: on which day (UTC), with what. `failed` says why it has none.

    `figures` are by name: value, low, high (None: no interval). `pictures` are beside the page.
    """

    measured: str
    environment: str
    title: str
    question: str = ""
    method: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    figures: dict[str, Figure] = {}
    verdict: str = ""
    pictures: tuple[str, ...] = ()
    failed: str | None = None


class Record(msgspec.Struct, frozen=True, tag_field="schema", tag="evaluation-page/1"):
    """All sections, by task."""

    sections: dict[str, Kept] = {}


def kept(section: Section, measured: str, environment: str, folder: Path) -> Kept:
    """Keep what a task told; `folder` is the page's."""
    return Kept(
        measured=measured,
        environment=environment,
        title=section.title,
        question=section.question,
        method=section.method,
        header=section.header,
        rows=tuple(section.rows),
        figures={name: _plain(figure) for name, figure in section.figures.items()},
        verdict=section.verdict,
        pictures=tuple(os.path.relpath(one, folder) for one in section.pictures),
    )


def read(path: Path) -> Record:
    """Read the record; an empty one if there is none yet. Raises msgspec.ValidationError."""
    if not path.exists():
        return Record()
    return msgspec.json.decode(path.read_bytes(), type=Record)


def write(record: Record, path: Path) -> None:
    """Write the record, tasks in the order of their names."""
    ordered = Record(dict(sorted(record.sections.items())))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")


def _plain(figure: Figure) -> Figure:
    """Make plain floats of what may be numpy's."""
    value, low, high = figure
    return float(value), None if low is None else float(low), None if high is None else float(high)
