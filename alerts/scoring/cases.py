"""The patients of a table: as many watches in memory as there is room for, the others on disk."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from alerts.scoring.watching import TableWatch
from ingest.ports import VigieError
from ingest.registry.entities import Patient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.profiles.loading import Watched
    from ingest.registry.entities import Profile

# Watches in memory: about 50 MB (engineering choice). A table sorted by patient needs one.
LIVE = 1000
_NOBODY: Mapping[str, Patient] = MappingProxyType({})


class NoRoom(VigieError):
    """The temporary folder cannot take the states of patients: it is full, or cannot be written."""


class _Kept(msgspec.Struct, array_like=True):
    """A case on disk; `born`, `pregnant` are what the table said, the rest is said anew."""

    last: datetime | None
    born: int | None
    pregnant: bool
    watch: bytes
    series: bytes | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Kept)


class Case:
    """One patient: settings, the watch over the vitals, and one over series that are none.

    The two are apart because a vital is judged by the patient's profile, and an unknown series by
    the generic one. `last` is the time (UTC) of the newest moment; None: there was none.
    """

    __slots__ = ("last", "series", "settings", "watch")

    def __init__(self, settings: Patient, watch: TableWatch) -> None:
        self.settings, self.watch = settings, watch
        self.series: TableWatch | None = None
        self.last: datetime | None = None

    @property
    def watches(self) -> tuple[TableWatch, ...]:
        """The watches that there are."""
        return (self.watch,) if self.series is None else (self.watch, self.series)


class Cases:
    """Keeps the state of every patient, at most `live` of them in memory.

    The others' are snapshots in a temporary database, which goes with the process, however it ends.
    A case is the same whether it was on disk or not. Call `close` in the end.
    """

    def __init__(
        self,
        profile: Profile,
        profiles: Mapping[Profile, Watched],
        series: Watched | None = None,
        patients: Mapping[str, Patient] = _NOBODY,
        live: int = LIVE,
    ) -> None:
        self._patients, self._most = patients, max(1, live)
        self._vitals = TableWatch.by(profiles)
        self._series = self._vitals
        if series is not None:
            self._series = TableWatch.by(dict.fromkeys(profiles, series))
        self._profile = profile
        self._live: OrderedDict[str, Case] = OrderedDict()
        self._stored: sqlite3.Connection | None = None

    def case(self, patient: str) -> Case:
        """Return a patient's case, which is the newest used then. Raises NoRoom."""
        case = self._live.get(patient)
        if case is not None:
            self._live.move_to_end(patient)
            return case
        try:
            case = self._live[patient] = self._found(patient)
            if len(self._live) > self._most:
                self._store(*self._live.popitem(last=False))
        except sqlite3.Error as error:
            raise NoRoom(f"the temporary folder cannot take more states: {error}") from None
        return case

    def series(self, patient: str, case: Case) -> TableWatch:
        """Return the watch over a patient's unknown series, made when the first one comes."""
        if case.series is None:
            case.series = self._series(patient)
        return case.series

    def close(self) -> None:
        """Throw away what is on disk."""
        if self._stored is not None:
            self._stored.close()
            self._stored = None

    def _settings(self, patient: str) -> Patient:
        return self._patients.get(patient) or Patient(patient, self._profile)

    def _found(self, patient: str) -> Case:
        settings, row = self._settings(patient), None
        if self._stored is not None:
            found = self._stored.execute("SELECT state FROM cases WHERE patient = ?", (patient,))
            row = found.fetchone()
        if row is None:
            return Case(settings, self._vitals(patient))
        kept = _decoder.decode(row[0])
        settings = msgspec.structs.replace(settings, born=kept.born, pregnant=kept.pregnant)
        case = Case(settings, self._vitals.restore(patient, kept.watch))
        case.last = kept.last
        if kept.series is not None:
            case.series = self._series.restore(patient, kept.series)
        return case

    def _store(self, patient: str, case: Case) -> None:
        if self._stored is None:
            self._stored = _database()
        settings = case.settings
        series = None if case.series is None else case.series.snapshot()
        kept = _Kept(case.last, settings.born, settings.pregnant, case.watch.snapshot(), series)
        self._stored.execute("REPLACE INTO cases VALUES (?, ?)", (patient, _encoder.encode(kept)))


def _database() -> sqlite3.Connection:
    """Open a database without a name: its file is unlinked from the start, and read by nobody."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("CREATE TABLE cases (patient TEXT PRIMARY KEY, state BLOB) WITHOUT ROWID")
    # One transaction to the end: nothing of this is ever read by another process.
    database.execute("BEGIN")
    return database
