"""What a table's rows are, before anything of them is believed, and the account of bad ones."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.ports import VigieError
from ingest.readings import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

# How many bad rows are named; all are counted. What ails a table shows in its first few.
NAMED = 10

COLUMNS = ("patient", "time", "vital", "value")
OPTIONAL = ("device", "unit")


class Row(NamedTuple):
    """One row of a long table, as it stands there: nothing of it is believed yet.

    Cells are text as in CSV, or numbers, booleans and times (with a zone) as in Parquet. An empty
    `value` (None, "", NaN) means: not measured. An empty `unit` means the vital's own, an empty
    `device` that one device measured everything.
    """

    patient: Any
    time: Any
    vital: Any
    value: Any
    device: Any = None
    unit: Any = None


class RowFault(StrEnum):
    """What can be wrong with a row besides what is refused at the gateway's door."""

    UNREADABLE = "unreadable"  # no row of a table: an endless cell, or more or fewer than the head
    BAD_PATIENT = "bad-patient"
    OUT_OF_ORDER = "out-of-order"  # older than an earlier row of the patient
    SCATTERED = "scattered"  # of a moment whose other rows stand too far above


Reason = Refusal | RowFault
_TIMES = "write times with their zone, such as 2026-11-24T08:00:00Z"
# What to do about each, for whoever has the table; the words of docs/how-to/score-a-table.md.
MEANINGS: Mapping[Reason, str] = {
    RowFault.UNREADABLE: "more or fewer cells than the head has, or a quote that never ends",
    RowFault.BAD_PATIENT: "write text in UTF-8, or whole numbers",
    RowFault.OUT_OF_ORDER: "older than an earlier row of the same patient: sort the table by time",
    RowFault.SCATTERED: "far below the other rows of its patient and time: sort the table by time",
    Refusal.REPEATED: "there already for this patient, time and device: the first counted",
    Refusal.MISSING_TIME: _TIMES,
    Refusal.NO_TIME_ZONE: _TIMES,
    Refusal.BAD_TIME: f"{_TIMES}; years 1900 to 2199",
    Refusal.UNKNOWN_VITAL: "write names such as heart_rate; --generic scores unknown series too",
    Refusal.UNKNOWN_UNIT: "write a UCUM code that the vital may have, such as [degF]",
    Refusal.UNIT_CONTRADICTS_CODE: "write a UCUM code that the vital may have, such as [degF]",
    Refusal.NOT_A_NUMBER: "write numbers with a point, such as 37.5",
    Refusal.NOT_FINITE: "leave the cell empty where nothing was measured",
    Refusal.OUT_OF_RANGE: "no body has such a value: is the unit right?",
    Refusal.UNKNOWN_CODE: "a letter of ACVPU for consciousness, 0 or 1 for what is true or not",
    Refusal.TOO_MANY: "more unknown series than a table may have",
}


class Unreadable(NamedTuple):
    """A row that has no cells to look at."""

    reason: Reason = RowFault.UNREADABLE


class BadCell(NamedTuple):
    """What is wrong with a row, and in which column ("" for the whole row)."""

    column: str
    reason: Reason


class BadRow(NamedTuple):
    """A row that was left out, by its number: 1 is the first below the head. Never its cells."""

    number: int
    column: str
    reason: Reason

    def __str__(self) -> str:
        """Say it in one line.

        >>> str(BadRow(7, "value", Refusal.OUT_OF_RANGE))
        'row 7, column value: out-of-range'
        """
        where = f"row {self.number}, column {self.column}" if self.column else f"row {self.number}"
        return f"{where}: {self.reason}"


def meaning(reason: Reason) -> str:
    """Say in brackets what to do about a reason; empty where there is nothing to say.

    >>> meaning(Refusal.NOT_A_NUMBER)
    ' (write numbers with a point, such as 37.5)'
    """
    said = MEANINGS.get(reason)
    return f" ({said})" if said else ""


class BadTable(VigieError):
    """A row is bad, and bad rows were not to be passed over."""


class BadRows:
    """The account of bad rows: the first few by number, all by reason.

    `fatal`: the first one raises BadTable instead.
    """

    def __init__(self, *, fatal: bool = False) -> None:
        self._fatal = fatal
        self.first: list[BadRow] = []
        self.counts: Counter[Reason] = Counter()

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, number: int, bad: BadCell, rows: int = 1) -> None:
        """Count a bad row, or several of one moment that begins at this one. May raise BadTable."""
        named = BadRow(number, *bad)
        if self._fatal:
            raise BadTable(f"{named}{meaning(bad.reason)}")
        self.counts[bad.reason] += rows
        if len(self.first) < NAMED:
            self.first.append(named)
