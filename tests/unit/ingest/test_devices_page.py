"""The page for device makers: each example of a message is taken as it stands there."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.formats.catalogue import Formats
from ingest.readings import SPECS, Vital
from ingest.units import conversion
from simulators.pending import Pending

PAGE = (Path(__file__).parents[3] / "docs" / "devices.md").read_text(encoding="utf-8")
RECEIVED = datetime(2026, 11, 24, 3, 0, 2, tzinfo=UTC)
EXAMPLES = re.findall(r"### `vigie/v1/\{device\}/(\S+)`\n.*?```json\n(.*?)```", PAGE, re.DOTALL)
CODED = {Vital.CONSCIOUSNESS, Vital.SUPPLEMENTAL_OXYGEN}


@pytest.mark.parametrize(("suffix", "message"), EXAMPLES, ids=[suffix for suffix, _ in EXAMPLES])
def test_an_example_is_taken_whole_and_can_have_a_receipt(suffix: str, message: str) -> None:
    decode = Formats().find(suffix.replace("{template}", "acme-patch"))
    assert decode is not None
    decoded = decode(message.encode(), "dev-0042", RECEIVED)
    assert decoded.refused == []
    assert decoded.instants
    assert (decoded.seq is None) != (decoded.id is None)


def test_each_format_has_an_example() -> None:
    suffixes = {suffix.partition("/")[0] for suffix, _ in EXAMPLES}
    assert suffixes == {"readings", "fhir", "omh", "gatt", "raw"}


def test_the_reference_client_understands_the_receipt() -> None:
    (receipt,) = re.findall(r"```json receipt\n(.*?)```", PAGE, re.DOTALL)
    pending = Pending(first_seq=1038)
    for _ in range(7):
        pending.add([{"time": "2026-11-24T03:00:00Z", "spo2": 97}], now=0)
    assert pending.receipt(receipt.encode()) == 6
    assert pending.tally.refused == {"out-of-range": 1}
    assert json.loads(receipt)["ids"]


def _rows() -> list[tuple[list[str], list[str]]]:
    """Read the table of vitals: their names, and the units that it names."""
    table = PAGE.split("#### Vitals\n")[1].strip().split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return [
        (re.findall("`([^`]+)`", row[0]), re.findall("`([^`]+)`", row[1] + row[2])) for row in rows
    ]


def test_the_table_of_vitals_is_complete_and_its_units_are_taken() -> None:
    named = [name for names, _ in _rows() for name in names]
    assert sorted(named) == sorted(Vital)
    for names, units in _rows():
        for vital in set(map(Vital, names)) - CODED:
            assert units[0] == SPECS[vital].unit
            assert all(conversion(vital, unit) is not None for unit in units), vital
