"""Every detector keeps every promise of `detectors.base.Detector`."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from detectors.baseline import WARMUP_READINGS, Baseline, Usual
from detectors.limits import Limits
from detectors.news2 import Input, News2Detector
from detectors.panel import Panel
from ingest.readings import Instant, Vital
from ingest.registry.entities import Limit, Patient
from tests.contract.checks import CHECKS, START, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = Patient("p-1")

SUBJECTS = [
    pytest.param(
        Subject(
            make=News2Detector,
            restore=News2Detector.restore,
            state=dict[Vital, Input],
            settings=PLAIN,
            vital=Vital.HEART_RATE,
            usual=(60, 85),
            ill=135,
            warm=1,
        ),
        id="news2",
    ),
    pytest.param(
        Subject(
            make=Limits,
            restore=Limits.restore,
            state=None,
            settings=Patient("p-1", limits={Vital.SPO2: Limit(low=88)}),
            vital=Vital.SPO2,
            usual=(95, 99),
            ill=85,
            warm=0,
        ),
        id="limits",
    ),
    pytest.param(
        Subject(
            make=Baseline,
            restore=Baseline.restore,
            state=dict[Vital, Usual],
            settings=PLAIN,
            vital=Vital.RESPIRATORY_RATE,
            usual=(13, 18),
            ill=28,
            warm=WARMUP_READINGS,
        ),
        id="baseline",
    ),
]


def test_there_are_detectors_and_checks() -> None:
    assert len(SUBJECTS) >= 3
    assert len(CHECKS) >= 9


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_detector_keeps_its_promise(check: Callable[[Subject], None], subject: Subject) -> None:
    check(subject)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_reaches_a_model(value: float) -> None:
    with_it, without = Panel(), Panel()
    for n in range(100):
        time = START + timedelta(seconds=10 * n)
        good = {Vital.HEART_RATE: 70.0 + n % 5, Vital.SPO2: 97.0}
        without.feed(PLAIN, "dev-1", Instant(time, good))
        with_it.feed(PLAIN, "dev-1", Instant(time, good | {Vital.TEMPERATURE: value}))
    assert msgspec.msgpack.encode(with_it.snapshot()) == msgspec.msgpack.encode(without.snapshot())
