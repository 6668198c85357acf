"""A hundred thousand messages made wrong: each ends in readings or in a named refusal."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.readings import Instant  # noqa: TC001 (hypothesis reads annotations)
from tests.contract.format_cases import CASES, Case
from tests.contract.mutations import changed
from tests.contract.promises import decoded

MESSAGES = 100_000
GOOD = 25
EACH = -(-MESSAGES // (GOOD * len(CASES)))  # rounded up


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_bytes_raise_and_none_are_passed_over(case: Case) -> None:
    tried = kept = 0

    @settings(
        max_examples=GOOD, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(told=st.lists(case.instants, min_size=2, max_size=2), seed=st.integers(0, 2**32))
    def attack(told: list[list[Instant]], seed: int) -> None:
        nonlocal tried, kept
        random = Random(seed)
        good = [case.write(each) for each in told]
        for _ in range(EACH):
            found = decoded(case, changed(good[0], random, good))
            tried += 1
            kept += bool(found.instants)

    attack()
    assert tried >= MESSAGES // len(CASES)
    assert kept, "what is good in a message that is wrong elsewhere is kept"
