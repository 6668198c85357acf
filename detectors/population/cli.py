"""The command that fits the model of what is usual for others to recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("train-population")
def train_population(
    table: Annotated[
        Path, typer.Argument(help="CSV or Parquet: patient,time,vital,value.", dir_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="The model's file.")] = Path("population-1.json"),
    data: Annotated[
        str | None, typer.Option(help="What the recordings are. [default: the table's name]")
    ] = None,
) -> None:
    """Fit what is usual for others, and how their vitals go together (the detector `population`).

    The same table gives the same file. A new one takes the next version and the place of the file
    in detectors/models, for its meaning is part of each alert that follows from it.

    Example: vigie train-population stays.parquet --out population-2.json
    """
    from rich.console import Console

    from detectors.population.fitting import fit_file
    from ingest.ports import SettingError

    if not table.is_file():
        raise SettingError(f"{table}: there is no such file")
    if not out.absolute().parent.is_dir():
        raise SettingError(f"{out}: there is no folder of that name")
    console = Console(stderr=True)
    fit_file(table, out, lambda said: console.print(said, markup=False, highlight=False), data)
