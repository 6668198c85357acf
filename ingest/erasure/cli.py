"""`vigie registry erase`: erase a patient, and prove afterwards what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings
from ingest.registry.cli import By, Json

if TYPE_CHECKING:
    from ingest.erasure.traces import Left


def erase(
    patient: Annotated[str, typer.Argument(help="The patient's pseudonym.")],
    by: By,
    why: Annotated[
        str, typer.Option(help="Who asked for it, and when; kept for ever, so without a name.")
    ] = "",
    verify: Annotated[
        bool, typer.Option("--verify", help="Erase nothing: say where the pseudonym still stands.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a patient for ever; then search every table and topic, and say what is left.

    Exits with 1 when anything is left in the tables. Safe to repeat.

    Example: vigie registry erase p-0042 --why "asked for in writing on 2026-11-20"

    Example: vigie registry erase p-0042 --verify --json
    """
    from ingest.erasure import erase as work

    in_force, console = settings.load(), Console(stderr=as_json, markup=False)
    erased = None
    if not verify:
        if not (why.strip() and why.isprintable()):
            raise typer.BadParameter("say on whose request", param_hint="--why")
        if not yes and typer.prompt("Erased for ever. The pseudonym again") != patient:
            raise typer.BadParameter("not the same: nothing was erased")
        erased = work.erase(in_force, patient, by=by, why=why, said=console.print)
        console.print(
            f"{sum(erased.rows.values())} rows; {erased.proofs} acts of consent kept as proofs, "
            f"{erased.entries} entries of the audit log emptied; mark {erased.mark}"
        )
        if erased.devices:
            console.print(
                f"worn by the patient, now by nobody: {', '.join(erased.devices)}. What such a "
                "device still sends lies in vigie.rejected: take it back"
            )
    tables, topics = work.verify(in_force, patient)
    if as_json:
        told = {"erased": erased, "tables": tables, "topics": topics}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        _show(console, tables, topics)
    if tables:
        raise typer.Exit(1)


def _show(console: Console, tables: list[Left], topics: list[Left]) -> None:
    if not tables:
        console.print("no table names the patient")
    if not tables and not topics:
        console.print("no topic names the patient")
        return
    shown = Table("left in", "entries", "gone at the latest (UTC)")
    for left in tables:
        shown.add_row(left.where, str(left.count), "stays", style="red")
    for left in topics:
        until = "no end is set" if left.until is None else f"{left.until:%Y-%m-%d %H:%M}"
        shown.add_row(left.where, str(left.count), until)
    console.print(shown)
