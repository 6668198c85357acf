"""The ledger: balanced only when every reading is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from streams.ledger import Account, Entry, as_json, as_table
from streams.refusals import Refusals

GOOD = Entry("vigie.readings", 0, 7, None, 12, 10, 2, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(GOOD, True, id="all stored or copies"),
        pytest.param(replace(GOOD, stored=9, difference=1), False, id="one reading is nowhere"),
        pytest.param(replace(GOOD, lost=3), False, id="Kafka deleted records"),
    ],
)
def test_when_the_account_is_balanced(entry: Entry, *, expected: bool) -> None:
    account = Account([GOOD, entry], GOOD.stored + entry.stored)
    assert expected is account.balanced
    assert expected is json.loads(as_json(account))["balanced"]


@pytest.mark.parametrize("rows", [9, 11])
def test_a_row_that_is_missing_or_that_nobody_counted_is_noticed(rows: int) -> None:
    account = Account([GOOD], rows)
    assert not account.balanced
    assert account.missing == GOOD.stored - rows


def test_what_was_erased_with_its_patient_is_not_missing() -> None:
    account = Account([replace(GOOD, erased=4)], GOOD.stored - 4)
    assert account.balanced
    assert json.loads(as_json(account))["erased"] == 4


def test_what_was_refused_is_told_apart_from_what_could_not_be_counted() -> None:
    account = Account([GOOD], GOOD.stored)
    assert json.loads(as_json(account))["refused"] is None
    told = json.loads(as_json(account, Refusals(Counter({"null": 3}), messages=2)))["refused"]
    assert (told["reasons"], told["messages"]) == ({"null": 3}, 2)


def test_the_table_ends_with_the_sum() -> None:
    printed = StringIO()
    Console(width=160, file=printed).print(
        as_table([GOOD, replace(GOOD, partition=1, received=30)])
    )
    assert "42" in printed.getvalue()
