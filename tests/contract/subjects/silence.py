"""Silence as the conformance suite sees it: a monitor that is unplugged."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from detectors.silence import Options, Silence
from ingest.readings import Vital
from tests.contract.checks import Subject

if TYPE_CHECKING:
    from random import Random


def usual(random: Random, _number: int) -> dict[str, float]:
    """Draw what a monitor shows: what the values are does not matter here."""
    return {
        Vital.HEART_RATE: float(random.randint(60, 85)),
        Vital.SPO2: float(random.randint(96, 99)),
    }


SUBJECT = Subject(
    kind=Silence,
    rule="silence.device",
    usual=usual,
    ill=(),
    options=Options(at_least_minutes=2),
    state_bytes=400,
    silent=timedelta(hours=1),
)
