"""Scores a table's rows, by the very code that the worker runs."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from alerts.scoring import profiles
from alerts.scoring.cases import LIVE, Case, Cases
from alerts.scoring.moments import WINDOW, Gathering
from alerts.scoring.rows import BadCell, BadRows, RowFault
from alerts.scoring.words import explained
from detectors.base import Feed
from detectors.news2_chart import CHART
from detectors.profiles.loading import SHIPPED
from ingest.ports import VigieError
from ingest.registry.entities import Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from alerts.scoring.moments import TableMoment
    from alerts.scoring.rows import Row, Unreadable
    from alerts.scoring.watching import TableWatch
    from detectors.findings import Assessment, Priority
    from detectors.profiles.loading import Watched
    from ingest.readings import Instant
    from ingest.registry.entities import Patient

DETERIORATION = "deterioration"
SEPSIS = "sepsis"


class ScoringFailed(VigieError):
    """A detector failed, which is our fault: names the row of the table, and no value."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a table is scored.

    `profile` is that of all patients but those whose settings `patients` has. `validity_hours` is
    how long NEWS2 carries a value forward: None as the profile says, infinite for ever. `generic`:
    series that Vigie does not know are scored by the generic detectors. `language` is that of the
    explanations, `en` or `fr`. At most `live` patients are in memory at once, and the rows of one
    moment may stand `window` rows apart: neither changes a figure. `watched` are the profiles
    themselves, for who wants to know what one detector adds.
    """

    profile: Profile = Profile.WARD
    validity_hours: float | None = None
    generic: bool = False
    language: str = "en"
    patients: Mapping[str, Patient] = field(default_factory=dict)
    live: int = LIVE
    window: int = WINDOW
    watched: Mapping[Profile, Watched] = field(default_factory=lambda: SHIPPED)


class ScoredRow(NamedTuple):
    """How a patient stands after what was measured at one time (UTC); None means unknown.

    `news2` is the sum over what is known and still valid, `news2_missing` names the rest. Risks are
    probabilities, 0..1; `anomaly` has no upper bound. These three are given where they were scored
    at this very time. `priority` is the highest of the open alerts, None when none is open, and
    `explanation` says what they rest on. `risks` has the answers to all questions by name, those of
    the two columns included.
    """

    patient: str
    time: datetime
    news2: int | None
    news2_missing: tuple[str, ...]
    risk_deterioration: float | None
    risk_sepsis: float | None
    anomaly: float | None
    priority: Priority | None
    explanation: str
    risks: Mapping[str, float]


def score_rows(
    rows: Iterable[Row | Unreadable], how: Scoring | None = None, bad: BadRows | None = None
) -> Iterator[ScoredRow]:
    """Score rows one by one; yields one row for each patient and time, in the order of the first.

    Parameters
    ----------
    rows
        Rows of a long table, of as many patients as there are, each patient's in order of time.
    how
        The profile and so on; None: as the ward.
    bad
        Gets what was left out; None: nobody wants to know.

    Raises
    ------
    BadTable
        At a bad row, where `bad` says that it is fatal.
    ScoringFailed
        When a detector fails.

    Examples
    --------
    >>> from alerts.scoring.rows import Row
    >>> rows = [Row("p-1", "2026-11-24T03:00:00Z", "spo2", 91)]
    >>> [scored] = score_rows(rows)
    >>> scored.news2, len(scored.news2_missing), scored.priority.value
    (3, 6, 'medium')
    """
    how = how if how is not None else Scoring()
    bad = bad if bad is not None else BadRows()
    series = profiles.generic() if how.generic else None
    by = profiles.with_validity(how.watched, how.validity_hours)
    cases = Cases(how.profile, by, series, how.patients, how.live)
    try:
        gathering = Gathering(bad, generic=how.generic, window=how.window)
        for moment in gathering.gather(rows):
            case = cases.case(moment.patient)
            if case.last is not None and moment.time <= case.last:
                far = moment.time == case.last
                reason = RowFault.SCATTERED if far else RowFault.OUT_OF_ORDER
                bad.add(moment.first, BadCell("time", reason), moment.rows)
                continue
            case.last = moment.time
            try:
                scored = _scored(cases, case, moment, how.language)
            except Exception as error:  # noqa: BLE001 (its words may hold a value)
                raise ScoringFailed(f"row {moment.first}: {_failure(error)}") from None
            yield scored
    finally:
        cases.close()


def _failure(error: Exception) -> str:
    """Say what failed and where in the code, without the error's own words."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"a detector failed: {type(error).__name__} in {place.name}, line {place.lineno}"


@dataclass(slots=True)
class _Figures:
    """The figures of one time, the newest of each."""

    news2: int | None = None
    missing: tuple[str, ...] = ()
    anomaly: float | None = None
    risks: dict[str, float] = field(default_factory=dict)

    def add(self, found: Assessment) -> None:
        # Where everything is missing, it says that NEWS2 is not for this patient any more.
        if found.news2 is not None and len(found.news2_missing) < len(CHART):
            self.news2, self.missing = found.news2, found.news2_missing
        if found.anomaly is not None:
            self.anomaly = found.anomaly
        self.risks.update(found.risks)


def _scored(cases: Cases, case: Case, moment: TableMoment, language: str) -> ScoredRow:
    _said(case, moment)
    time = moment.time
    at = time.timestamp()
    for watch in case.watches:
        due = watch.due(case.settings)
        if due is not None and due <= at:
            watch.tick(case.settings, Feed(time, at))
    figures = _Figures()
    _show(case.watch, case.settings, moment.devices, at, figures)
    if moment.series:
        others = _Figures()
        watch = cases.series(moment.patient, case)
        _show(watch, case.settings, moment.series, at, others)
        if others.anomaly is not None:
            figures.anomaly = max(others.anomaly, figures.anomaly or 0.0)
    if figures.news2 is None:
        standing = case.watch.news2(case.settings, time)
        if standing is not None:
            figures.news2, figures.missing = int(standing.value), standing.missing
    priority, explanation = explained(case.watches, language, time)
    risks = figures.risks
    return ScoredRow(
        moment.patient,
        time,
        figures.news2,
        figures.missing,
        risks.get(DETERIORATION),
        risks.get(SEPSIS),
        figures.anomaly,
        priority,
        explanation,
        risks,
    )


def _show(
    watch: TableWatch, settings: Patient, devices: Mapping[str, Instant], at: float, into: _Figures
) -> None:
    """Show one time's values to a watch, device by device."""
    for device, instant in devices.items():
        found = watch.observe(settings, device, instant, at).assessment
        if found is not None:
            into.add(found)


def _said(case: Case, moment: TableMoment) -> None:
    """Take in what a moment says of the patient."""
    if moment.age is not None:
        born = moment.time.year - int(moment.age)
        if born != case.settings.born:
            case.settings = msgspec.structs.replace(case.settings, born=born)
    if moment.pregnant is not None and moment.pregnant != case.settings.pregnant:
        case.settings = msgspec.structs.replace(case.settings, pregnant=moment.pregnant)
