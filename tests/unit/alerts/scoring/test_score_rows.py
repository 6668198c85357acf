"""Scored rows say what the worker would have said."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.scoring.rows import BadRows, BadTable, Row, RowFault
from alerts.scoring.run import ScoredRow, Scoring, ScoringFailed, score_rows
from alerts.watch import Watch
from detectors.base import Feed
from detectors.combine import Rules
from detectors.findings import Priority
from detectors.profiles.loading import Watched
from ingest.readings import Instant, Refusal, Vital
from ingest.registry.entities import Limit, Patient, Profile
from tests.unit.alerts.scoring.tables_of import USUAL, at, shuffled, stay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.base import Before, Moment, Scores

UNLIMITED = Scoring(Profile.WARD, math.inf)


def scored(rows: Iterable[Row], how: Scoring | None = None) -> list[ScoredRow]:
    return list(score_rows(rows, how))


def by_patient(rows: Iterable[ScoredRow]) -> dict[str, list[ScoredRow]]:
    found: dict[str, list[ScoredRow]] = {}
    for row in rows:
        found.setdefault(row.patient, []).append(row)
    return found


def test_a_table_is_scored_as_the_worker_scores_the_same_readings() -> None:
    rows = stay("p-1", 7, hours=60)
    watch, settings_ = Watch("p-1"), Patient("p-1", Profile.ICU)
    expected = []
    for hour in range(60):
        time, seconds = at(hour), at(hour).timestamp()
        values = {Vital(r.vital): r.value for r in rows if r.time == time and r.value is not None}
        due = watch.due(settings_)
        if due is not None and due <= seconds:
            watch.tick(settings_, Feed(time, seconds))
        outcome = watch.observe(settings_, "table", Instant(time, values), seconds)
        figures = outcome.assessment
        expected.append((figures.news2, figures.anomaly) if figures else (None, None))
    found = scored(rows, Scoring(Profile.ICU))
    assert [(row.news2, row.anomaly) for row in found if row.news2 is not None] == [
        one for one in expected if one[0] is not None
    ]
    assert any(row.news2 for row in found)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_shuffling_patients_leaves_each_patients_rows_unchanged(seed: int) -> None:
    stays = {f"p-{n}": stay(f"p-{n}", n, hours=12) for n in range(3)}
    apart = scored(row for rows in stays.values() for row in rows)
    mixed = scored(shuffled(stays, seed))
    assert by_patient(mixed) == by_patient(apart)


@pytest.mark.parametrize("live", [1, 2, 1000])
def test_the_number_of_patients_in_memory_changes_nothing(live: int) -> None:
    stays = {f"p-{n}": stay(f"p-{n}", n, hours=40) for n in range(4)}
    stays["p-1"].insert(0, Row("p-1", at(0), "age", 70))
    how = Scoring(Profile.ICU, generic=True, live=live)
    rows = shuffled(stays, 3)
    rows += [Row("p-2", at(100 + n), "cpu", n % 5) for n in range(60)]
    alone = [row for name in stays for row in scored([r for r in rows if r.patient == name], how)]
    assert by_patient(scored(rows, how)) == by_patient(alone)


def test_values_are_carried_forward_for_ever_where_that_is_wanted() -> None:
    rows = [Row("p-1", at(0), "spo2", 91), Row("p-1", at(24 * 365), "heart_rate", 70)]
    [_, later] = scored(rows, UNLIMITED)
    assert later.news2 == 3
    assert "spo2" not in later.news2_missing
    [_, later] = scored(rows)
    assert later.news2 == 0
    assert "spo2" in later.news2_missing


def test_a_time_at_which_nothing_came_has_what_is_still_valid() -> None:
    rows = [Row("p-1", at(hour), "spo2", 91 if hour == 0 else None) for hour in (0, 6, 13)]
    assert [row.news2 for row in scored(rows)] == [3, 3, None]
    assert [row.news2 for row in scored(rows, UNLIMITED)] == [3, 3, 3]
    assert [row.news2 for row in scored(rows, Scoring(Profile.WARD, 2.0))] == [3, None, None]


def test_a_patient_of_whom_nothing_is_known_has_a_row_without_figures() -> None:
    [row] = scored([Row("p-1", at(0), "spo2", None)])
    assert row == ScoredRow("p-1", at(0), None, (), None, None, None, None, "", {})


def test_the_priority_is_that_of_the_most_urgent_open_alert() -> None:
    ill = {"spo2": 88, "respiratory_rate": 26, "heart_rate": 125, "systolic": 95}
    rows = [Row("p-1", at(0), vital, value) for vital, value in ill.items()]
    well = {"spo2": 97, "respiratory_rate": 14, "heart_rate": 70, "systolic": 120}
    rows += [Row("p-1", at(1), vital, value) for vital, value in well.items()]
    # At home no risk model is asked, whose answer would outlast the illness by some hours.
    [first, second] = scored(rows, Scoring(Profile.HOME_RESPIRATORY))
    assert (first.news2, first.priority) == (10, Priority.HIGH)
    assert first.explanation
    assert (second.news2, second.priority, second.explanation) == (0, None, "")


def test_explanations_come_in_the_language_that_was_asked_for() -> None:
    rows = [Row("p-1", at(0), "spo2", 85)]
    english, french = (
        scored(rows, Scoring(Profile.WARD, language=language))[0].explanation
        for language in ("en", "fr")
    )
    assert english != french


def test_neither_children_nor_pregnant_women_have_a_news2() -> None:
    ill = Row("p-1", at(0), "spo2", 85)
    assert scored([Row("p-1", at(0), "age", 12), ill])[0].news2 is None
    assert scored([Row("p-1", at(0), "pregnant", 1), ill])[0].news2 is None
    assert scored([Row("p-1", at(0), "age", 40), ill])[0].news2 == 3


def test_a_patients_own_settings_go_before_the_profile() -> None:
    own = Patient("p-1", limits={Vital.WEIGHT: Limit(high=80, count=1, seconds=0)})
    rows = [Row("p-1", at(0), "weight", 90), Row("p-2", at(0), "weight", 90)]
    [first, second] = scored(rows, Scoring(patients={"p-1": own}))
    assert first.priority is not None
    assert second.priority is None


def test_two_devices_at_one_time_are_one_row() -> None:
    rows = [
        Row("p-1", at(0), "spo2", 85, "dev-1"),
        Row("p-1", at(0), "respiratory_rate", 30, "dev-2"),
    ]
    [row] = scored(rows)
    assert row.news2 == 6


def test_rows_of_one_moment_that_stand_too_far_apart_are_named_and_so_are_older_ones() -> None:
    many = [Row(f"p-{n}", at(1), "spo2", 97) for n in range(30)]
    late = [Row("p-0", at(1), "heart_rate", 70), Row("p-1", at(0), "spo2", 97)]
    bad = BadRows()
    found = list(score_rows([*many, *late], Scoring(window=10), bad))
    assert len(found) == 30
    assert bad.counts == {RowFault.SCATTERED: 1, RowFault.OUT_OF_ORDER: 1}
    assert [one.number for one in bad.first] == [31, 32]


def test_an_unknown_series_is_bad_unless_it_was_asked_for() -> None:
    bad = BadRows()
    [row] = score_rows([Row("p-1", at(0), "cpu", 1.0)], Scoring(), bad)
    assert row.news2 is None
    assert bad.counts == {Refusal.UNKNOWN_VITAL: 1}
    bad = BadRows()
    [row] = score_rows([Row("p-1", at(0), "cpu", 1.0)], Scoring(generic=True), bad)
    assert not bad


def test_unknown_series_change_nothing_for_vitals_beside_them() -> None:
    rows = stay("p-1", 5)
    beside = [row for one in rows for row in (one, one._replace(vital=f"x-{one.vital}"))]
    plain, mixed = scored(rows), scored(beside, Scoring(generic=True))
    assert [row[:6] for row in plain] == [row[:6] for row in mixed]


def test_a_bad_row_stops_everything_where_it_is_fatal() -> None:
    rows = [Row("p-1", at(0), "spo2", 97), Row("p-1", at(1), "spo2", "secret-word")]
    with pytest.raises(
        BadTable,
        match=r"^row 2, column value: not-a-number \(write numbers with a point, such as 37.5\)$",
    ):
        list(score_rows(rows, None, BadRows(fatal=True)))


def test_the_made_up_stays_have_what_they_are_meant_to_have() -> None:
    rows = scored(stay("p-1", 1, hours=50))
    assert len(rows) == 50
    assert {row.priority for row in rows} >= {None, Priority.MEDIUM}
    assert set(USUAL) < set(Vital)


class Failing:
    """A detector that does what none may do, and quotes what it was given."""

    name, version, options_type, state_type = "failing", 1, Rules, None

    def __init__(self, options: Rules, state: None = None) -> None:
        del options, state

    def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
        raise ValueError(f"{settings.id}: {moment.samples} {before}")


def test_a_detector_that_fails_is_named_with_the_row_and_nothing_of_the_patient() -> None:
    failing = Watched("failing", "nobody", ((Failing, Rules()),), Rules())
    how = Scoring(watched=dict.fromkeys(Profile, failing))
    rows = [Row("zoe", at(0), "spo2", None), Row("zoe", at(1), "spo2", 97)]
    with pytest.raises(ScoringFailed) as caught:
        list(score_rows(rows, how))
    assert re.fullmatch(
        r"row 2: a detector failed: ValueError in score, line \d+", str(caught.value)
    )
