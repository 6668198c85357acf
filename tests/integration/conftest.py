"""Fixtures that several integration modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def telling(database: str, tmp_path: Path) -> Iterator[Telling]:
    """Hand out a dispatcher's surroundings with nothing due."""
    made = Telling(database, tmp_path)
    yield made
    made.close()
