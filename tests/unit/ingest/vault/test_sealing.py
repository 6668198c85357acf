"""What is sealed opens for its own patient under its own key, and for nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.ports import SettingError
from ingest.vault import sealing
from ingest.vault.sealing import SealBroken, Vault, VaultKeyMissing, new_key

KEY = new_key()
VAULT = Vault(KEY)
NAME = "Dupont"


@given(st.binary(), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_what_was_sealed_opens_again(clear: bytes, patient: str) -> None:
    wrapped = VAULT.new_data_key(patient)
    sealed = VAULT.seal(wrapped, patient, "identity", clear)
    assert Vault(KEY).open(wrapped, patient, "identity", sealed) == clear


def test_the_same_content_never_looks_the_same() -> None:
    wrapped = VAULT.new_data_key("p-1")
    seals = {VAULT.seal(wrapped, "p-1", "identity", b"x") for _ in range(100)}
    assert len(seals) == 100


def test_no_clear_text_is_in_a_seal() -> None:
    wrapped = VAULT.new_data_key("p-1")
    sealed = VAULT.seal(wrapped, "p-1", "identity", NAME.encode())
    assert NAME.encode() not in sealed + wrapped


@pytest.mark.parametrize(
    ("patient", "field"),
    [
        pytest.param("p-2", "identity", id="a row swapped with another patient's"),
        pytest.param("p-1", "contact", id="a field swapped with another"),
    ],
)
def test_a_seal_opens_in_no_other_place(patient: str, field: str) -> None:
    wrapped = VAULT.new_data_key("p-1")
    sealed = VAULT.seal(wrapped, "p-1", "identity", b"x")
    with pytest.raises(SealBroken):
        VAULT.open(wrapped, patient, field, sealed)


def test_a_sealed_content_opens_with_no_other_patients_key() -> None:
    one, two = VAULT.new_data_key("p-1"), VAULT.new_data_key("p-1")
    with pytest.raises(SealBroken):
        VAULT.open(two, "p-1", "identity", VAULT.seal(one, "p-1", "identity", b"x"))


@given(st.data())
def test_a_seal_of_which_one_bit_was_changed_does_not_open(data: st.DataObject) -> None:
    wrapped = VAULT.new_data_key("p-1")
    sealed = bytearray(VAULT.seal(wrapped, "p-1", "identity", b"who it is"))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(SealBroken):
        VAULT.open(wrapped, "p-1", "identity", bytes(sealed))


@given(st.binary(max_size=64))
def test_bytes_that_are_no_seal_end_in_one_clear_error(junk: bytes) -> None:
    wrapped = VAULT.new_data_key("p-1")
    for call in (
        lambda: VAULT.open(wrapped, "p-1", "identity", junk),
        lambda: VAULT.open(junk, "p-1", "identity", b""),
        lambda: VAULT.marks(junk),
    ):
        with pytest.raises(SealBroken):
            call()


def test_another_vault_key_opens_nothing_and_has_another_version() -> None:
    other = Vault(new_key())
    wrapped = VAULT.new_data_key("p-1")
    sealed = VAULT.seal(wrapped, "p-1", "identity", b"x")
    assert other.version != VAULT.version
    with pytest.raises(SealBroken):
        other.open(wrapped, "p-1", "identity", sealed)


def test_after_a_change_of_the_vault_key_the_new_one_opens_and_the_old_one_does_not() -> None:
    new = Vault(new_key())
    wrapped, root = VAULT.new_data_key("p-1"), VAULT.new_root()
    sealed = VAULT.seal(wrapped, "p-1", "identity", b"x")
    again = new.rewrap(wrapped, "p-1", VAULT)
    assert new.open(again, "p-1", "identity", sealed) == b"x"
    with pytest.raises(SealBroken):
        VAULT.open(again, "p-1", "identity", sealed)
    with pytest.raises(SealBroken):
        new.rewrap(wrapped, "p-2", VAULT)
    mark = VAULT.marks(root).proof("p-1")
    assert new.marks(new.rewrap_root(root, VAULT)).proof("p-1") == mark, "proofs stay good"


def test_marks_are_equal_for_equal_texts_of_one_site_only() -> None:
    ours, theirs = VAULT.marks(VAULT.new_root()), VAULT.marks(VAULT.new_root())
    assert ours.index("ins", "1") == ours.index("ins", "1") != ours.index("ins", "2")
    assert ours.index("ins", "1") != theirs.index("ins", "1")
    assert ours.index("patient", "p-1") != ours.proof("p-1"), "one key per use"


@pytest.mark.parametrize(
    "key", ["short", "AAAA", "é" * 44, KEY[:-4], KEY + "AAAA", "not base64 at all, whatever it is "]
)
def test_a_text_that_is_no_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(SettingError, match="must be 32 bytes in base64") as refused:
        Vault(key)
    assert key not in str(refused.value)


def test_without_a_key_the_error_says_where_one_comes_from() -> None:
    with pytest.raises(VaultKeyMissing, match="vigie identity new-key"):
        Vault("")


def test_a_vault_tells_its_key_to_nobody() -> None:
    assert KEY not in repr(VAULT)
    assert KEY not in str(vars(VAULT))
    assert KEY not in str(sealing.WrongVaultKey())
