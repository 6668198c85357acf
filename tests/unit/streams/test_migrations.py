"""The schema's files: in order, without a gap, and known again by their text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.errors import SchemaMismatch
from streams.migrations import migrations

if TYPE_CHECKING:
    from pathlib import Path


def test_the_files_of_this_version_are_numbered_from_one() -> None:
    found = migrations()
    assert [m.number for m in found] == list(range(1, len(found) + 1))
    assert found[0].name == "0001_line.sql"


@pytest.mark.parametrize("name", ["0003_later.sql", "0001_again.sql", "notes.sql"])
def test_a_file_out_of_order_is_refused(tmp_path: Path, name: str) -> None:
    for known in ("0001_first.sql", name):
        (tmp_path / known).write_text("SELECT 1")
    with pytest.raises(SchemaMismatch):
        migrations(tmp_path)


def test_a_changed_text_has_another_checksum(tmp_path: Path) -> None:
    path = tmp_path / "0001_first.sql"
    path.write_text("SELECT 1")
    before = migrations(tmp_path)[0].checksum
    path.write_text("SELECT 2")
    assert migrations(tmp_path)[0].checksum != before
