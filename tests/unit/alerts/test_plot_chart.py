"""What the picture of one patient shows: spans, alerts as bars, bands."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from alerts.plotting import from_table
from alerts.plotting.chart import (
    Bar,
    Chart,
    NothingToDraw,
    Span,
    Step,
    Stretch,
    bars,
    chosen,
    moment,
    nothing,
)
from alerts.plotting.rerun import Measured, watched
from alerts.scoring.rows import Row
from detectors.findings import Priority
from ingest.ports import SettingError
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Patient, Profile
from tests.unit.alerts.scoring.tables_of import lines, shuffled, stay

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = Span(START, START + 24 * HOUR)


def step(hours: float, phase: str, priority: Priority = Priority.LOW, alert: str = "a") -> Step:
    return Step(alert, "news2", "physiological", START + hours * HOUR, phase, priority)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "--from: no time; write ISO 8601 with its zone"),
        ("2026-13-01T00:00Z", "--from: no time"),
        ("2026-11-24T03:00", "--from: no time zone"),
        ("", "--from: no time"),
        ("0001-01-01T00:00+23:00", "--from: no time"),
    ],
)
def test_a_bad_time_is_one_sentence_that_shows_a_good_one(text: str, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        moment(text, "--from")
    assert "2026-11-24T03:00Z" in str(caught.value)


def test_without_times_the_span_is_the_day_up_to_the_newest_reading() -> None:
    assert chosen(None, None, START) == Span(START - 24 * HOUR, START)
    assert chosen(None, START - HOUR, START) == Span(START - 25 * HOUR, START - HOUR)
    assert chosen(START - HOUR, None, START) == Span(START - HOUR, START)


def test_a_span_that_ends_with_the_calendars_first_day_is_one_sentence() -> None:
    with pytest.raises(SettingError, match="--from must be before --to"):
        chosen(None, datetime.min.replace(tzinfo=UTC), START)


@pytest.mark.parametrize(
    ("start", "end", "known_until", "expected"),
    [
        pytest.param(-1, 2, None, (0, 2), id="cut at the start of the span"),
        pytest.param(2, 30, None, (2, 24), id="cut at its end"),
        pytest.param(2, None, None, (2, 24), id="open: to the end of the span"),
        pytest.param(2, None, 5, (2, 5), id="open: no further than anything is known"),
        pytest.param(6, None, 5, (6, 6), id="began with the last tick"),
        pytest.param(-3, -1, None, None, id="before the span"),
    ],
)
def test_a_stretch_is_drawn_within_the_span_and_no_further_than_is_known(
    start: int, end: int | None, known_until: int | None, expected: tuple[int, int] | None
) -> None:
    until = None if known_until is None else START + known_until * HOUR
    chart = Chart("p-1", DAY, known_until=until)
    last = None if end is None else START + end * HOUR
    seen = chart.seen(Stretch(START + start * HOUR, last, Priority.HIGH))
    assert seen == (expected and Span(START + expected[0] * HOUR, START + expected[1] * HOUR))


@pytest.mark.parametrize("start", [0, 1])
def test_a_span_ends_after_it_begins(start: int) -> None:
    with pytest.raises(SettingError, match="--from must be before --to"):
        chosen(START + start * HOUR, START, START)
    with pytest.raises(SettingError, match="--from must be before --to"):
        chosen(START + start * HOUR, None, START)


def test_an_empty_span_says_what_there_is_and_not_whose() -> None:
    said = str(nothing(Span(START, START + HOUR), START - 2 * HOUR, START - HOUR))
    assert said == (
        "nothing of this patient between 2026-11-24T00:00:00Z and 2026-11-24T01:00:00Z; there are "
        "readings from 2026-11-23T22:00:00Z to 2026-11-23T23:00:00Z"
    )


def test_an_alert_is_a_bar_that_changes_with_its_priority() -> None:
    steps = [
        step(1, "start"),
        step(2, "update"),
        step(3, "escalate", Priority.HIGH),
        step(5, "end", Priority.HIGH),
    ]
    assert bars(steps, DAY) == [
        Bar(
            "news2",
            "physiological",
            [
                Stretch(START + HOUR, START + 3 * HOUR, Priority.LOW),
                Stretch(START + 3 * HOUR, START + 5 * HOUR, Priority.HIGH),
            ],
        )
    ]


def test_alerts_outside_of_the_span_are_left_out_and_open_ones_are_not() -> None:
    steps = [
        step(-9, "start", alert="before"),
        step(-8, "end", alert="before"),
        step(-7, "start", alert="into"),
        step(1, "end", alert="into"),
        step(-6, "start", alert="open"),
        step(25, "start", alert="after"),
    ]
    starts = [bar.stretches[0].start for bar in bars(steps, DAY)]
    assert starts == [START - 7 * HOUR, START - 6 * HOUR]


def readings(hours: float, *, doubtful: bool = False) -> list[Measured]:
    chance = random.Random(4)
    found = []
    for minute in range(int(hours * 60)):
        time = START + timedelta(minutes=minute)
        values = {Vital.HEART_RATE: 70.0 + chance.gauss(0, 2), Vital.SPO2: 97.0}
        quality = {Vital.SPO2: int(Quality.SUSPECT)} if doubtful else {}
        found.append(Measured(time, {"dev-1": Instant(time, values, quality)}))
    return found


def test_the_band_is_known_at_the_start_of_the_span_by_the_readings_before_it() -> None:
    chart = Chart("p-1", Span(START + HOUR, START + 2 * HOUR))
    watched(chart, Patient("p-1", profile=Profile.ICU), readings(3), only=False)
    times = [point.time for point in chart.series["heart_rate"]]
    assert (times[0], times[-1]) == chart.span
    bands = chart.bands["heart_rate"]
    assert bands[0].time == chart.span.start
    assert all(band.low < 70 < band.high for band in bands)
    assert {"news2", "anomaly"} <= chart.scores.keys()
    assert [point.time for point in chart.scores["news2"]] == times


def test_where_the_database_has_scores_and_alerts_they_are_not_made_anew() -> None:
    chart = Chart("p-1", Span(START, START + HOUR))
    watched(chart, Patient("p-1", profile=Profile.ICU), readings(1), only=True)
    assert chart.bands
    assert not chart.scores
    assert not chart.bars


def test_an_alert_of_the_readings_is_a_bar() -> None:
    ill = [
        Measured(
            one.time, {"dev-1": Instant(one.time, {Vital.SPO2: 80.0, Vital.HEART_RATE: 140.0})}
        )
        for one in readings(1)
    ]
    chart = Chart("p-1", Span(START, START + HOUR))
    watched(chart, Patient("p-1", profile=Profile.WARD), ill, only=False)
    assert "news2" in {bar.rule for bar in chart.bars}
    assert all(bar.stretches for bar in chart.bars)


def test_a_table_gives_the_chart_of_one_of_its_patients(tmp_path: Path) -> None:
    path = tmp_path / "ward.csv"
    rows = shuffled({f"p-{number}": stay(f"p-{number}", number) for number in range(3)}, 1)
    said = [Row("p-1", rows[0].time, "age", 40), Row("p-1", rows[0].time, "pregnant", 1)]
    path.write_text(lines([*said, *rows, Row("p-1", START + 40 * HOUR, "spo2", 666)]))
    chart, bad = from_table.chart(path, Patient("p-1", profile=Profile.ICU), None, None)
    assert bad == 1
    assert chart.span.end == chart.known_until == START + 29 * HOUR
    assert chart.series["heart_rate"]
    assert "news2" not in chart.scores, "which is not for who is pregnant"
    with pytest.raises(NothingToDraw, match="there are readings from 2026-11-24"):
        from_table.chart(path, Patient("p-1"), START - 9 * HOUR, START - HOUR)
    with pytest.raises(NothingToDraw, match="no reading of this patient"):
        from_table.chart(path, Patient("p-9"), None, None)


def test_a_doubtful_value_is_marked_and_has_no_band() -> None:
    chart = Chart("p-1", Span(START, START + HOUR))
    watched(chart, Patient("p-1", profile=Profile.ICU), readings(1, doubtful=True), only=False)
    assert all(point.suspect for point in chart.series["spo2"])
    assert not any(point.suspect for point in chart.series["heart_rate"])
    assert "spo2" not in chart.bands
