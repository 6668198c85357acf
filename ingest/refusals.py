"""What was refused of messages: counted, kept in quarantine, and told of now and then."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import structlog

from ingest import metrics
from ingest.codec import Rejected
from ingest.formats.port import MESSAGE_BYTES

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.bundles import Flush
    from ingest.codec import Refused
    from ingest.door import Passed
    from ingest.readings import Refusal

log = structlog.get_logger()

# Kept whole in quarantine up to the largest message that is taken; of larger ones the beginning.
KEPT_BYTES = 64 * 1024
# Refusals listed in a quarantine record; the receipt names all of them.
LISTED = 500


class Refusals:
    """Puts refusals into quarantine, in the name of the gateway `by`."""

    def __init__(self, by: str) -> None:
        self._by = by
        self._untold: Counter[Refusal] = Counter()

    def keep(
        self, flush: Flush, topic: str, payload: bytes, received: datetime, passed: Passed
    ) -> None:
        """Lay what was refused of a message on its flush; of a secret one only the reasons."""
        refused = passed.refused
        # Once for each reason: one message can be refused in ten thousand places.
        reasons = Counter(one.reason for one in refused)
        for reason, count in reasons.items():
            metrics.REFUSED.labels(reason.value).inc(count)
        self._untold.update(reasons)
        if passed.secret:
            flush.untold.update(reasons)
            return
        size = len(payload)
        flush.rejected.append(
            Rejected(
                device=passed.device,
                topic=topic,
                refused=_listed(refused),
                time=received,
                by=self._by,
                size=size,
                payload=payload if size <= MESSAGE_BYTES else payload[:KEPT_BYTES],
                seq=passed.seq,
                more=max(0, len(refused) - LISTED),
            )
        )

    def tell(self) -> None:
        """Log how much was refused since the last time, and why: counts only."""
        untold, self._untold = self._untold, Counter()
        if untold:
            log.warning("refused", **{reason.value: count for reason, count in untold.items()})


def _listed(refused: list[Refused]) -> tuple[Refused, ...]:
    """Choose what a quarantine record lists: the first refusals, and at least one of each reason.

    It is looked for by its reasons.
    """
    listed = refused[:LISTED]
    if len(refused) > LISTED:
        first = {one.reason: one for one in reversed(refused)}
        missing = first.keys() - {one.reason for one in listed}
        if missing:
            listed[-len(missing) :] = sorted(
                (first[reason] for reason in missing), key=refused.index
            )
    return tuple(listed)
