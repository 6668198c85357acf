"""From the last part of a topic to what reads it."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

import pytest

from ingest.door import Door
from ingest.formats.catalogue import SHIPPED, Formats
from ingest.formats.template_file import TemplateRefused
from ingest.readings import Refusal, Vital
from ingest.registry.entities import Assignment, Device, Format, Listing, Model, key
from ingest.registry.memory import Registry
from tests.contract.mutations import changed

if TYPE_CHECKING:
    from pathlib import Path

RECEIVED = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
EXPECTED = {
    "acme-patch": {"heart_rate": 72, "respiratory_rate": 15, "temperature": 37},
    "home-cuff": {"systolic": 128, "diastolic": 79, "pulse_rate": 66},
    "ward-tablet": {"consciousness": 0, "supplemental_oxygen": 0, "spo2": 97},
}


@pytest.mark.parametrize("own", [each for each in Format if each is not Format.RAW])
def test_every_format_of_the_registry_has_a_reader(own: Format) -> None:
    formats = Formats()
    assert formats.find(own.value) is not None
    assert formats.format_of(own.value) is own


def test_vendor_json_is_found_by_its_template() -> None:
    formats = Formats()
    assert formats.templates
    for name in formats.templates:
        assert formats.find(f"raw/{name}") is not None
        assert formats.format_of(f"raw/{name}") is Format.RAW
    assert formats.find("raw/unheard-of") is None
    assert formats.format_of("raw/unheard-of") is Format.RAW


@pytest.mark.parametrize("suffix", ["", "raw", "raw/", "receipts", "presence", "readings/", "FHIR"])
def test_a_topic_of_ours_that_carries_no_readings_has_no_format(suffix: str) -> None:
    formats = Formats()
    assert formats.format_of(suffix) is None
    assert formats.find(suffix) is None


def test_a_site_s_own_template_takes_the_place_of_one_of_ours(tmp_path: Path) -> None:
    text = (SHIPPED / "acme-patch.toml").read_text(encoding="utf-8")
    (tmp_path / "ours.toml").write_text(text, encoding="utf-8")
    found = Formats(str(tmp_path)).templates["acme-patch"]
    assert found.source == str(tmp_path / "ours.toml")


def test_a_wrong_template_keeps_the_gateway_from_starting(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("name = 1", encoding="utf-8")
    with pytest.raises(TemplateRefused, match=r"bad\.toml"):
        Formats(str(tmp_path))


def example(file: Path) -> bytes:
    """Return the message that the comment at a template's head shows."""
    lines = file.read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    text = " ".join(line.removeprefix("#").strip() for line in head)
    return text[text.index("{") :].encode()


@pytest.mark.parametrize("name", EXPECTED)
def test_the_example_at_the_head_of_a_shipped_template_is_read_whole(name: str) -> None:
    formats = Formats()
    assert formats.templates.keys() == EXPECTED.keys()
    decode = formats.find(f"raw/{name}")
    assert decode is not None
    found = decode(example(SHIPPED / f"{name}.toml"), "dev-1", RECEIVED)
    assert found.refused == []
    [instant] = found.instants
    assert {vital.value: value for vital, value in instant.values.items()} == EXPECTED[name]
    assert instant.time == datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_shipped_template_raises_nothing_whatever_its_message_became(name: str) -> None:
    decode = Formats().find(f"raw/{name}")
    assert decode is not None
    good, random = example(SHIPPED / f"{name}.toml"), Random(name)
    for _ in range(3_000):
        found = decode(changed(good, random, [good]), "dev-1", RECEIVED)
        assert found.instants or found.refused


BEAT = {"characteristic": "2a37", "time": "2026-11-24T03:00:00Z", "hex": "0048"}


@pytest.mark.parametrize(
    ("suffix", "payload", "told"),
    [
        ("gatt", json.dumps({"seq": 7, "notifications": [BEAT]}).encode(), Vital.HEART_RATE),
        ("raw/ward-tablet", example(SHIPPED / "ward-tablet.toml"), Vital.SPO2),
        ("gatt", example(SHIPPED / "ward-tablet.toml"), Refusal.BAD_SEQ),
        ("raw/home-cuff", example(SHIPPED / "ward-tablet.toml"), Refusal.NO_MATCH),
        ("raw/unheard-of", b"{}", Refusal.UNKNOWN_TEMPLATE),
        ("raw/", b"{}", Refusal.UNKNOWN_TOPIC),
    ],
)
def test_the_door_reads_each_topic_in_its_format(
    suffix: str, payload: bytes, told: Vital | Refusal
) -> None:
    early = datetime(2000, 1, 1, tzinfo=UTC)
    model = Model("m", "A", "B", tuple(Format), dict.fromkeys(Vital, Listing()), early)
    registry = Registry()
    registry.apply(0, key(model), model)
    device = Device("dev-1", "m", (Assignment("p-1", early),))
    registry.apply(1, key(device), device)
    passed = Door(registry, Formats()).open(f"vigie/v1/dev-1/{suffix}", payload, RECEIVED)
    vitals = [vital for instant in passed.live.get("p-1", []) for vital in instant.values]
    assert told in [*vitals, *(one.reason for one in passed.refused)]
    assert bool(vitals) == isinstance(told, Vital)
