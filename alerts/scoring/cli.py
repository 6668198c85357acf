"""The command of this folder: score a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ingest.registry.entities import Patient

app = typer.Typer()


class BadRowsAre(StrEnum):
    """What becomes of a bad row."""

    SKIP = "skip"
    FAIL = "fail"


class Language(StrEnum):
    """The language of the explanations."""

    EN = "en"
    FR = "fr"


@app.command()
def score(  # noqa: PLR0917 (options, which have no order)
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV (.csv, .csv.gz) or .parquet: patient,time,vital,value[,device,unit].",
            metavar="TABLE",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The scores: .csv, .csv.gz or .parquet.")],
    profile: Annotated[
        str, typer.Option(help="icu, ward, home-heart, home-respiratory or wearable.")
    ] = "ward",
    validity: Annotated[
        str, typer.Option(help="Hours that NEWS2 carries a value forward, or `unlimited`.")
    ] = "",
    generic: Annotated[
        bool, typer.Option("--generic", help="Score series that Vigie does not know, too.")
    ] = False,
    bad_rows: Annotated[
        BadRowsAre, typer.Option(help="Leave bad rows out and count them, or stop at the first.")
    ] = BadRowsAre.SKIP,
    language: Annotated[Language, typer.Option(help="Of the explanations.")] = Language.EN,
    registry: Annotated[
        Path | None, typer.Option(help="A registry file (TOML) with settings of these patients.")
    ] = None,
    live: Annotated[
        int, typer.Option(min=1, help="Patients in memory at once; changes no figure.")
    ] = 1000,
) -> None:
    """Score a table of readings by the code that watches patients; one row per patient and time.

    Times are ISO 8601 in UTC; a patient's rows must be in order of time, patients in any order. An
    unknown figure is an empty cell. Rows with the vital `age` (years) or `pregnant` (0 or 1) are
    about the patient.

    Example: vigie score ward.csv --out scores.csv

    Example: vigie score stays.parquet --out scores.parquet --profile icu --validity unlimited
    """
    from rich.console import Console

    from alerts.scoring import profiles, screen, tables, writing
    from alerts.scoring.rows import BadRows
    from alerts.scoring.run import Scoring, score_rows
    from detectors.profiles.loading import in_force
    from ingest import settings

    how = Scoring(
        profile=profiles.named(profile),
        validity_hours=profiles.validity(validity) if validity else None,
        generic=generic,
        language=language.value,
        patients=_patients(registry),
        live=live,
        watched=in_force(Path(own) if (own := settings.load().profiles) else None),
    )
    errors, bad = Console(stderr=True), BadRows(fatal=bad_rows is BadRowsAre.FAIL)
    source = tables.table(table)
    if out.exists() and out.samefile(table):
        raise tables.BadFile(f"{out}: is the table itself")
    count = 0
    with writing.sheet(out, profiles.questions(how.watched[how.profile])) as sheet:
        for row in score_rows(screen.followed(source, errors), how, bad):
            sheet.add(row)
            count += 1
    for line in screen.summary(bad):
        errors.print(line, markup=False, highlight=False, soft_wrap=True)
    rows = "1 row" if count == 1 else f"{count} rows"
    errors.print(f"{out}: {rows}", markup=False, highlight=False, soft_wrap=True)


def _patients(registry: Path | None) -> dict[str, Patient]:
    """Read patients' settings from a registry file; whatever else it has is not asked."""
    if registry is None:
        return {}
    from ingest.registry.entities import Patient
    from ingest.registry.files import toml_file

    entities = toml_file.read(registry)
    return {one.id: one for one in entities if isinstance(one, Patient)}
