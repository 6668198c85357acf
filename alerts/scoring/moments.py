"""From rows to moments: what was measured of one patient at one time, in the table's order."""

from __future__ import annotations

from collections import deque
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TYPE_CHECKING, Any

import msgspec

from alerts.scoring import judging
from alerts.scoring.rows import BadCell, BadRows, RowFault, Unreadable
from ingest.readings import Instant, Refusal, Vital

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alerts.scoring.rows import Row

# A table may be sorted by time alone, so that the rows of one moment stand among those of other
# patients. A moment is scored once its patient has a newer one, or this many rows further down:
# what is waited for stays in memory, about 100 MB at most (engineering choice: an hourly round of
# 10,000 patients with ten vitals each).
WINDOW = 100_000
# The name of the device where a table names none.
DEVICE = "table"
# How many series that Vigie does not know a table may have (engineering choice): a state grows with
# their number, and a table with more has something else in this column.
SERIES = 256


class TableMoment(msgspec.Struct, gc=False):
    """What a table has of one patient at one time (UTC); `first` is the number of its first row.

    `devices` and `series` hold the values by device: of vitals, and of series that Vigie does not
    know. Both are empty where nothing was measured. `age` (years) and `pregnant` are None where the
    moment says nothing of them.
    """

    patient: str
    time: datetime
    first: int
    rows: int = 0
    devices: dict[str, Instant] = {}
    series: dict[str, Instant] = {}
    age: float | None = None
    pregnant: bool | None = None


class Gathering:
    """Gathers rows into moments, in the order of their first rows.

    `bad` gets what is wrong with rows. With `generic`, series that Vigie does not know are taken
    too. The rows of a moment need not stand together, as long as they are not further apart than
    `window` rows.
    """

    def __init__(self, bad: BadRows, *, generic: bool = False, window: int = WINDOW) -> None:
        self._bad, self._generic, self._window = bad, generic, window
        self._waiting: deque[TableMoment] = deque()
        self._newest: dict[str, TableMoment] = {}
        self._series: set[str] = set()
        # What the last row said, and the moment that it came to: mostly the next one's too.
        self._whose: Any = None
        self._when: Any = None
        self._time: datetime | Refusal = Refusal.MISSING_TIME
        self._last: TableMoment | None = None

    def gather(self, rows: Iterable[Row | Unreadable]) -> Iterator[TableMoment]:
        """Yield each moment once nothing can come to it any more."""
        waiting = self._waiting
        for number, row in enumerate(rows, 1):
            if isinstance(row, Unreadable):
                self._bad.add(number, BadCell("", row.reason))
                continue
            known = len(waiting)
            self._take(number, row)
            if len(waiting) != known:
                yield from self._over(number)
        yield from waiting

    def _over(self, number: int) -> Iterator[TableMoment]:
        """Give away the moments at the head that are over."""
        waiting, newest = self._waiting, self._newest
        while waiting:
            head = waiting[0]
            if newest.get(head.patient) is head:
                if number - head.first < self._window:
                    return
                del newest[head.patient]
                if head is self._last:
                    self._last = None
            yield waiting.popleft()

    def _take(self, number: int, row: Row) -> None:
        patient, time, vital, cell, device, unit = row
        moment = self._moment(number, patient, time)
        if moment is None:
            return
        moment.rows += 1
        try:
            what = judging.measure(vital, unit, generic=self._generic)
        except TypeError:  # a list or the like, which Parquet has too
            what = BadCell("vital", Refusal.UNKNOWN_VITAL)
        if isinstance(what, BadCell):
            self._bad.add(number, what)
            return
        judged = judging.value(what, cell)
        if judged is None:
            return
        if isinstance(judged, Refusal):
            self._bad.add(number, BadCell("value", judged))
        elif what.vital is not None:
            self._put(number, moment.devices, moment, (device, what.vital), judged)
        elif what.name == judging.AGE:
            moment.age = judged.value
        elif what.name == judging.PREGNANT:
            moment.pregnant = bool(judged.value)
        elif self._known_series(what.name):
            self._put(number, moment.series, moment, (device, what.name), judged)
        else:
            self._bad.add(number, BadCell("vital", Refusal.TOO_MANY))

    def _moment(self, number: int, whose: Any, when: Any) -> TableMoment | None:
        """Find the moment that a row belongs to, or begin it; None for a bad row."""
        last = self._last
        if (
            last is not None
            and when == self._when
            and whose == self._whose
            and type(whose) is type(self._whose)  # True is 1 to Python
        ):
            return last
        patient = judging.patient(whose)
        if patient is None:
            self._bad.add(number, BadCell("patient", RowFault.BAD_PATIENT))
            return None
        if when is not self._when and when != self._when:
            self._time = judging.time(when)
        time, self._whose, self._when, self._last = self._time, whose, when, None
        if isinstance(time, Refusal):
            self._bad.add(number, BadCell("time", time))
            return None
        moment = self._newest.get(patient)
        if moment is not None and moment.time > time:
            self._bad.add(number, BadCell("time", RowFault.OUT_OF_ORDER))
            return None
        if moment is None or moment.time != time:
            moment = self._newest[patient] = TableMoment(patient, time, number)
            self._waiting.append(moment)
        self._last = moment
        return moment

    def _put(
        self,
        number: int,
        places: dict[str, Instant],
        moment: TableMoment,
        which: tuple[Any, str],
        judged: judging.Judged,
    ) -> None:
        """Put a value where its device's are; the first of a vital stays."""
        device = DEVICE if which[0] is None or which[0] == "" else str(which[0])
        instant = places.get(device)
        if instant is None:
            instant = places[device] = Instant(moment.time, {})
        # In generic scoring a series goes the way of a vital, whatever its name.
        vital: Vital = which[1]  # type: ignore[assignment]
        if vital in instant.values:
            self._bad.add(number, BadCell("vital", Refusal.REPEATED))
            return
        instant.values[vital] = judged.value
        if judged.quality:
            instant.quality[vital] = judged.quality
        if judged.original is not None:
            instant.original[vital] = judged.original

    def _known_series(self, name: str) -> bool:
        if name not in self._series and len(self._series) < SERIES:
            self._series.add(name)
        return name in self._series
