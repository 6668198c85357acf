"""Every format that a device may speak, by the last part of its topic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingest.formats import fhir, gatt, open_mhealth, template, vigie_json
from ingest.registry.entities import Format

if TYPE_CHECKING:
    from ingest.formats.port import Decode

# Templates that come with Vigie; a site's own of the same name takes the place of one of them.
SHIPPED = Path(__file__).parent / "templates"
RAW = f"{Format.RAW}/"


class Formats:
    """The formats of this site.

    `folder` holds the site's own templates (setting VIGIE_TEMPLATES); empty: only those that come
    with Vigie. Read once, here. Raises TemplateRefused when one of them is wrong.
    """

    def __init__(self, folder: str = "") -> None:
        self._own: dict[str, Decode] = {
            Format.VIGIE: vigie_json.decode,
            Format.FHIR: fhir.decode,
            Format.OPEN_MHEALTH: open_mhealth.decode,
            Format.GATT: gatt.decode,
        }
        self.templates = template.from_folder(SHIPPED)
        if folder:
            self.templates |= template.from_folder(Path(folder))

    def find(self, suffix: str) -> Decode | None:
        """Return what reads messages of a topic that ends so; None: nothing does.

        >>> Formats().find("raw/nobody's") is None
        True
        """
        if suffix.startswith(RAW):
            found = self.templates.get(suffix.removeprefix(RAW))
            return None if found is None else found.decode
        return self._own.get(suffix)

    def format_of(self, suffix: str) -> Format | None:
        """Name the format of a topic that ends so; None: it is no topic of ours.

        >>> Formats().format_of("raw/acme-patch"), Formats().format_of("receipts")
        (<Format.RAW: 'raw'>, None)
        """
        if suffix.startswith(RAW):
            return Format.RAW if suffix != RAW else None
        return Format(suffix) if suffix in self._own else None
