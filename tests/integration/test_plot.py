"""`vigie plot` from a table, and from a real TimescaleDB."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from alerts.events import AlertEvent, Phase, State, alert_id
from alerts.plotting import database as database_adapter
from alerts.plotting.chart import NothingToDraw
from alerts.plotting.database import DatabaseUnavailable
from detectors.findings import Assessment, Evidence, Finding, Kind, Priority
from ingest.codec import Message
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Patient
from streams import migrations
from streams.batch import Progress, Work
from streams.timescale import Store
from streams.transaction import Destinations
from tests.unit.alerts.scoring.tables_of import lines, shuffled, stay
from tests.unit.streams.log import moment

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "from alerts.plotting.cli import app; from ingest.ports import VigieError"
MAIN = f"{PROGRAM}\ntry: app()\nexcept VigieError as error: raise SystemExit(f'vigie: {{error}}')"
MINUTES = 120


def plot(
    *arguments: str | Path, database: str = "postgresql://127.0.0.1:1/none"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "VIGIE_DATABASE": database},
    )


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / "ward.csv"
    path.write_text(lines(shuffled({f"p-{n}": stay(f"p-{n}", n) for n in range(3)}, 1)))
    return path


@pytest.fixture
async def stored(database: str) -> str:
    """Store two hours of one patient, as the worker does."""
    migrations.migrate(database, {"vigie.readings": 1})
    store = Store(database, "vigie.readings", Destinations("a", "r", "on-call@x"))
    work = Work(Progress(0, 0, 0, None), Progress(0, 1, 0, None))
    for minute in range(MINUTES):
        time = moment(60 * minute)
        values = {Vital.SPO2: 97.0 - minute / 20, Vital.HEART_RATE: 70.0 + minute % 3}
        quality = {Vital.SPO2: int(Quality.SUSPECT)} if minute == 3 else {}
        instant = Instant(time, values, quality)
        work.messages.append(Message("p-1", "d-1", minute, time, (instant,)))
        work.received += 2
        risks = {"sepsis": 0.01}
        work.assessments.append(("p-1", Assessment(time, minute // 20, (), 0.5, risks)))
    low = Evidence(Vital.SPO2, 91.0, moment(6000), "d-1")
    name = alert_id("p-1", "news2", moment(6000))
    for number, (seconds, phase, priority) in enumerate(
        [
            (6000, Phase.START, Priority.MEDIUM),
            (6600, Phase.ESCALATE, Priority.HIGH),
            (7000, Phase.END, Priority.HIGH),
        ],
        1,
    ):
        found = Finding("news2", Kind.PHYSIOLOGICAL, priority, "news2/2", (low,), 7)
        state = State.LATCHED if phase is Phase.END else State.ACTIVE
        event = AlertEvent(
            *(name, number, "p-1", phase, state, priority, found.kind),
            *(moment(seconds), moment(6000), found),
        )
        work.events.append((event, Patient("p-1")))
    async with store.transaction() as transaction:
        await transaction.progress([0])
        await transaction.write([work])
    await store.close()
    return database


def test_a_patient_of_a_table_becomes_a_picture(ward: Path) -> None:
    out = ward.with_name("p-1.svg")
    done = plot("p-1", "--table", ward, "--profile", "icu", "--out", out)
    assert done.returncode == 0, done.stderr
    svg = out.read_text()
    for word in ("heart rate", "NEWS2", "time (UTC)", "Patient p-1"):
        assert word in svg
    assert out.name in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("p-9", "no reading of this patient that can be believed"),
        ("p-1 --from 2020-01-01 --to 2020-01-02", "there are readings from 2026-11-24T00:00:00Z"),
        ("p-1 --from 2026-11-25 --to 2026-11-24", "--from must be before --to"),
        ("p-1 --from soon", "--from: no time; write ISO 8601"),
        ("p-1 --to 2026-11-24T03:00", "--to: no time zone"),
        ("p-1 --profile hotel", "no profile `hotel`; there are icu"),
        ("p-1 --out plot.pdf", "must end in .png or .svg"),
    ],
)
def test_what_is_wrong_is_one_sentence(ward: Path, options: str, said: str) -> None:
    done = plot(
        *options.split(), "--table", ward, *(() if "--out" in options else ("--out", "x.png"))
    )
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "p-9" not in done.stderr


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    done = plot("p-1", "--out", tmp_path / "plot.png")
    assert done.returncode == 1
    assert "the database does not answer this (OperationalError)" in done.stderr


@pytest.mark.servers
async def test_the_database_gives_readings_scores_and_alerts_as_they_were_stored(
    stored: str,
) -> None:
    chart = database_adapter.chart(stored, "p-1", None, moment(1800), moment(7200))
    assert chart.span == (moment(1800), moment(7200))
    assert len(chart.series["spo2"]) == MINUTES - 30
    assert not any(point.suspect for point in chart.series["spo2"])
    assert chart.bands["heart_rate"][0].time == moment(1800), "by the readings before"
    assert [point.value for point in chart.scores["news2"]][-1] == 5
    assert {point.value for point in chart.scores["risk_sepsis"]} == {0.01}
    [bar] = chart.bars
    assert (bar.rule, bar.kind) == ("news2", "physiological")
    assert [tuple(one) for one in bar.stretches] == [
        (moment(6000), moment(6600), Priority.MEDIUM),
        (moment(6600), moment(7000), Priority.HIGH),
    ]
    early = database_adapter.chart(stored, "p-1", None, moment(0), moment(600))
    assert [point.suspect for point in early.series["spo2"]].index(True) == 3
    assert not early.bars


@pytest.mark.servers
async def test_a_day_up_to_the_newest_reading_is_drawn_where_no_times_are_given(
    stored: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    out = tmp_path / "plot.png"
    done = plot("p-1", "--out", out, database=stored)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.servers
async def test_an_empty_span_of_the_database_says_what_there_is(stored: str) -> None:
    with pytest.raises(NothingToDraw, match="there are readings from 2026-11-24T03:00:00Z"):
        database_adapter.chart(stored, "p-1", None, moment(-900), moment(-60))
    with pytest.raises(NothingToDraw, match="no reading of this patient in the database"):
        database_adapter.chart(stored, "p-9", None, None, None)


@pytest.mark.servers
async def test_an_alert_without_its_events_is_drawn_from_its_start_to_its_end(stored: str) -> None:
    with psycopg.connect(stored) as connection:
        connection.execute("DELETE FROM internal.delivery")
        connection.execute("DELETE FROM internal.alert_event")
    [bar] = database_adapter.chart(stored, "p-1", None, None, None).bars
    assert [tuple(one) for one in bar.stretches] == [(moment(6000), moment(7000), Priority.HIGH)]


@pytest.mark.servers
async def test_a_database_that_is_not_migrated_is_one_sentence(database: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="UndefinedTable"):
        database_adapter.chart(database, "p-1", None, None, None)
