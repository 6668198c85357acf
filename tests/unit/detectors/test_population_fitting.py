"""A population is fitted to the same bytes each time, and says what it was fitted on."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from detectors.population.fitting import BadTable, NotEnough, fit, fit_file
from detectors.population.model import VITALS, BadModel, Reference, parse, shipped, text
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)
CENTRES = (80.0, 17.0, 97.0, 37.0, 120.0, 65.0, 82.0)
SPREADS = (10.0, 3.0, 1.5, 0.5, 15.0, 10.0, 11.0)


def ward(patients: int = 40, hours: int = 40) -> Iterator[tuple[str, datetime, str, float]]:
    """Draw patients whose pressures go along with each other."""
    random = Random(6)
    for patient in range(patients):
        for hour in range(hours):
            pressure = random.gauss(0, 1)
            for n, vital in enumerate(VITALS):
                alone = random.gauss(0, 1)
                spreads = 0.9 * pressure + 0.4 * alone if n >= 4 else alone
                value = CENTRES[n] + SPREADS[n] * spreads
                yield f"p-{patient}", START + timedelta(hours=hour), vital, value


def table(path: Path, zone: str = "Z") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "time", "vital", "value", "label"])
        for patient, time, vital, value in ward():
            stamp = time.replace(tzinfo=None).isoformat() + zone
            writer.writerow([patient, stamp, vital, repr(value), 0])
    return path


def test_fitting_twice_gives_the_same_bytes_by_table_and_by_rows(tmp_path: Path) -> None:
    labelled, said = table(tmp_path / "ward.csv"), list[str]()
    fit_file(labelled, tmp_path / "one.json", said.append, "a ward")
    assert (tmp_path / "one.json").read_bytes() == text(fit(ward(), "a ward"))
    assert said[-1].startswith("40 patients")


def test_a_fit_finds_the_centres_and_what_goes_together() -> None:
    model = fit(ward(), "a ward")
    for n, marginal in enumerate(model.others.marginals):
        assert abs(marginal.centre - CENTRES[n]) < SPREADS[n] / 5
        assert abs(marginal.above - SPREADS[n]) < SPREADS[n] / 4
    assert model.others.correlation[4][5] > 0.7
    assert abs(model.others.correlation[0][1]) < 0.1
    assert parse(text(model)) == model


def test_one_row_in_two_hundred_of_the_fitted_is_far() -> None:
    model = fit(ward(), "a ward")
    reference, moments = Reference(model.others), dict[tuple[str, datetime], dict[int, float]]()
    for patient, time, vital, value in ward():
        moments.setdefault((patient, time), {})[VITALS.index(Vital(vital))] = value
    far = sum(reference.distance(one).value > model.others.far for one in moments.values())
    assert far == pytest.approx(len(moments) / 200, abs=2)


def test_suspect_values_and_unknown_vitals_are_passed_over() -> None:
    rows = list(ward())
    dirty = [("p-0", START, "heart_rate", 0.0), ("p-0", START, "weight", 80.0)]
    assert text(fit(dirty + rows, "x")) == text(fit(rows, "x"))


def test_too_few_rows_make_no_model() -> None:
    with pytest.raises(NotEnough, match="are needed"):
        fit(ward(2, 10), "too few")


def test_a_time_without_a_zone_is_refused_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="line 2"):
        fit_file(table(tmp_path / "ward.csv", zone=""), tmp_path / "one.json", print)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"heart_rate"', b'"pulse_rate"'),
        (b'"below": 16.0', b'"below": 0.0'),
        (b'"version"', b'"edition"'),
    ],
)
def test_a_model_that_is_not_one_is_refused(before: bytes, after: bytes) -> None:
    written = text(shipped())
    assert before in written
    with pytest.raises(BadModel):
        parse(written.replace(before, after))


def test_a_vital_that_is_not_known_is_neither_usual_nor_unusual() -> None:
    """The distance over some vitals is that of the distribution with the others integrated out."""
    joint = shipped().others
    alone = {4: joint.marginals[4].centre + 3 * joint.marginals[4].above}
    assert Reference(joint).distance(alone).spreads == pytest.approx({4: 3.0})
    assert Reference(joint).distance(alone).shares == {4: 1.0}
