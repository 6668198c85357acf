"""A registry file taken into the running system, with a report of each entry that does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.erasure import removal
from ingest.registry import database, office, store
from ingest.registry.consent import Basis
from ingest.registry.entities import Patient
from ingest.registry.files import sheet, toml_file
from ingest.registry.files.draft import BadRegistryFile

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.registry.database import Connection
    from ingest.registry.entities import Entity
    from ingest.registry.files.draft import Draft
    from ingest.registry.office import NotFollowed, Told
    from ingest.settings import Settings


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a file: how many entries fit, how many differ from what is there, and faults."""

    entries: int
    changed: int
    faults: list[str]


def parse(path: Path) -> Draft:
    """Read a registry file: a table if it is called `.csv`, else TOML. Raises BadRegistryFile."""
    return sheet.parse(path) if path.suffix.lower() == ".csv" else toml_file.parse(path)


def check(settings: Settings, path: Path) -> Report:
    """Say what an import would come to; changes nothing."""
    draft = parse(path)
    with database.transaction(settings.database) as connection:
        good, faults = sorted_out(connection, draft, settings.vault_key)
        changed = len(store.differing(connection, good))
    return Report(len(good), changed, faults)


def run(
    settings: Settings, path: Path, *, by: str, keep_going: bool
) -> tuple[Report, Told, NotFollowed | None]:
    """Import a file; a file with a fault only when `keep_going` says so, without its bad entries.

    Returns NotFollowed instead of raising it: the import is made all the same. Raises
    BadRegistryFile with every fault, and as `office.change` does.
    """
    draft = parse(path)
    report = Report(0, 0, [])

    def work(connection: Connection) -> int:
        nonlocal report
        good, faults = sorted_out(connection, draft, settings.vault_key)
        if faults and not keep_going:
            raise BadRegistryFile(path, faults)
        # A name of another encoding than ours has halves of characters, which no table can hold.
        name = path.name.encode(errors="replace").decode()
        why, basis = f"import of {name}", Basis(name)
        changed = store.change(connection, good, by=by, why=why, basis=basis)
        report = Report(len(good), changed, faults)
        return changed

    try:
        told, late = office.apply(settings, work), None
    except office.NotFollowed as error:
        told, late = error.told, error
    return report, told, late


def sorted_out(
    connection: Connection, draft: Draft, vault_key: str = ""
) -> tuple[list[Entity], list[str]]:
    """Take the entries that fit; one that is left out may take others with it.

    With the vault key a pseudonym of somebody who was erased is known, and given to nobody again.
    """
    named = [entry.entity.id for entry in draft.entries if isinstance(entry.entity, Patient)]
    erased = removal.erased(connection, vault_key, named)
    faults, entries = list(draft.faults), []
    for entry in draft.entries:
        if isinstance(entry.entity, Patient) and entry.entity.id in erased:
            faults.append(f"{entry.place}: `{entry.entity.id}` was erased: take another pseudonym")
        else:
            entries.append(entry)
    merged = store.merge(connection, [(entity, told) for _, entity, told in entries])
    kept = list(zip((entry.place for entry in entries), merged, strict=True))
    while True:
        bad = store.judge(connection, [entity for _, entity in kept])
        if not bad:
            return [entity for _, entity in kept], faults
        faults += [f"{kept[n][0]}: {fault}" for n, found in bad.items() for fault in found]
        kept = [entry for n, entry in enumerate(kept) if n not in bad]
