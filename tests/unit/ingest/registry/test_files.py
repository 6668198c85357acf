"""Registry files: what is written reads back, and each fault is told with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.readings import Vital
from ingest.registry import health_store, rules
from ingest.registry.entities import (
    USUAL,
    Assignment,
    Device,
    Format,
    Limit,
    Member,
    Model,
    Patient,
    Prescription,
    Profile,
    Purpose,
    Trend,
)
from ingest.registry.files import importing, sheet
from ingest.registry.files import toml_file as file
from ingest.registry.files.draft import BadRegistryFile
from ingest.registry.store import normal
from tests import entities

if TYPE_CHECKING:
    from pathlib import Path

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
# One folder for all examples of a test: each writes its file anew.
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

TABLE = """\
kind,id,profile,physician,consents,limits,team,model,assignments
patient,p-1,icu,dr@x.example,collect monitor,spo2 88..; heart_rate 50..120,nurse <n@x.example>,,
device,d-1,,,,,,m,p-1 2026-01-01T00:00:00Z/2026-02-01T00:00:00Z; p-2 2026-03-01T00:00:00Z/
"""


def written(folder: Path, text: str, name: str = "ward.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@given(entities.patients() | entities.devices() | entities.models())
@same_folder
def test_any_entry_reads_back_from_toml(tmp_path: Path, entity: Patient | Device | Model) -> None:
    draft = file.parse(written(tmp_path, file.write([entity]), "ward.toml"))
    assert draft.faults == []
    assert [normal(entry.entity) for entry in draft.entries] == [normal(entity)]


@given(entities.patients() | entities.devices())
@same_folder
def test_any_patient_or_device_reads_back_from_a_table(
    tmp_path: Path, entity: Patient | Device
) -> None:
    draft = sheet.parse(written(tmp_path, sheet.write([normal(entity)])))
    assert draft.faults == []
    assert [normal(entry.entity) for entry in draft.entries] == [normal(entity)]


def judged(path: Path) -> None:
    """Read a file and look for faults, as an import does before it asks the database."""
    try:
        draft = importing.parse(path)
    except BadRegistryFile:
        return
    for entry in draft.entries:
        if not [*rules.faults(entry.entity)]:
            normal(entry.entity)


PIECES = (
    'patient device p-1 m none ; .. / , " 1e999 nan -0 9999999999999999999999 \u00b2 spo2 88.. '
    "spo2;88..nan weight days=3 rise= =2 urgent every_hours=24 "
    "0001-01-01T00:00:00+14:00/ 9999-12-31T23:59:60-14:00/ true a<b@c.d> \x00"
)
HEAD = (
    "kind,id,profile,physician,ens,spo2_scale,consents,born,pregnant,limits,trends,prescriptions,"
    "team,model,version,clock_offset_seconds,revoked,assignments"
)
cells = st.sampled_from(PIECES.split(" "))
rows = st.tuples(
    st.sampled_from(["patient,p-1,", "device,d-1,,,,,,,,m,", ""]),
    st.lists(st.lists(cells, max_size=3).map(" ".join), max_size=12).map(",".join),
).map("".join)


@given(st.lists(rows, max_size=3).map("\n".join) | st.text())
@same_folder
def test_any_table_ends_in_entries_or_in_faults(tmp_path: Path, text: str) -> None:
    judged(written(tmp_path, f"{HEAD}\n{text}"))


@given(
    st.text()
    | st.lists(cells, max_size=12).map(lambda some: "[[patients]]\nid = " + "\n".join(some))
)
@same_folder
def test_any_text_as_toml_ends_in_entries_or_in_faults(tmp_path: Path, text: str) -> None:
    judged(written(tmp_path, text, "ward.toml"))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_at_the_end_of_the_calendar_is_a_fault(tmp_path: Path, time: str) -> None:
    other = "2026-01-01T00:00:00Z"
    text = (
        f'[[devices]]\nid = "d"\nmodel = "m"\nassignments = [{{ patient = "p", from = "{time}" }},'
        f' {{ patient = "p", from = "{other}", until = "{time}" }}]\n'
        '[[models]]\nid = "m"\nmaker = "a"\nname = "a"\nformats = ["readings"]\n'
        f'vitals = {{ spo2 = {{}} }}\nfrom = "{time}"\nuntil = "{time}"\n'
    )
    with pytest.raises(BadRegistryFile, match="a time lies outside the years 1900 to 2200"):
        file.read(written(tmp_path, text, "ward.toml"))


@given(entities.patients() | entities.devices() | entities.models())
def test_the_generated_entries_are_such_as_the_registry_takes(
    entity: Patient | Device | Model,
) -> None:
    assert entities.is_good(entity)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_as_a_spreadsheet_saves_it(tmp_path: Path, ending: str, mark: str) -> None:
    text = mark + TABLE.replace("\n", ending)
    draft = sheet.parse(written(tmp_path, text))
    assert draft.faults == []
    patient, device = draft.entries
    assert patient.entity == Patient(
        "p-1",
        Profile.ICU,
        {Vital.SPO2: Limit(low=88), Vital.HEART_RATE: Limit(50, 120)},
        "dr@x.example",
        consents=(Purpose.COLLECT, Purpose.MONITOR),
        team=(Member("nurse", "n@x.example"),),
    )
    february, march = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    worn = (Assignment("p-1", JANUARY, february), Assignment("p-2", march))
    assert device.entity == Device("d-1", "m", worn)


def test_a_semicolon_between_the_cells_will_do(tmp_path: Path) -> None:
    text = 'kind;id;limits\npatient;p-1;"spo2 88..; heart_rate ..120"\n'
    (entry,) = sheet.parse(written(tmp_path, text)).entries
    limits = {Vital.SPO2: Limit(low=88), Vital.HEART_RATE: Limit(high=120)}
    assert entry.entity == Patient("p-1", limits=limits)


def test_what_is_watched_and_how_is_read_from_a_table(tmp_path: Path) -> None:
    text = (
        "kind,id,born,pregnant,limits,trends,prescriptions\n"
        "patient,p-1,1950,no,spo2 88 .. 96 seconds=30 count=3 margin=1 urgent,"
        "weight days=3 rise=2; spo2 days=1 fall=4,weight every_hours=24\n"
        "patient,p-2,none,yes,none,none,none\n"
    )
    first, second = (entry.entity for entry in sheet.parse(written(tmp_path, text)).entries)
    assert first == Patient(
        "p-1",
        limits={Vital.SPO2: Limit(88, 96, 30, 3, 1, urgent=True)},
        born=1950,
        trends={Vital.WEIGHT: Trend(3, rise=2), Vital.SPO2: Trend(1, fall=4)},
        prescriptions={Vital.WEIGHT: Prescription(24)},
    )
    assert second == Patient("p-2", pregnant=True)


def test_an_empty_cell_tells_nothing_and_none_takes_away(tmp_path: Path) -> None:
    text = "kind,id,consents,physician,limits\npatient,p-1,,,\npatient,p-2,none,none,none\n"
    first, second = sheet.parse(written(tmp_path, text)).entries
    assert first.told == {"id"}
    assert second.told == {"id", "consents", "physician", "limits"}
    assert first.entity == Patient("p-1", consents=USUAL)
    assert second.entity == Patient("p-2", consents=())


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("ward,x", "line 2: `kind` must be patient or device, not 'ward'"),
        ("patient,p/1", "line 2: letters, digits, and . _ - between, at most 64 - at `id`"),
        ("patient,p-1,hotel", "line 2: 'hotel' is none of icu, ward, .*wearable - at `profile`"),
        ("patient,p-1,,,collect sell", "line 2: 'sell' is none of collect, .*`consents"),
        ("patient,p-1,,,,spo2 88", "line 2: a limit is written `spo2 88..`"),
        ("patient,p-1,,,,spo2 low..", "line 2: 'low' is no number"),
        ("patient,p-1,,,,spo2 88..; spo2 90..", "line 2: limits of spo2 are there twice"),
        ("patient,p-1,,,,spo2 88.. seconds", "line 2: 'seconds' is no number"),
        ("patient,p-1,,,,spo2 88.. seconds=", "line 2: write `weight days=3 rise=2.0`.*"),
        ("patient,p-1,,,,spo2 88.. seconds=soon", "line 2: 'soon' is no number.*"),
        ("patient,p-1,,,,spo2 88.. after=3", "line 2: unknown field `after`.*"),
        ("patient,p-1,,,,sp02 88..", "line 2: 'sp02' is none of heart_rate, .*`limits`"),
        ("patient,p-1,,,,,nurse", "line 2: a member is written"),
        ("device,d-1", "line 2: there is no `model`"),
        ("device,d-1,,,,,,m,p-1 2026-01-01", "line 2: an assignment is written"),
        ("device,d-1,,,,,,m,p-1 2026-01-01/", "line 2: write a time as 2026-01-01T00:00:00Z"),
        ("device,d-1,,,,,,m,p-1 2026-01-01T00:00:00/", "line 2: times need a zone"),
        ("device,d-1,icu,,,,,m", "line 2: a device has no `profile`"),
        ("patient,p-1,,,,,,,,,", "line 2: 11 cells, and the first line names 9"),
    ],
)
def test_each_bad_line_of_a_table_is_told_with_its_number(
    tmp_path: Path, row: str, expected: str
) -> None:
    head = TABLE.partition("\n")[0]
    draft = sheet.parse(written(tmp_path, f"{head}\n{row}\npatient,p-9\n"))
    assert len(draft.faults) == 1
    assert pytest.RaisesExc(ValueError, match=expected).matches(ValueError(draft.faults[0]))
    # The bad one is left out, also where the rest of its line can be read.
    assert [entry.entity.id for entry in draft.entries] == ["p-9"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no column `kind`"),
        ("kind,id,name\n", "unknown column `name`"),
        ("kind,id,id\n", "column `id` twice"),
    ],
)
def test_a_table_whose_first_line_is_wrong_is_not_read(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(BadRegistryFile, match=expected):
        sheet.parse(written(tmp_path, text))


def test_a_quote_that_is_not_closed_is_told_with_what_it_swallows(tmp_path: Path) -> None:
    text = 'kind,id,profile\npatient,p-1,\npatient,p-2,"ward\npatient,p-3,\n'
    draft = sheet.parse(written(tmp_path, text))
    assert [entry.entity.id for entry in draft.entries] == ["p-1"]
    assert draft.faults == [
        "line 3: not CSV: unexpected end of data; nothing from here on was read"
    ]


def test_a_number_without_end_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(BadRegistryFile, match="not TOML"):
        file.parse(written(tmp_path, "x = " + "1" * 5000, "ward.toml"))


def test_a_table_in_another_encoding_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "ward.csv"
    path.write_bytes("kind,id,ens\npatient,p-1,é\n".encode("latin-1"))
    with pytest.raises(BadRegistryFile, match="CSV UTF-8"):
        sheet.parse(path)


def test_numbers_and_flags_of_a_device_are_read(tmp_path: Path) -> None:
    text = (
        "kind,id,model,version,clock_offset_seconds,revoked\n"
        "device,d-1,m,1.2,-3600,yes\ndevice,d-2,m,,soon,maybe\n"
    )
    draft = sheet.parse(written(tmp_path, text))
    expected = Device("d-1", "m", version="1.2", clock_offset_seconds=-3600, revoked=True)
    assert [entry.entity for entry in draft.entries] == [expected]
    assert draft.faults == ["line 3: 'soon' is no number; write 38.5, with a point"]


def test_every_fault_of_a_toml_file_has_its_line(tmp_path: Path) -> None:
    text = (
        '# a ward\n[[patients]]\nid = "p-1"\nprofile = "hotel"\n\n'
        '[[devices]]\nid = "d-1"\n\n[[patients]]\nid = "p-2"\nconsents = ["sell"]\n'
    )
    faults = importing.parse(written(tmp_path, text, "ward.toml")).faults
    assert [fault.partition(": ")[0] for fault in faults] == [
        "line 2, patients[1]",
        "line 9, patients[2]",
        "line 6, devices[1]",
    ]
    assert "sell" in faults[1]


@pytest.mark.parametrize("name", ["p-1\\n", "p-1\\r", " p-1", "", "é", "p" * 65, "-p"])
def test_what_is_no_name_is_a_fault(tmp_path: Path, name: str) -> None:
    # Such a patient could be erased by no command, such a device would have no topic of its own.
    draft = file.parse(written(tmp_path, f'[[patients]]\nid = "{name}"\n', "ward.toml"))
    assert draft.entries == []
    assert len(draft.faults) == 1


def test_an_empty_text_in_toml_says_that_there_is_none(tmp_path: Path) -> None:
    text = '[[patients]]\nid = "p-1"\nphysician = ""\n'
    (entry,) = file.parse(written(tmp_path, text, "ward.toml")).entries
    assert entry.entity == Patient("p-1")
    assert entry.told == {"id", "physician"}


def test_a_row_that_is_no_table_is_a_fault(tmp_path: Path) -> None:
    draft = file.parse(written(tmp_path, "patients = [1]\ndevices = 2\n", "ward.toml"))
    assert draft.faults == [
        "patients[1]: must be written as [[patients]]",
        "`devices` must be written as [[devices]]",
    ]


def test_the_shipped_health_store_lets_the_simulated_ward_send_everything() -> None:
    (model,) = file.read(health_store.SHIPPED)
    assert isinstance(model, Model)
    assert model.id == "bedside-monitor"
    assert set(model.vitals) == set(Vital)
    assert set(model.formats) == set(Format)
    assert entities.is_good(model)
