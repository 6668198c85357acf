"""Every detector of the catalogue keeps every promise of `detectors.base.Detector`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from detectors.catalogue import CATALOGUE
from tests.contract import checks, learning_checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.checks import Subject

# A detector without a subject is an error, not a gap: its module is asked for by name.
CHECKS = [*checks.CHECKS, *learning_checks.CHECKS]
SUBJECTS = {name: import_module(f"tests.contract.subjects.{name}").SUBJECT for name in CATALOGUE}


def test_there_are_detectors_and_checks() -> None:
    assert len(SUBJECTS) >= 3
    assert len(CHECKS) >= 20
    assert all(subject.kind is CATALOGUE[name] for name, subject in SUBJECTS.items())


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_detector_keeps_its_promise(check: Callable[[Subject], None], subject: Subject) -> None:
    check(subject)
