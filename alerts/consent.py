"""The last door: nothing is sent of a patient that the patient does not agree to now.

A delivery is queued when its alert starts, and may wait for hours: consent is asked for again when
it is claimed, from the registry's tables, which are the truth and need no Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alerts.events import Channel
from ingest.registry.entities import Purpose

if TYPE_CHECKING:
    from alerts.delivery import Due

# The reason that the journal of deliveries shows.
NO_CONSENT = "no consent"

# A mail to the physician is what being watched comes to; of what may not be kept nothing is sent.
NEEDED = {
    Channel.MAIL: frozenset({Purpose.COLLECT, Purpose.MONITOR}),
    Channel.ENS: frozenset({Purpose.COLLECT, Purpose.SHARE}),
}


def withheld(due: Due) -> bool:
    """Whether the delivery must not be sent, now or later.

    Of a patient whom the tables do not know nobody can have withdrawn anything: what the worker
    knew when it queued the delivery stands.
    """
    return due.consents is not None and not due.consents >= NEEDED[due.delivery.channel]
