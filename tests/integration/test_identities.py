"""Sealed identities in the real database: nothing of a person is in it in the clear."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from ingest import kafka
from ingest.vault import identities, identity
from ingest.vault.identity import Identity, Ins, Sex
from ingest.vault.sealing import SealBroken, Vault, WrongVaultKey, new_key
from streams import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers

INS = Ins("269054958815780", identity.TEST)
ANNE = Identity("Durand-Zzyx", ("Anne", "Zoé"), date(1969, 5, 31), Sex.FEMALE, ins=INS)
PAUL = Identity("Martin-Qqvw", ("Paul",), date(1950, 1, 2), Sex.MALE)

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    migrations.migrate(database, {kafka.READINGS: 1})
    with psycopg.connect(database, autocommit=True) as made:
        yield made


@pytest.fixture
def vault() -> Vault:
    return Vault(new_key())


def test_what_was_kept_is_read_again_and_the_second_time_nothing_changes(
    connection: Connection, vault: Vault
) -> None:
    people = {"p-1": ANNE, "p-2": PAUL}
    assert identities.put(connection, vault, people) == (2, 0, 0)
    assert identities.put(connection, vault, people) == (0, 0, 2)
    assert identities.get(connection, vault, "p-1") == ANNE
    assert identities.get(connection, vault, "p-3") is None


def test_no_trait_is_in_the_table_in_the_clear(connection: Connection, vault: Vault) -> None:
    identities.put(connection, vault, {"p-1": ANNE})
    ((row,),) = connection.execute("SELECT i::text FROM internal.identity i").fetchall()
    for trait in ("Durand", "Anne", "1969", INS.matricule):
        assert trait not in row
        assert trait.encode().hex() not in row


def test_an_ins_is_found_by_its_blind_index_alone(connection: Connection, vault: Vault) -> None:
    identities.put(connection, vault, {"p-1": ANNE, "p-2": PAUL})
    real = Ins(INS.matricule, identity.NIR)
    assert identities.owners(connection, vault, {"it": INS, "other": real}) == {"it": "p-1"}


def test_the_database_itself_refuses_one_ins_for_two_patients(
    connection: Connection, vault: Vault
) -> None:
    identities.put(connection, vault, {"p-1": ANNE})
    with pytest.raises(psycopg.errors.UniqueViolation):
        identities.put(connection, vault, {"p-2": ANNE})


def test_swapped_rows_do_not_open(connection: Connection, vault: Vault) -> None:
    identities.put(connection, vault, {"p-1": ANNE, "p-2": PAUL})
    connection.execute(
        "UPDATE internal.identity SET patient = translate(patient, '12', '31');"
        "UPDATE internal.identity SET patient = 'p-2' WHERE patient = 'p-3'"
    )
    for patient in ("p-1", "p-2"):
        with pytest.raises(SealBroken):
            identities.get(connection, vault, patient)


def test_under_another_vault_key_nothing_is_read_and_nothing_is_added(
    connection: Connection, vault: Vault
) -> None:
    identities.put(connection, vault, {"p-1": ANNE})
    other = Vault(new_key())
    with pytest.raises(WrongVaultKey, match="set that one"):
        identities.get(connection, other, "p-1")
    with pytest.raises(WrongVaultKey):
        identities.put(connection, other, {"p-2": PAUL})
    assert connection.execute("SELECT patient FROM internal.identity").fetchall() == [("p-1",)]


def test_after_rekey_the_new_key_reads_all_and_the_old_one_nothing(
    connection: Connection, vault: Vault
) -> None:
    identities.put(connection, vault, {"p-1": ANNE, "p-2": PAUL})
    mark = identities.marks(connection, vault).proof("p-0")
    new = Vault(new_key())
    assert identities.rekey(connection, new, vault) == 2
    assert identities.rekey(connection, new, vault) == 2, "safe to repeat"
    assert identities.get(connection, new, "p-1") == ANNE
    assert identities.owners(connection, new, {"it": INS}) == {"it": "p-1"}
    assert identities.marks(connection, new).proof("p-0") == mark, "proofs stay good"
    with pytest.raises(WrongVaultKey):
        identities.get(connection, vault, "p-1")
    with pytest.raises(WrongVaultKey):
        identities.rekey(connection, Vault(new_key()), Vault(new_key()))


def test_what_was_removed_is_gone(connection: Connection, vault: Vault) -> None:
    identities.put(connection, vault, {"p-1": ANNE})
    assert identities.remove(connection, "p-1")
    assert not identities.remove(connection, "p-1")
    assert identities.get(connection, vault, "p-1") is None
