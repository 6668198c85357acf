"""What every format promises: bytes of one message in, instants and named refusals out.

One file per format. A format knows nothing of who wears the device or whether it may publish.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 (msgspec reads annotations at run time)
from typing import TYPE_CHECKING, Protocol

import msgspec

from ingest.codec import Refused
from ingest.readings import Instant, Refusal

if TYPE_CHECKING:
    from datetime import datetime

# The largest message that is taken, in bytes.
MESSAGE_BYTES = 256 * 1024
# Refusals that are listed of one message: one for each of the most elements that it may have. A
# message can hold ten times as many faults, and would keep the others waiting for each of them.
REFUSALS = 10_000


class Decoded(msgspec.Struct, gc=False):
    """What a message came to: instants to keep, and what was refused of it, with its place.

    `seq` is the device's number of the message, `id` its own name of it in formats without numbers
    (the `id` of a FHIR resource, the header's `id` of Open mHealth); the receipt names whichever
    there is, and with neither there can be none. `places` says of each instant where it stood: the
    index of Vigie's own `readings`, or a path such as `entry[3].resource`.
    """

    seq: int | None
    instants: list[Instant]
    refused: list[Refused]
    places: Sequence[int | str] = ()
    id: str | None = None


def limited(refused: list[Refused]) -> None:
    """Cut a list of refusals to what is listed; the last then says where the list ends."""
    if len(refused) > REFUSALS:
        refused[REFUSALS:] = [Refused(Refusal.TOO_MANY, refused[REFUSALS].at)]


class Decode(Protocol):
    """A format's one function, called in the gateway's loop for each message."""

    def __call__(self, payload: bytes, device: str, received: datetime) -> Decoded:
        """Read a message of this device, received at `received` (UTC).

        Never raises, whatever the bytes are, and takes time in proportion to them. Every value
        that the message tells ends either in an instant or in a refusal that names its place.
        """
        ...
