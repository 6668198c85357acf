"""Reading of plain and compressed tables, and of numbers that may be missing."""

from __future__ import annotations

import csv
import gzip
import math
from typing import TYPE_CHECKING

from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ingest.readings import Vital


def rows(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Read a table with a header line, row by row; `.gz` is unpacked.

    Raises SettingError for a file that cannot be read.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="")
        ) as file:
            yield from csv.DictReader(file, delimiter=delimiter)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SettingError(f"{path}: not a readable recording ({type(error).__name__})") from None


def number(text: object) -> float | None:
    """Return the number, or None for what recordings write where nothing was measured.

    >>> number("94.0"), number(""), number("NaN"), number(None)
    (94.0, None, None, None)
    """
    try:
        value = float(text)  # type: ignore[arg-type]  # what is no number is what we ask
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def measured(row: Mapping[str, object], columns: Mapping[str, Vital]) -> dict[Vital, float]:
    """Pick the vitals that were measured, as they stand in the file."""
    found = {vital: number(row.get(column)) for column, vital in columns.items()}
    return {vital: value for vital, value in found.items() if value is not None}
