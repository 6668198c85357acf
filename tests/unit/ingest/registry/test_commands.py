"""Every command of the registry tells an operator how to call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from ingest.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands() -> Iterator[tuple[str, str]]:
    """Walk the commands below `vigie registry` and `vigie audit`: name and help."""
    root = typer.main.get_command(app)

    def walk(command: object, path: str) -> Iterator[tuple[str, str]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield path, str(getattr(command, "help", ""))
            return
        for name, one in below.items():
            yield from walk(one, f"{path} {name}".strip())

    for path, text in walk(root, ""):
        if path.startswith(("registry ", "audit ")):
            yield path, text


def test_there_are_commands_to_look_at() -> None:
    assert len([*commands()]) > 15


@pytest.mark.parametrize(("path", "text"), list(commands()), ids=lambda one: str(one)[:30])
def test_a_command_has_an_example_of_itself(path: str, text: str) -> None:
    assert f"Example: vigie {path}" in text.replace("VIGIE_VAULT_KEY_FILE=vault.key ", "")
