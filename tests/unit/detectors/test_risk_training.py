"""Fitting a risk model: deterministic, calibrated, blind to the pattern of care, clear errors."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from detectors.risk.card import card
from detectors.risk.model import parse, text
from detectors.risk.table import BadTable, Row, features, rows
from detectors.risk.training import NotEnough, Plan, Trained, exchanged, train, validated
from detectors.training_cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
PLAN = Plan("collapse", "synthetic", "CC0", replicates=20)
HEADER = "patient,time,vital,value,label\n"


def synthetic(patients: int = 120, seed: int = 3) -> Iterator[Row]:
    """Half of the patients get a fast heart in their last hours, which have label 1.

    The ill are also measured more often, which the model must not see.
    """
    random = Random(seed)
    for n in range(patients):
        ill = n % 2 == 0
        for hour in range(24):
            label = ill and hour >= 18
            if random.random() > (0.9 if label else 0.5):
                continue
            raised = 18.0 if ill and hour >= 15 else 0.0
            at = START + 3600.0 * hour
            yield Row(f"p{n}", at, "heart_rate", random.gauss(80 + raised, 12), label)
            if label or random.random() < 0.3:
                yield Row(f"p{n}", at, "temperature", random.gauss(37, 0.4), label)


@cache
def trained() -> Trained:
    return train(synthetic, PLAN, lambda _: None)


def test_the_same_table_gives_the_same_bytes() -> None:
    again = train(synthetic, PLAN, lambda _: None)
    assert text(again.model) == text(trained().model)
    assert card(again) == card(trained())


def test_a_model_that_was_fitted_is_a_file_that_can_be_read() -> None:
    model = trained().model
    assert parse(text(model)) == model
    assert model.question == "collapse"
    assert model.thresholds.release < model.thresholds.alert


def test_what_is_there_to_find_is_found() -> None:
    found = trained()
    auroc = found.evaluation.scores["risk"].auroc
    assert auroc.value is not None
    assert auroc.value > 0.75
    assert len(found.by_fold) == 4
    assert found.progressive.learning > 0.7


def test_the_probabilities_are_those_that_are_observed() -> None:
    found = features(synthetic(600, seed=9))
    risk = validated(found, PLAN).risk
    for low, high in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5)):
        part = (risk >= low) & (risk < high)
        assert part.sum() > 100
        assert found.labels[part].mean() == pytest.approx(risk[part].mean(), abs=0.05)


def test_the_pattern_of_measurements_tells_nothing() -> None:
    found = features(synthetic(600, seed=9))
    last = validated(found, PLAN).last
    assert exchanged(synthetic(600, seed=9), last, 7) == pytest.approx(0.5, abs=0.05)


def test_the_card_says_what_a_reader_must_know() -> None:
    written = card(trained())
    for said in (
        "CC0",
        "synthetic",
        "120 patients",
        "95 % intervals",
        "| predicted | observed |",
        "alerts per patient-day",
        "What it must not be used for",
        "under 16",
    ):
        assert said in written


def test_a_time_that_is_no_part_of_the_question_still_feeds_the_features() -> None:
    given = [
        Row("p", START, "heart_rate", 120.0, None),
        Row("p", START + 3600, "temperature", 37.0, True),
    ]
    found = features(given)
    assert found.labels.tolist() == [1.0]
    assert found.values[0, 0] == 120.0
    assert np.isnan(found.values[0]).any()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([("a", 0, 1), ("b", 0, 0), ("a", 1, 1)], "the rows of a patient are not together"),
        ([("a", 1, 1), ("a", 0, 1)], "the times of a patient are not in order"),
        ([("a", 0, 1), ("a", 0, 0)], "one time of a patient has two labels"),
    ],
)
def test_rows_in_disorder_are_refused(given: list[tuple[str, int, int]], said: str) -> None:
    table = [Row(who, START + at, "heart_rate", 80.0, bool(label)) for who, at, label in given]
    with pytest.raises(BadTable, match=said):
        features(table)


@pytest.mark.parametrize(
    ("label", "patients", "said"),
    [(False, 120, "every label is 0"), (True, 120, "every label is 1"), (None, 120, "no time")],
)
def test_a_table_of_one_class_is_refused(label: bool | None, patients: int, said: str) -> None:  # noqa: FBT001
    with pytest.raises(NotEnough, match=said):
        train(lambda: [one._replace(label=label) for one in synthetic(patients)], PLAN, print)


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(NotEnough, match="at least 20 of each are needed"):
        train(lambda: synthetic(20), PLAN, print)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("patient,time,vital,value\n", "there is no column `label`"),
        (f"{HEADER}a,2026-01-01T00:00:00,heart_rate,80,1\n", "row 2: the time has no zone"),
        (f"{HEADER}a,yesterday,heart_rate,80,1\n", "row 2: the time is not ISO 8601"),
        (f"{HEADER}a,2026-01-01T00:00:00Z,lactate,2,1\n", "of the vitals heart_rate, spo2"),
        (f"{HEADER}a,2026-01-01T00:00:00Z,heart_rate,80,2\n", "row 2: the label is neither 0"),
        (
            f"{HEADER}a,2026-01-02T00:00:00Z,spo2,98,1\na,2026-01-01T00:00:00Z,spo2,98,1\n",
            "reading 2: the times of a patient are not in order",
        ),
        ("", "t.csv: there is no column `patient`"),
        (HEADER, "no time with a label"),
        (f"{HEADER}a,2026-01-01T00:00:00Z,heart_rate,fast,1\n", "the value is no number"),
        (f"{HEADER}a,2026-01-01T00:00:00Z,heart_rate,80,maybe\n", "neither 0 nor 1 nor empty"),
        (f"{HEADER},2026-01-01T00:00:00Z,heart_rate,80,1\n", "there is no patient"),
        (f"{HEADER}a,2026-01-01T00:00:00Z\n", "row 2: a column is missing"),
    ],
)
def test_a_bad_file_ends_the_command_with_one_clear_sentence(
    tmp_path: Path, body: str, said: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(body, "utf-8")
    result = CliRunner().invoke(app, ["collapse", str(table), "--out", str(tmp_path / "m.toml")])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert not (tmp_path / "m.toml").exists()


def test_the_command_writes_a_model_and_its_card(tmp_path: Path) -> None:
    table, model, page = written(tmp_path), tmp_path / "m.toml", tmp_path / "m.md"
    options = ["--out", str(model), "--card", str(page), "--replicates", "20"]
    options += ["--data", "synthetic", "--licence", "CC0"]
    result = CliRunner().invoke(app, ["collapse", str(table), *options])
    assert result.exit_code == 0, result.output
    assert model.read_text("utf-8") == text(trained().model)
    assert page.read_text("utf-8") == card(trained())
    assert list(rows(table, lambda _: None)) == list(synthetic())


def written(folder: Path, encoding: str = "utf-8") -> Path:
    """Write a table that can be fitted to."""
    table = folder / "t.csv"
    with table.open("w", encoding=encoding) as file:
        file.write(HEADER)
        for row in synthetic():
            time = datetime.fromtimestamp(row.at, UTC).isoformat()
            label = int(row.label or 0)
            file.write(f"{row.patient},{time},{row.vital},{row.value!r},{label}\n")
    return table


def refused(*words: str) -> str:
    """Run the command, which must refuse before anything is fitted, and return what it says."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 2, result.output
    assert "patient-days" not in result.output
    return " ".join(result.output.split())


def test_what_is_in_a_table_is_never_told(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"{HEADER}a,Jeanne Martin,heart_rate,80,1\n", "utf-8")
    assert "Jeanne" not in refused("collapse", str(table))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    table = tmp_path / name
    table.write_bytes(bytes(range(256)))
    assert name in refused("collapse", str(table))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    assert "no such file" in refused("collapse", str(tmp_path))


def test_a_table_that_a_spreadsheet_marked_as_utf_8_is_read(tmp_path: Path) -> None:
    table = written(tmp_path, encoding="utf-8-sig")
    assert list(rows(table, lambda _: None)) == list(synthetic())


@pytest.mark.parametrize("name", ["Sepsis", "a b", "../aki", "aki\n", ""])
def test_a_wrong_name_is_refused_before_anything_is_fitted(tmp_path: Path, name: str) -> None:
    assert "lower case" in refused(name, str(written(tmp_path)))


@pytest.mark.parametrize("option", ["--out", "--card"])
def test_a_missing_folder_is_told_before_anything_is_fitted(tmp_path: Path, option: str) -> None:
    place = tmp_path / "nowhere" / "file"
    assert "no such folder" in refused("collapse", str(written(tmp_path)), option, str(place))


def test_model_and_card_are_two_files(tmp_path: Path) -> None:
    one = str(tmp_path / "one")
    table = str(written(tmp_path))
    assert "two files" in refused("collapse", table, "--out", one, "--card", one)
    assert "the table" in refused("collapse", table, "--out", table)
    assert written(tmp_path).stat().st_size > 0


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    model, page = tmp_path / "m.toml", tmp_path / "m.md"
    page.mkdir()  # so that the card cannot be written
    model.write_text("what was there before", "utf-8")
    said = refused("collapse", str(written(tmp_path)), "--out", str(model), "--card", str(page))
    assert "folder" in said
    assert model.read_text("utf-8") == "what was there before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["m.md", "m.toml", "t.csv"]
