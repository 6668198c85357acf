"""Traits are checked field by field, and no error ever shows what was given."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.vault import file as identity_file
from ingest.vault import identity
from ingest.vault.file import BadIdentityFile
from ingest.vault.identity import BadIdentity, Identity, Ins, Sex, control_key, read
from ingest.vault.sealing import Vault, new_key

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 24)
# The number that the ANS prints in its guides to the INS: nobody's.
INS = "269054958815780"
ROW = {
    "birth_name": "Durand-Zzyx",
    "given_names": "Anne Zoé",
    "birth_date": "1969-05-31",
    "sex": "f",
    "ins": "2 69 05 49 588 157 80",
    "ins_oid": identity.TEST,
    "mail": "anne@hopital.example",
    "phone": "+33 6 12 34 56 78",
    "birth_place": "49588",
}


def corsican(department: str) -> str:
    number = f"26905{department}588157"
    return f"{number}{control_key(number):02}"


def test_a_row_becomes_an_identity() -> None:
    assert read(ROW, TODAY) == Identity(
        birth_name="Durand-Zzyx",
        given_names=("Anne", "Zoé"),
        birth_date=date(1969, 5, 31),
        sex=Sex.FEMALE,
        birth_place="49588",
        ins=Ins(INS, identity.TEST),
        mail="anne@hopital.example",
        phone="+33612345678",
    )


def test_what_is_empty_is_not_known() -> None:
    assert read(ROW | {"mail": " ", "phone": ""}, TODAY).mail is None


@pytest.mark.parametrize("number", [INS, corsican("2A"), corsican("2B"), corsican("2A").lower()])
def test_an_ins_with_its_control_key_is_taken(number: str) -> None:
    found = read(ROW | {"ins": number}, TODAY).ins
    assert found is not None
    assert found.matricule == number.upper()


def test_corsica_counts_as_nineteen_and_eighteen() -> None:
    assert control_key("269052A588157") == control_key("2690519588157")
    assert control_key("269052B588157") == control_key("2690518588157")


@given(st.integers(0, 14), st.sampled_from("0123456789"))
def test_an_ins_with_one_wrong_digit_is_refused(place: int, digit: str) -> None:
    wrong = INS[:place] + digit + INS[place + 1 :]
    if wrong == INS:
        return
    with pytest.raises(BadIdentity, match="`ins`"):
        read(ROW | {"ins": wrong}, TODAY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_name", "x" * 101),
        ("birth_name", "12345"),
        ("given_names", ["Anne", 9077]),
        ("birth_date", "31/05/1969"),
        ("birth_date", "2026-11-25"),
        ("birth_date", "1869-05-31"),
        ("birth_date", "1969-02-30"),
        ("sex", "femme"),
        ("ins", "26905495881578"),
        ("ins", "2690549588157801"),
        ("ins", "569054958815780"),
        ("ins", "26905495881578O"),
        ("ins", "269054958815781"),
        ("ins_oid", "1.2.3.4444"),
        ("birth_place", "4958"),
        ("mail", "anne at hopital"),
        ("phone", "12 34"),
        ("phone", "zero six douze"),
    ],
)
def test_a_fault_names_the_field_and_never_the_value(field: str, value: Any) -> None:
    with pytest.raises(BadIdentity) as refused:
        read(ROW | {field: value}, TODAY)
    assert f"`{field}`" in str(refused.value)
    told = str(refused.value).replace(identity.TEST, "")
    secrets = [str(value), *(row for row in ROW.values() if len(row) > 1)]
    assert [secret for secret in secrets if secret in told] == []


@given(st.dictionaries(st.sampled_from([*identity.FIELDS, "Dupont", "autre"]), st.text()))
def test_whatever_a_row_holds_it_is_an_identity_or_named_faults(row: dict[str, str]) -> None:
    told = ""
    try:
        read(row, TODAY)
    except BadIdentity as error:
        told = str(error)
    assert "Dupont" not in told


people = st.builds(
    Identity,
    birth_name=st.text(min_size=1),
    given_names=st.lists(st.text(min_size=1), min_size=1).map(tuple),
    birth_date=st.dates(),
    sex=st.sampled_from(Sex),
    name=st.none() | st.text(),
    ins=st.none() | st.builds(Ins, st.just(INS), st.sampled_from(sorted(identity.SYSTEMS))),
    mail=st.none() | st.text(),
)


@given(people)
def test_an_identity_sealed_and_opened_is_the_same(person: Identity) -> None:
    vault = Vault(new_key())
    wrapped = vault.new_data_key("p-1")
    sealed = vault.seal(wrapped, "p-1", "identity", identity.encode(person))
    assert identity.decode(vault.open(wrapped, "p-1", "identity", sealed)) == person


@given(st.binary())
def test_content_of_another_version_is_one_clear_error(junk: bytes) -> None:
    with pytest.raises(BadIdentity, match="another version"):
        identity.decode(junk)


def test_an_identity_is_never_printed_by_accident() -> None:
    person = read(ROW, TODAY)
    assert repr(person) == "Identity(...)"
    assert repr(person.ins) == "Ins(...)"


HEADER = "id;birth_name;given_names;birth_date;sex;ins;ins_oid"
LINE = f"p-1;Durand;Anne Zoé;1969-05-31;F;{INS};{identity.TEST}"


def file(folder: Path, *lines: str, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_csv_and_toml_say_the_same(tmp_path: Path) -> None:
    toml = file(
        tmp_path,
        "[[identities]]",
        'id = "p-1"\nbirth_name = "Durand"\ngiven_names = ["Anne", "Zoé"]\nsex = "F"',
        f'birth_date = 1969-05-31\nins = "{INS}"\nins_oid = "{identity.TEST}"',
        name="people.toml",
    )
    commas = file(tmp_path, "\ufeff" + HEADER.replace(";", ","), LINE.replace(";", ","), name="c")
    (one,) = identity_file.load(file(tmp_path, HEADER, LINE), TODAY)
    for path in (toml, commas):
        (other,) = identity_file.load(path, TODAY)
        assert other[1:] == one[1:]
    assert one.patient == "p-1"


def test_every_bad_line_is_told_by_number_and_field_without_values(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        HEADER,
        LINE,
        "p 2;Martin;Paul;1950-01-01;M;;",
        "p-3;;Paul;1950-13-01;M;;",
        LINE.replace("p-1", "p-4"),
        "p-1;Martin;Paul;1950-01-01;M;;",
    )
    with pytest.raises(BadIdentityFile) as refused:
        identity_file.load(path, TODAY)
    told = str(refused.value).splitlines()[1:]
    assert [line.strip()[:28] for line in told] == [
        "line 3: `id` must be the pat",
        "line 4: `birth_name` is miss",
        "line 4: `birth_date` must be",
        "line 5: `ins` is that of lin",
        "line 6: `id` is that of line",
    ]
    assert not any(value in str(refused.value) for value in ("Martin", "Paul", "1950", "p 2", INS))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "Durand;Anne;1969-05-31\n", "line 1 must name the columns"),
        ("a.csv", "", "line 1 must name the columns"),
        ("a.csv", f"{HEADER}\np-1;Durand\n", "line 2 has 2 cells, not 7"),
        ("a.csv", f'{HEADER}\n"p-1"x;Durand', "not CSV, at line 2"),
        ("a.toml", "id = Durand", "not TOML, at line 1"),
        ("a.toml", "id = " + "1" * 5000, "not TOML, at its end"),
        ("a.toml", "id = " + "[" * 5000, "not TOML, at its end"),
        ("a.toml", 'Durand = "Anne"', "must have"),
        ("a.toml", 'identities = ["Durand"]', "identities[1]: `id` must be"),
    ],
)
def test_a_file_that_is_none_is_one_clear_sentence(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(BadIdentityFile) as refused:
        identity_file.load(file(tmp_path, text, name=name), TODAY)
    assert said in str(refused.value)
    assert "Durand" not in str(refused.value)
