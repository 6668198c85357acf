"""Commands of the registry: files in and out, and what stands in it."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest import settings

if TYPE_CHECKING:
    from ingest.registry.entities import Device, Entity
    from ingest.registry.office import Told


def line(text: str | None) -> str | None:
    """Refuse an option that says nothing, as a usage error."""
    if text is not None and not (text.strip() and text.isprintable()):
        raise typer.BadParameter("must be a line of text")
    return text


app = typer.Typer(
    help="Patients, devices, who wears which, and who agreed to what.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
By = Annotated[
    str,
    typer.Option(
        default_factory=getpass.getuser,
        callback=line,
        show_default="your account",
        help="Who asks for it; for the audit log.",
    ),
]


class Kind(StrEnum):
    """What `list` can be narrowed to."""

    PATIENTS = "patients"
    DEVICES = "devices"
    MODELS = "models"


class Form(StrEnum):
    """What a registry file can be."""

    TOML = "toml"
    CSV = "csv"


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A registry file: TOML, or a table (.csv).")],
    by: By,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say what would come of it.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Import the good entries of a file with faults.")
    ] = False,
) -> None:
    """Take a registry file into the running system; returns when every gateway knows it.

    Nothing is imported from a file with a fault, unless asked for; each fault is told with its
    place, and the exit code is 1. What the file does not name stays as it is: other entries, and
    the fields that an entry leaves out. A new patient without a word of consents has the usual ones
    (collect, monitor, share), recorded as vouched for by the site.

    Example: vigie registry import ward.toml
    """
    from ingest.registry.files import importing
    from ingest.registry.files.draft import BadRegistryFile

    in_force, console = settings.load(), Console(markup=False)
    if check:
        report = importing.check(in_force, file)
        typer.echo(f"{report.entries} entries fit, {report.changed} of them new or changed")
        if report.faults:
            raise BadRegistryFile(file, report.faults, "these entries do not fit")
        return
    report, told, late = importing.run(in_force, file, by=by, keep_going=keep_going)
    console.print(
        f"{report.entries} entries, {told.changed} new or changed: revision {told.revision}"
    )
    if late is not None:
        raise late
    tell_gateways(told)
    if report.faults:
        raise BadRegistryFile(file, report.faults, "these entries were not imported")


@app.command()
def export(
    *,
    form: Annotated[Form, typer.Option("--format", help="TOML, or a table.")] = Form.TOML,
    out: Annotated[Path | None, typer.Option(help="A file; else it is printed.")] = None,
) -> None:
    """Write the whole registry in the form in which it is imported; consents as they hold now.

    A table has patients and devices; models of the health store are in TOML only.

    Example: vigie registry export --format csv --out ward.csv
    """
    from ingest.ports import SettingError
    from ingest.registry import office
    from ingest.registry.entities import Model
    from ingest.registry.files import sheet, toml_file

    found = list(office.everything(settings.load()).values())
    if form is Form.CSV:
        found = [one for one in found if not isinstance(one, Model)]
    text = toml_file.write(found) if form is Form.TOML else sheet.write(found)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingError(f"{out} cannot be written: {error.strerror}") from None
    typer.echo(f"{len(found)} entries written to {out}")


@app.command("list")
def list_entries(
    kind: Annotated[Kind | None, typer.Argument(help="Only these.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List models, patients (by pseudonym), and devices with who wears them now.

    Example: vigie registry list devices --json
    """
    from ingest.registry import office
    from ingest.registry.entities import kind as kind_of

    entities = sorted(
        (
            one
            for one in office.everything(settings.load()).values()
            if kind is None or kind == f"{kind_of(one)}s"
        ),
        key=lambda one: (kind_of(one), one.id),
    )
    if as_json:
        typer.echo(msgspec.json.encode(entities).decode())
        return
    table = Table("kind", "id", "profile or model", "worn by, consents, or formats")
    for one in entities:
        table.add_row(kind_of(one), one.id, *_summary(one))
    Console(markup=False).print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A patient's pseudonym, or a device.")],
    *,
    as_json: Json = False,
) -> None:
    """Show all of a patient's settings and devices, or of a device and its wearers.

    Example: vigie registry show p-0042
    """
    from ingest.registry import office
    from ingest.registry.entities import Device
    from ingest.registry.store import NotInRegistry

    known = office.everything(settings.load())
    keys = [f"{kind}:{name}".encode() for kind in ("patient", "device", "model")]
    entities = [known[key] for key in keys if key in known]
    if not entities:
        raise NotInRegistry(f"`{name}` is neither patient nor device nor model in the registry")
    worn = [
        one
        for one in known.values()
        if isinstance(one, Device) and name in {a.patient for a in one.assignments}
    ]
    if as_json:
        typer.echo(msgspec.json.encode([*entities, *worn]).decode())
        return
    from ingest.registry.files import toml_file

    typer.echo(toml_file.write(entities), nl=False)
    if worn:
        typer.echo("\n# wears, or wore:\n" + toml_file.write(worn), nl=False)


@app.command()
def adopt(by: By) -> None:
    """Take into the tables what stands in the topic only, as an earlier Vigie has left it.

    What the tables have already stays as it is there. An entry that does not fit, such as a device
    of a model that the health store does not list, is told and left out.

    Example: vigie registry adopt
    """
    from ingest.registry import adopting
    from ingest.registry.files.draft import BadRegistryFile

    in_force = settings.load()
    told, faults = adopting.run(in_force, by=by)
    typer.echo(f"{told.changed} entries adopted: revision {told.revision}")
    if faults:
        raise BadRegistryFile(Path("vigie.registry"), faults, "these were left out")


@app.command()
def publish(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole registry, for a log that was lost.")
    ] = False,
) -> None:
    """Publish what waits for Kafka since a change that was cut short; safe at any time.

    Example: vigie registry publish --all
    """
    import asyncio

    from ingest.registry import database, store
    from ingest.registry import publish as publication

    in_force = settings.load()
    if everything:
        with database.transaction(in_force.database, change=True) as connection:
            store.enqueue(connection, store.in_order(store.read(connection).values()))
    count = asyncio.run(publication.publish_pending(in_force.database, in_force.kafka))
    typer.echo(f"{count} records published")


def tell_gateways(told: Told) -> None:
    """Say where a change is in force."""
    if told.gateways:
        Console(markup=False).print(f"in force at {', '.join(told.gateways)}")
    else:
        Console().print("no gateway runs: it takes effect when one starts")


def _summary(one: Entity) -> tuple[str, str]:
    from ingest.registry.entities import Model, Patient

    if isinstance(one, Patient):
        return one.profile, ", ".join(one.consents) or "no consent"
    if isinstance(one, Model):
        return f"{one.maker}: {one.name}", ", ".join(one.formats)
    return one.model, _wearer(one)


def _wearer(device: Device) -> str:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    worn = next((one.patient for one in device.assignments if one.covers(now)), "nobody")
    return f"{worn} (revoked)" if device.revoked else worn
