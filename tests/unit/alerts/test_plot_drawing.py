"""The picture itself: files that can be opened, whatever there is to draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from alerts.plotting.chart import Band, Bar, Chart, Point, Span, Stretch
from detectors.findings import Priority
from ingest.ports import SettingError

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
from alerts.plotting.drawing import draw

START = datetime(2026, 11, 24, tzinfo=UTC)
SPAN = Span(START, START + timedelta(hours=6))


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def full() -> Chart:
    chart = Chart("p-1", SPAN)
    chart.series = {
        "spo2": [Point(at(n), 97.0 - n / 60, suspect=n == 10) for n in range(0, 360, 5)],
        "consciousness": [Point(at(0), 0.0), Point(at(100), 3.0)],
        "mood of the day": [Point(at(3), 1.0)],
        "heart_rate": [Point(at(n / 60), 70.0 + n % 7) for n in range(4000)],
    }
    chart.bands = {"spo2": [Band(at(n), 94.0, 99.0) for n in range(0, 360, 5)]}
    chart.scores = {
        "news2": [Point(at(0), 1.0), Point(at(90), 8.0)],
        "anomaly": [Point(at(0), 0.2), Point(at(90), 4.0)],
        "risk_sepsis": [Point(at(0), 0.02)],
        "risk_deterioration": [Point(at(0), 0.4)],
    }
    stretches = [Stretch(at(-9), at(80), Priority.LOW), Stretch(at(80), None, Priority.HIGH)]
    chart.bars = [
        Bar("news2", "physiological", stretches),
        Bar("limits.spo2", "physiological", [Stretch(at(90), at(90), Priority.MEDIUM)]),
    ]
    return chart


def texts(path: Path) -> str:
    return " ".join("".join(one.itertext()) for one in ET.parse(path).iter() if "text" in one.tag)  # noqa: S314 (our own file)


def test_the_picture_names_vitals_units_scores_alerts_and_the_zone(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    draw(full(), path)
    said = texts(path)
    for word in (
        *("spo2", "(%)", "heart rate", "(/min)", "consciousness", "mood of the day", "NEWS2"),
        *("anomaly", "risk_sepsis", "limits.spo2", "high", "medium", "low", "time (UTC)"),
        *("usual for this patient", "outside of it", "doubtful value", "Patient p-1"),
    ):
        assert word in said, word


def test_the_same_chart_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    draw(full(), one)
    draw(full(), two)
    assert one.read_bytes() == two.read_bytes()


def test_one_reading_is_enough_for_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    draw(Chart("p-1", SPAN, {"weight": [Point(at(1), 81.0)]}), path)
    assert "no alert in this span" in texts(path)


def test_only_doubtful_readings_are_drawn_as_well(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    draw(Chart("p-1", SPAN, {"spo2": [Point(at(1), 40.0, suspect=True)]}), path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "said"),
    [("plot.pdf", "must end in .png or .svg"), ("no/plot.png", "cannot be written")],
)
def test_a_picture_that_cannot_be_is_one_sentence(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        draw(full(), tmp_path / name)
