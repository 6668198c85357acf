"""The two lanes of the log: what is watched as it comes, and what is only stored, in spare time."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.watch import Watch


@dataclass(frozen=True, slots=True)
class Lane:
    """How the records of one topic are applied.

    `name` labels its metrics. `watched`: detectors look at its readings, and alerts may start; a
    patient's watch is of this `kind`, which a site's own profiles change. A transaction holds at
    most `slice_bytes` of its log. It waits for a lock of another transaction for at most
    `lock_wait_ms`, and then begins again (0: for as long as it takes).
    """

    name: str
    watched: bool
    slice_bytes: int
    lock_wait_ms: int = 0
    kind: type[Watch] = Watch


# 1 MiB is about 25,000 readings, half a second of work.
LIVE = Lane("live", watched=True, slice_bytes=1 << 20)
# About 1,500 readings, some 30 ms: so long may a live reading of the same patient wait for it.
# Where both lanes wait for each other, the backfill lane gives way: PostgreSQL would look for the
# deadlock after a second only, and might end the live transaction.
BACKFILL = Lane("backfill", watched=False, slice_bytes=64 << 10, lock_wait_ms=200)
