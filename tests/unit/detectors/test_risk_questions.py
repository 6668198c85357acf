"""A site's own questions: named in a profile, asked like the shipped ones, refused when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from alerts.scoring.profiles import questions
from detectors.profiles.loading import BadProfile, parse
from detectors.risk import Risk
from detectors.risk.model import shipped, text
from detectors.risk.options import Options
from tests.unit.detectors.at_risk import ADULT, WELL, falling_ill, moment
from tests.unit.detectors.plain import START


def own(folder: Path, question: str, old: str = "deterioration") -> str:
    """Write a shipped model as a site's own question, and return the path of its file."""
    (model,) = (one for one in shipped() if one.question == old)
    file = folder / f"{question}-1.toml"
    file.write_text(text(structs.replace(model, question=question)), "utf-8")
    return str(file)


def test_a_site_may_ask_a_question_of_its_own(tmp_path: Path) -> None:
    options = Options(models=(own(tmp_path, "aki"),))
    assert options.questions == ("aki", "deterioration", "sepsis")
    scores = falling_ill(Risk(options))[-1]
    assert scores["risk.aki"].value == scores["risk.deterioration"].value
    assert scores["risk.aki"].finding is not None
    assert sorted(falling_ill(Risk(Options()))[-1]) == ["risk.deterioration", "risk.sepsis"]


def test_a_sites_own_model_of_a_shipped_question_takes_its_place(tmp_path: Path) -> None:
    file = Path(own(tmp_path, "sepsis", old="deterioration"))
    options = Options(models=(str(file),))
    assert options.questions == ("deterioration", "sepsis")
    scores = falling_ill(Risk(options))[-1]
    assert scores["risk.sepsis"].value == scores["risk.deterioration"].value


def test_a_profile_may_ask_a_sites_own_question(tmp_path: Path) -> None:
    path = own(tmp_path, "aki")
    watched = parse("own", f'about = "a test"\n[risk]\nmodels = ["{path}"]\n')
    assert questions(watched) == ("aki", "deterioration", "sepsis")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        pytest.param('models = ["aki-1.toml"]', "whole path", id="a relative path"),
        pytest.param('models = ["/nowhere/aki-1.toml"]', "cannot be read", id="no such file"),
        pytest.param('models = ["{bad}"]', "no risk model", id="no model"),
        pytest.param('models = ["{aki}", "{aki}"]', "two models ask `aki`", id="one twice"),
        pytest.param(
            "thresholds.aki = {{ alert = 0.2, release = 0.1 }}", "`aki`, which is not", id="unasked"
        ),
        pytest.param(
            "thresholds.sepsis = {{ alert = 0.1, release = 0.2 }}", "above where", id="upside down"
        ),
    ],
)
def test_a_wrong_section_is_refused_with_the_profile(
    tmp_path: Path, section: str, said: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("question = 3", "utf-8")
    body = section.format(bad=bad, aki=own(tmp_path, "aki"))
    with pytest.raises(BadProfile, match=said):
        parse("own", f'about = "a test"\n[risk]\n{body}\n')


def test_an_open_alert_of_a_question_that_is_asked_no_more_ends() -> None:
    opened = moment(START, WELL)._replace(open=frozenset({"risk.aki", "silence.dev-1"}))
    scores = Risk(Options()).score(ADULT, opened, {})
    assert [one.rule for one in scores] == ["risk.deterioration", "risk.sepsis", "risk.aki"]
    assert scores[-1].finding is None
    # A score of nothing, which the panel does not take for a probability.
    assert len(scores[-1].missing) == 7
