"""What a site has of its own: its settings, without the addresses that we gave out ourselves."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.errors import LocalError
from deploy.local.state import RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.local.state import State

PREFIX, FILE = "VIGIE_", "_FILE"
# They say where things are on this machine, and are decided anew at each start.
PLACES = frozenset({"VIGIE_STATE", "VIGIE_OPT", "VIGIE_PYTHON", "VIGIE_STARTED_BY"})
# The passphrase of the authority is for the commands that sign, the vault key for those that show
# who a patient is: no server or process is given them.
SECRETS = ("VIGIE_AUTHORITY_KEY", "VIGIE_VAULT_KEY")
LOCAL = PLACES.union(SECRETS, (secret + FILE for secret in SECRETS))
# Relative paths would mean something else in the folder where processes run.
PATHS = frozenset({"VIGIE_RECORDINGS", "VIGIE_SETTINGS", "VIGIE_AUTHORITY", "VIGIE_MQTT_FOLDER"})


def has(own: Mapping[str, str], setting: str) -> bool:
    """Whether the site sets this itself, as a value or by the `_FILE` twin for secrets."""
    return bool(own.get(setting) or own.get(setting + FILE))


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Collect the site's VIGIE_* settings: of the environment, then those of `vigie.toml`.

    Empty ones count as not set. Raises LocalError for a file that is not TOML.
    """
    named = {
        key: str(Path(value).resolve()) if key in PATHS or key.endswith(FILE) else value
        for key, value in environment.items()
        if key.startswith(PREFIX) and key not in LOCAL and value
    }
    path = Path(environment.get("VIGIE_SETTINGS") or "vigie.toml")
    if path.is_file():
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LocalError(f"{path}: not TOML: {error}") from None
        for key, value in content.items():
            setting = PREFIX + key.upper()
            if setting in LOCAL or has(named, setting):
                continue
            if isinstance(value, str) and value:
                named[setting] = value
    return named


def own(state: State, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the site's settings, less what stands in the `env` file of this or a sourced state.

    A shell that has sourced `.vigie/env` may so call `make up` again: the addresses in it are of
    servers which we started, not of the site's.
    """
    given = [state.record.addresses]
    other = Path(environment.get("VIGIE_STATE") or state.folder) / RECORD
    if other.parent.resolve() != state.folder and other.is_file():
        given.append(json.loads(other.read_text(encoding="utf-8")).get("addresses", {}))
    return {
        key: value
        for key, value in settings(environment).items()
        if not any(value in addresses.get(key, ()) for addresses in given)
    }


def own_servers(state: State, known: set[str]) -> dict[str, str]:
    """Give of the site's settings those that name servers, by value or by file."""
    found = own(state, os.environ)
    return {key: value for key, value in found.items() if key.removesuffix(FILE) in known}
