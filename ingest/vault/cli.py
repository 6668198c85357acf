"""Commands of the vault: who patients are, kept apart from everything else and sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.registry.cli import By, Json, line

if TYPE_CHECKING:
    from ingest.vault.identity import Identity

app = typer.Typer(help="Who patients are, sealed under the vault key.", no_args_is_help=True)

Why = Annotated[str, typer.Option(callback=line, help="Why; for the audit log, so without a name.")]
Pseudonym = Annotated[str, typer.Argument(help="The patient's pseudonym.")]


@app.command("new-key")
def new_key() -> None:
    """Print a new vault key. Keep it outside the database, and a copy where no fire reaches both.

    Example: vigie identity new-key > /etc/vigie/vault.key
    """
    from ingest.vault import sealing

    typer.echo(sealing.new_key())


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or TOML: id, birth_name, given_names, ...")],
    by: By,
) -> None:
    """Take in who patients are. From a file with a fault nothing is taken; each bad line is told.

    The columns are id (the pseudonym, which the registry must have), birth_name, given_names,
    birth_date and sex, and where they are known name, birth_place, ins, ins_oid, mail and phone.

    Example: vigie identity import identities.csv --by "reception, M. Leroy"
    """
    from ingest.vault import desk

    kept = desk.take_in(settings.load(), file, by=by)
    Console().print(f"{kept.new} new, {kept.changed} changed, {kept.same} as they were")


@app.command("show")
def show(patient: Pseudonym, by: By, why: Why = "looked at", *, as_json: Json = False) -> None:
    """Show who a patient is. That you looked stands in the audit log before anything is shown.

    Example: vigie identity show p-0042 --why "call back after an alert"
    """
    from ingest.vault import desk

    person = desk.look_at(settings.load(), patient, by=by, why=why)
    if as_json:
        typer.echo(msgspec.json.encode(person).decode())
    else:
        Console(markup=False).print(_table(person))


@app.command("find")
def find(
    by: By,
    ins: Annotated[
        str,
        typer.Option(prompt="INS", help="Best left out: asked for, it is in no shell's history."),
    ],
    oid: Annotated[
        str, typer.Option(help="Whose number it is; the default is the NIR's OID.")
    ] = "",
    why: Why = "looked for an INS",
) -> None:
    """Find a patient's pseudonym by INS, without opening any identity. Exits with 1 for nobody.

    Example: vigie identity find
    """
    from ingest.vault import desk

    found = desk.find(settings.load(), ins, oid, by=by, why=why)
    if found is None:
        Console(stderr=True).print("no patient has this INS")
        raise typer.Exit(1)
    typer.echo(found)


@app.command("remove")
def remove(
    patient: Pseudonym,
    by: By,
    why: Why,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget who a patient is, for ever; everything else stays (see `vigie registry erase`).

    Example: vigie identity remove p-0042 --why "entered twice"
    """
    from ingest.vault import desk

    if not yes:
        typer.confirm("Nobody can read this identity again. Remove it?", abort=True)
    desk.remove(settings.load(), patient, by=by, why=why)
    Console().print("removed")


@app.command("rekey")
def rekey(
    by: By,
    old_key_file: Annotated[Path, typer.Option(help="File that holds the vault key until now.")],
    why: Why = "the vault key was renewed",
) -> None:
    """Put every identity under a new vault key, the one in VIGIE_VAULT_KEY; safe to repeat.

    Backups of the database made until now open with the old key only: once it is destroyed, the
    identities of patients who were erased since then cannot be read in them either.

    Example: VIGIE_VAULT_KEY_FILE=new.key vigie identity rekey --old-key-file old.key
    """
    from ingest.vault import desk

    count = desk.rekey(settings.load(), old_key_file, by=by, why=why)
    Console().print(f"{count} identities are under the new key; the old one opens nothing now")


def _table(person: Identity) -> Table:
    shown = Table("trait", "value", show_header=False)
    for trait, value in msgspec.to_builtins(person).items():
        if isinstance(value, dict):
            text = f"{value['matricule']} (OID {value['oid']})"
        else:
            text = " ".join(value) if isinstance(value, list | tuple) else str(value)
        shown.add_row(trait.replace("_", " "), text)
    return shown
