"""The program that reads explanations by four questions can tell a bad one."""

from __future__ import annotations

import pytest

from detectors.explain import Language, explain
from tests.evaluation.explained_reading import NO, NONE, YES, Reading, read
from tests.unit.detectors.findings_told import FOUND, NIGHT

TIMED = [name for name, found in FOUND.items() if found.since and "quantum" not in found.rule]


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", TIMED)
def test_every_family_answers_the_four_questions(name: str, language: Language) -> None:
    found = FOUND[name]
    answers = read(found, explain(found, language, moment=NIGHT), language)
    assert NO not in answers, answers


def test_an_empty_phrase_answers_none_of_them() -> None:
    found = FOUND["a risk"]
    assert read(found, "Please have a look.", Language.ENGLISH) == Reading(NO, NO, NO, NO)


def test_what_is_not_missing_need_not_be_told() -> None:
    found = FOUND["the patient's own hours"]
    said = explain(found, Language.FRENCH, moment=NIGHT)
    assert read(found, said, Language.FRENCH) == Reading(YES, YES, YES, NONE)


def test_the_clock_must_be_the_reader_s() -> None:
    found = FOUND["the patient's own hours"]
    said = explain(found, Language.ENGLISH, moment=NIGHT)
    assert read(found, said, Language.FRENCH).since == NO
