"""Simulated patients and their devices, made known to a running Vigie before they send."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulators.series import Bed

# Before every recording, however far it is shifted into the past.
ASSIGNED_FROM = "2000-01-01T00:00:00Z"


def registry_file(beds: Iterable[Bed]) -> str:
    """Write the beds in the form in which sites import their registry (TOML).

    Identifiers hold only letters, digits, dots and dashes, so that nothing needs escaping.
    """
    return "\n".join(_entry(bed) for bed in beds)


def register(beds: Iterable[Bed]) -> None:
    """Import the beds with the command an operator would use. Raises SettingError when it fails."""
    with tempfile.TemporaryDirectory(prefix="vigie-simulate-") as folder:
        file = Path(folder) / "registry.toml"
        file.write_text(registry_file(beds), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 (our own command, our own file)
            [sys.executable, "-m", "vigie", "registry", "import", str(file)],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise SettingError(f"the simulated patients could not be registered: {said}")


def _entry(bed: Bed) -> str:
    ens = f'ens = "{bed.ens}"\n' if bed.ens else ""
    return (
        f'[[patients]]\nid = "{bed.patient}"\nprofile = "{bed.profile}"\n'
        f'physician = "{bed.physician}"\n{ens}'
        f'[[devices]]\nid = "{bed.device}"\nmodel = "{bed.model}"\n'
        f'assignments = [{{ patient = "{bed.patient}", from = "{ASSIGNED_FROM}" }}]\n'
    )
