"""Which rows of a table are one moment."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.scoring.moments import DEVICE, Gathering, TableMoment
from alerts.scoring.rows import BadRows, Row, RowFault, Unreadable
from ingest.readings import Refusal
from tests.unit.alerts.scoring.tables_of import at, shuffled, stay


def gather(
    rows: list[Any], *, window: int = 100, generic: bool = False
) -> tuple[list[TableMoment], BadRows]:
    bad = BadRows()
    return list(Gathering(bad, generic=generic, window=window).gather(rows)), bad


def test_the_rows_of_one_patient_and_time_are_one_moment() -> None:
    rows = [Row("p-1", at(0), "spo2", 97), Row("p-1", at(0), "heart_rate", 70)]
    [moment], bad = gather([*rows, Row("p-1", at(0), "temperature", None)])
    assert moment.devices[DEVICE].values == {"spo2": 97.0, "heart_rate": 70.0}
    assert (moment.first, moment.rows, len(bad)) == (1, 3, 0)


def test_each_device_has_values_of_its_own() -> None:
    rows = [
        Row("p-1", at(0), "spo2", 97, "dev-1"),
        Row("p-1", at(0), "spo2", 91, "dev-2"),
        Row("p-1", at(0), "heart_rate", 70, "dev-1"),
    ]
    [moment], bad = gather(rows)
    values = {device: instant.values for device, instant in moment.devices.items()}
    assert values == {"dev-1": {"spo2": 97.0, "heart_rate": 70.0}, "dev-2": {"spo2": 91.0}}
    assert not bad


def test_a_vital_that_is_there_twice_counts_once_and_the_second_is_named() -> None:
    [moment], bad = gather([Row("p-1", at(0), "spo2", 97), Row("p-1", at(0), "spo2", 80)])
    assert moment.devices[DEVICE].values == {"spo2": 97.0}
    assert [str(one) for one in bad.first] == ["row 2, column vital: repeated"]


def test_a_moment_without_a_value_that_can_be_believed_is_there_all_the_same() -> None:
    moments, bad = gather([Row("p-1", at(0), "spo2", ""), Row("p-1", at(1), "spo2", 130)])
    assert [moment.time for moment in moments] == [at(0), at(1)]
    assert all(not moment.devices for moment in moments)
    assert bad.counts == {Refusal.OUT_OF_RANGE: 1}


def test_what_is_said_of_the_patient_is_no_measurement() -> None:
    [moment], _ = gather([Row("p-1", at(0), "age", "64"), Row("p-1", at(0), "pregnant", "true")])
    assert (moment.age, moment.pregnant, moment.devices) == (64.0, True, {})


def test_moments_come_in_the_order_of_their_first_rows() -> None:
    rows = [
        Row("p-1", at(0), "spo2", 97),
        Row("p-2", at(0), "spo2", 95),
        Row("p-2", at(1), "spo2", 95),
        Row("p-1", at(0), "heart_rate", 70),
        Row("p-1", at(1), "spo2", 97),
    ]
    moments, _ = gather(rows)
    assert [moment.first for moment in moments] == [1, 2, 3, 5]
    assert moments[0].rows == 2


def test_a_row_that_is_older_than_its_patients_last_is_named() -> None:
    rows = [Row("p-1", at(1), "spo2", 97), Row("p-1", at(0), "spo2", 80)]
    [moment], bad = gather(rows)
    assert moment.time == at(1)
    assert bad.counts == {RowFault.OUT_OF_ORDER: 1}


def test_no_more_rows_are_waited_for_than_the_window_has() -> None:
    rows = (Row(f"p-{number}", at(0), "spo2", 97) for number in range(10_000))
    gathering = Gathering(BadRows(), window=50)
    for number, moment in enumerate(gathering.gather(rows), 1):
        assert moment.first == number
        assert len(gathering._waiting) <= 50
        assert len(gathering._newest) <= 50


def test_a_row_that_cannot_be_read_is_counted_and_the_next_ones_are_read() -> None:
    moments, bad = gather([Unreadable(), Row("p-1", at(0), "spo2", 97)])
    assert [moment.first for moment in moments] == [2]
    assert [str(one) for one in bad.first] == ["row 1: unreadable"]


def test_a_table_with_a_new_series_in_each_row_stops_growing() -> None:
    rows = [Row("p-1", at(n), f"series-{n}", 1.0) for n in range(300)]
    moments, bad = gather(rows, generic=True)
    assert sum(bool(moment.series) for moment in moments) == 256
    assert bad.counts == {Refusal.TOO_MANY: 44}


cells = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.floats(),
    st.integers(),
    st.lists(st.none(), max_size=1),
    st.sampled_from(["p-1", "spo2", "97", "2026-11-24T03:00:00Z", "2026-11-24T04:00:00Z", "%"]),
)


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(cells, cells, cells, cells, cells, cells), max_size=8))
def test_whatever_stands_in_a_cell_it_is_named_and_never_raises(rows: list[Any]) -> None:
    for generic in (False, True):
        moments, bad = gather([Row(*row) for row in rows], generic=generic)
        told = sum(moment.rows for moment in moments)
        assert told <= len(rows) <= told + len(bad)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_rows_of_other_patients_in_between_change_no_moment(seed: int) -> None:
    stays = {f"p-{n}": stay(f"p-{n}", n, hours=3) for n in range(4)}
    apart, _ = gather([row for rows in stays.values() for row in rows])
    mixed, _ = gather(shuffled(stays, seed))
    firsts = [moment.first for moment in mixed]
    assert firsts == sorted(firsts)
    assert sorted((m.patient, m.time, repr(m.devices)) for m in apart) == sorted(
        (m.patient, m.time, repr(m.devices)) for m in mixed
    )
