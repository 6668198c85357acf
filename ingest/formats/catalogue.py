"""Every format that a device may speak, by the last part of its topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.formats import vigie_json
from ingest.registry.entities import Format

if TYPE_CHECKING:
    from ingest.formats.port import Decode


class Formats:
    """The formats of this site."""

    def find(self, suffix: str) -> Decode | None:
        """Return what reads messages of a topic that ends so; None: nothing does."""
        return vigie_json.decode if suffix == Format.VIGIE else None

    def format_of(self, suffix: str) -> Format | None:
        """Name the format of a topic that ends so; None: it is no topic of ours."""
        return Format.VIGIE if suffix == Format.VIGIE else None
