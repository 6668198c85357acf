"""A model's file: it can be read, written, refused with a clear error, and is River's model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detectors.risk.card import NOT_FOR, PATTERN, SAME_ROWS
from detectors.risk.features import PLACES, taken, vector
from detectors.risk.model import BadModel, RiskModel, Scorer, parse, probability, shipped, text
from detectors.risk.online import named, pipeline

if TYPE_CHECKING:
    from detectors.risk.features import Known


@pytest.fixture(params=shipped(), ids=lambda model: model.question)
def model(request: pytest.FixtureRequest) -> RiskModel:
    found: RiskModel = request.param
    return found


def test_two_questions_are_shipped() -> None:
    assert [one.question for one in shipped()] == ["deterioration", "sepsis"]
    assert all(one.licence and one.data and one.patients > 1000 for one in shipped())


def test_the_card_of_a_shipped_model_is_that_of_its_file(model: RiskModel) -> None:
    page = Path(__file__).parents[3] / "docs" / "models" / f"{model.question}.md"
    written = page.read_text("utf-8")
    assert written.startswith(f"# Model card: {model.question}, version {model.version}\n")
    thresholds = model.thresholds
    said = f"begins at {thresholds.alert:g}\nand ends below {thresholds.release:g}."
    assert " ".join(said.split()) in " ".join(written.split())
    assert f"{model.patients:,} patients, {model.rows:,} labelled times" in written


def test_a_file_that_was_written_is_read_as_the_same_model(model: RiskModel) -> None:
    assert parse(text(model)) == model
    assert text(parse(text(model))) == text(model)


def known_of(rate: float, breaths: float) -> list[float | None]:
    known: list[Known] = [[] for _ in range(7)]
    for hour in range(3):
        for vital, value in (("heart_rate", rate + hour), ("respiratory_rate", breaths)):
            place = PLACES[vital]
            known[place] = taken(place, known[place], 3600.0 * hour, value, 0)
    return vector(known)


def test_river_says_the_same_before_calibration(model: RiskModel) -> None:
    for found in (known_of(70.0, 14.0), known_of(130.0, 31.0), vector([[] for _ in range(7)])):
        raw = (Scorer(model).log_odds(found) - model.calibration.intercept) / (
            model.calibration.slope
        )
        river = model.pipeline().predict_proba_one(named(found))[True]
        assert river == pytest.approx(probability(raw))


def test_river_goes_on_learning_from_the_file(model: RiskModel) -> None:
    river, ill = pipeline(model, rate=0.01), named(known_of(130.0, 31.0))
    before = river.predict_proba_one(ill)[True]
    for _ in range(50):
        river.learn_one(ill, False)
    assert river.predict_proba_one(ill)[True] < before


def test_the_ill_have_a_higher_risk_than_the_well(model: RiskModel) -> None:
    scorer = Scorer(model)
    assert scorer.log_odds(known_of(125.0, 30.0)) > scorer.log_odds(known_of(72.0, 14.0)) + 1


def test_without_any_vital_the_risk_is_that_of_all_patients(model: RiskModel) -> None:
    common, parts = Scorer(model).parts(vector([[] for _ in range(7)]))
    assert not parts
    assert 0.001 < probability(common) < 0.05


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('schema = "risk/1"', 'schema = "risk/9"', "the schema is not risk/1"),
        ('"heart_rate.now"', '"heart_rate.hours"', "no feature is called `heart_rate.hours`"),
        ('"heart_rate.above_40"', '"heart_rate.now"', "a feature is listed twice"),
        ("version = 1", 'version = "one"', "$.version"),
        ("release = 0.", "release = 1.", "$.thresholds.release"),
        ("[calibration]\nslope = ", "[calibration]\nslope = -", "$.calibration.slope"),
        ("\nintercept = ", "\nintercept = inf #", "a figure is not finite"),
        ("\nseed = ", "\nsede = ", "`sede`"),
        ("features = [", "features = ", "no risk model"),
    ],
)
def test_a_bad_file_is_refused_and_the_place_named(old: str, new: str, said: str) -> None:
    good = text(shipped()[0])
    assert old in good
    with pytest.raises(BadModel) as refused:
        parse(good.replace(old, new, 1))
    assert said in str(refused.value)


def test_the_card_of_a_shipped_model_has_what_every_card_says(model: RiskModel) -> None:
    page = Path(__file__).parents[3] / "docs" / "models" / f"{model.question}.md"
    written = page.read_text("utf-8")
    for said in (NOT_FOR, SAME_ROWS, PATTERN.partition("{")[0], PATTERN.rpartition("}")[2]):
        assert said in written
