"""The examples of `docs/reference/` do what the pages say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from ingest.formats import gatt
from ingest.formats.template import from_file

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"
NOW = datetime(2026, 11, 24, 3, 1, 5, tzinfo=UTC)


def example(page: str, language: str) -> str:
    text = (REFERENCE / page).read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_bluetooth_message_is_read_as_the_page_says() -> None:
    decoded = gatt.decode(example("gatt.md", "json").encode(), "hub-1", NOW)
    assert decoded.refused == []
    assert [
        {vital.value: value for vital, value in instant.values.items()}
        for instant in decoded.instants
    ] == [
        {"heart_rate": 80},
        {"systolic": 120, "diastolic": 80, "mean_pressure": 93, "pulse_rate": 72},
    ]


def test_the_template_reads_the_message_as_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "acme-monitor.toml"
    file.write_text(example("templates.md", "toml"), encoding="utf-8")
    sample = example("templates.md", "json").encode()
    decoded = from_file(file).decode(sample, "dev-1", NOW)
    assert decoded.seq == 41
    assert [
        {vital.value: round(value, 6) for vital, value in instant.values.items()}
        for instant in decoded.instants
    ] == [{"heart_rate": 71, "temperature": 37.0}, {"temperature": 36.888889}]
    assert [(one.at, one.reason.value) for one in decoded.refused] == [("log[1].pulse", "absent")]
