"""What can be wrong with an enrolment, a certificate, or the authority itself."""

from __future__ import annotations

from ingest.ports import VigieError

PLACES = 10


class AuthorityMissing(VigieError):
    """There is no authority in the folder yet, or no longer; nothing can be signed."""


class AuthorityUnusable(VigieError):
    """The authority's files cannot be used: a wrong passphrase, a damaged file, or its end."""


class EnrolmentRefused(VigieError):
    """What was asked for a device is wrong. Nothing was issued; the text says what would be right.

    With several faults, of a file of devices, each stands on a line of its own.
    """

    def __init__(self, faults: list[str] | str) -> None:
        if isinstance(faults, str):
            super().__init__(faults)
            return
        shown = faults[:PLACES]
        if len(faults) > PLACES:
            shown.append(f"and {len(faults) - PLACES} more")
        super().__init__("\n  ".join(["nothing was enrolled:", *shown]))
