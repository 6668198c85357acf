"""Whose reading is it, and which settings held at a place of the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ingest.codec import decode_registry, encode
from ingest.readings import Refusal, Vital
from ingest.registry.entities import USUAL, Assignment, Device, Limit, Patient, Profile, key
from ingest.registry.files import toml_file as registry_file
from ingest.registry.files.draft import BadRegistryFile
from ingest.registry.memory import Registry

if TYPE_CHECKING:
    from pathlib import Path

JANUARY, MARCH, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 5))
WORN = Device("dev-1", "patch", (Assignment("p-1", JANUARY, MARCH), Assignment("p-2", MAY)))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        pytest.param(JANUARY, "p-1", id="from its first instant on"),
        pytest.param(MARCH, None, id="the end is not part of it"),
        pytest.param(MAY, "p-2", id="who wears it now"),
    ],
)
def test_a_late_reading_belongs_to_whoever_wore_the_device_then(
    time: datetime, expected: str | None
) -> None:
    registry = Registry()
    registry.apply(0, key(WORN), WORN)
    wearer = registry.standing("dev-1").wearer(time)
    assert (wearer.patient if wearer else None) == expected


def test_a_stranger_has_no_standing() -> None:
    assert Registry().standing("dev-2").refusal is Refusal.UNKNOWN_DEVICE


def test_settings_are_those_of_the_revision_that_is_asked_for() -> None:
    registry = Registry()
    strict, loose = (Patient("p-1", limits={Vital.SPO2: Limit(low=low)}) for low in (94, 88))
    registry.apply(3, key(strict), strict)
    registry.apply(7, key(loose), loose)
    registry.apply(9, key(loose), None)
    assert registry.patient("p-1", 3) == Patient("p-1")
    assert registry.patient("p-1", 4) == strict
    assert registry.patient("p-1", 8) == loose
    assert registry.patient("p-1", 10) == Patient("p-1")
    assert registry.revision == 10


def test_what_a_later_version_may_keep_beside_a_patient_does_not_remove_the_patient() -> None:
    registry = Registry()
    registry.apply(0, b"patient:p-1", Patient("p-1"))
    registry.apply(1, b"evidence:p-1", None)
    assert registry.newest("p-1").consents == USUAL
    assert registry.revision == 2


def test_a_removed_device_is_unknown() -> None:
    registry = Registry()
    registry.apply(0, key(WORN), WORN)
    registry.apply(1, key(WORN), None)
    assert registry.standing("dev-1").refusal is Refusal.UNKNOWN_DEVICE


def test_entities_survive_the_way_through_the_topic() -> None:
    patient = Patient("p-1", Profile.ICU, {Vital.SPO2: Limit(low=88)}, "dr@x.example", "idpe", 2)
    assert decode_registry(encode(patient)) == patient
    assert decode_registry(encode(WORN)) == WORN


GOOD = """
[[patients]]
id = "p-1"
profile = "ward"
limits = { spo2 = { low = 88 } }
physician = "dr@hopital.mssante.example"
[[devices]]
id = "dev-1"
model = "bedside-monitor"
assignments = [{ patient = "p-1", from = "2026-01-01T00:00:00Z" }]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "registry.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_file_of_the_contract_is_read(tmp_path: Path) -> None:
    patient, device = registry_file.read(written(tmp_path, GOOD))
    assert patient == Patient(
        "p-1", limits={Vital.SPO2: Limit(low=88)}, physician="dr@hopital.mssante.example"
    )
    assert device == Device("dev-1", "bedside-monitor", (Assignment("p-1", JANUARY),))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("[[patients]]", "[[patient]]", "unknown table `patient`", id="a table"),
        pytest.param('"ward"', '"hotel"', r"patients\[1\]: .*hotel.*profile", id="a profile"),
        pytest.param("spo2 =", "sp02 =", r"patients\[1\]: ", id="a vital"),
        pytest.param("low =", "lo =", r"patients\[1\]: .*`lo`", id="a field"),
        pytest.param('id = "dev-1"', 'id = "dev/1"', r"devices\[1\]: ", id="an id with a slash"),
        pytest.param('"p-1", from', '"p-1", form', r"devices\[1\]: .*`", id="a mistyped from"),
        pytest.param("00:00Z", "00:00", "times need a zone", id="a time without a zone"),
        pytest.param('Z" }', 'Z", until = "2025-01-01T00:00:00Z" }', "ends before", id="an end"),
        pytest.param("[[devices]]", "[[devices", "not TOML", id="not TOML"),
        pytest.param("dr@hopital.mssante.example", "Dr A", "mail address", id="no address"),
        pytest.param("low = 88", "low = nan", "lie between 0 and 100", id="not a number"),
        pytest.param("low = 88", "low = 880", "lie between 0 and 100", id="out of the world"),
        pytest.param("{ low = 88 }", "{}", "lie between", id="no bound at all"),
        pytest.param("low = 88", "low = 95, high = 90", "above the high one", id="crossed"),
    ],
)
def test_a_fault_is_named_and_nothing_is_read(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    file = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BadRegistryFile, match=expected):
        registry_file.read(file)


def test_overlapping_assignments_and_double_entries_are_faults(tmp_path: Path) -> None:
    twice = GOOD.replace('Z" }', 'Z" }, { patient = "p-2", from = "2026-02-01T00:00:00Z" }') + GOOD
    with pytest.raises(BadRegistryFile) as caught:
        registry_file.read(written(tmp_path, twice))
    assert "two assignments overlap" in str(caught.value)
    assert "patient `p-1` is there twice" in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRegistryFile, match="cannot be read"):
        registry_file.read(tmp_path / "absent.toml")


def test_who_was_changed_between_two_revisions_is_named() -> None:
    registry = Registry()
    for offset, name in [(2, "p-1"), (3, "p-2"), (7, "p-1"), (9, "p-3")]:
        registry.apply(offset, f"patient:{name}".encode(), Patient(name))
    registry.apply(11, b"patient:p-4", None)
    assert registry.changed(0, 3) == {"p-1"}
    assert registry.changed(3, 9) == {"p-1", "p-2"}
    assert registry.changed(9, 12) == {"p-3", "p-4"}
    assert registry.changed(12, 12) == set()


def test_a_device_is_taken_off_as_was_known_at_a_place_of_the_log() -> None:
    registry = Registry()
    worn = Device("dev-1", "patch", (Assignment("p-1", JANUARY),))
    registry.apply(3, key(worn), worn)
    registry.apply(7, key(WORN), WORN)
    registry.apply(9, key(WORN), None)
    said = [registry.taken_off("dev-1", "p-1", revision, MARCH) for revision in (3, 4, 8, 10)]
    assert said == [False, False, True, True]
    assert not registry.taken_off("dev-1", "p-1", 8, JANUARY), "until then it is worn"
    assert not registry.taken_off("dev-1", "p-2", 8, MARCH), "it will be, soon"
    assert not registry.taken_off("dev-2", "p-1", 10, MARCH), "of a stranger nobody can say so"
