"""Everything the worker counts, in one place; each series is born at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from alerts.events import Phase
from detectors.findings import Priority
from ingest.readings import Refusal
from streams.lanes import BACKFILL, LIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from streams.batch import Work
    from streams.lanes import Lane
    from streams.transaction import Written

READINGS = Counter(
    "vigie_worker_readings_total",
    "Readings committed, by what became of them: a row (stored), a copy of a row that was there "
    "(duplicate), another value for it (conflict), or dropped for want of consent (no-consent).",
    ["outcome", "lane"],
)
BATCH_SECONDS = Histogram(
    "vigie_worker_batch_seconds",
    "Time from the first attempt to apply a batch to its commit, waiting for the database included",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
BATCH_RECORDS = Histogram(
    "vigie_worker_batch_records",
    "Records of the log (bundles and ticks) in one transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
LAG = Gauge(
    "vigie_worker_lag_records",
    "Records of the partition that are in Kafka and not applied yet.",
    ["partition"],
)
BACKFILL_LAG = Gauge(
    "vigie_worker_backfill_lag_records",
    "Records of the partition that are in the backfill lane and not stored yet.",
    ["partition"],
)
BACKFILL_LAST_COMMIT = Gauge(
    "vigie_worker_backfill_last_commit_timestamp_seconds",
    "When records of the backfill lane were last committed, Unix time; 0 before the first.",
)
LAST_COMMIT = Gauge(
    "vigie_worker_last_commit_timestamp_seconds",
    "When a batch was last committed, Unix time; 0 before the first.",
)
DEAD_LETTERS = Counter(
    "vigie_worker_dead_letters_total",
    "Records, or messages in them, that the worker put into quarantine.",
    ["reason"],
)
ALERT_EVENTS = Counter(
    "vigie_worker_alert_events_total", "Alert events committed.", ["phase", "priority"]
)
READING_AGE = Histogram(
    "vigie_worker_reading_age_seconds",
    "From reception at the gateway to commit, of the oldest message of each bundle.",
    buckets=(0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 5, 15, 60, 300, 3600),
)
PARTITIONS_ASSIGNED = Gauge(
    "vigie_worker_partitions_assigned", "Partitions of the log that this worker has now."
)
LOST = Counter(
    "vigie_worker_lost_records_total",
    "Records that Kafka's retention deleted before they were applied. Must be 0.",
)
STATES_UNREADABLE = Counter(
    "vigie_worker_states_unreadable_total",
    "Patients whose stored state could not be read: their watch started anew.",
)
TICKS_FAILED = Counter(
    "vigie_worker_ticks_failed_total",
    "Watches that failed when asked what is missing: our own fault, they are asked again later.",
)
DATABASE_UP = Gauge(
    "vigie_worker_database_up", "Whether the last attempt reached the database: 1 or 0."
)

OUTCOMES = ("stored", "duplicate", "conflict", "no-consent")
for _lane in (LIVE, BACKFILL):
    for _outcome in OUTCOMES:
        READINGS.labels(_outcome, _lane.name)
for _reason in (Refusal.UNDECODABLE, Refusal.DETECTOR_FAILED):
    DEAD_LETTERS.labels(_reason)
for _phase in Phase:
    for _priority in Priority:
        ALERT_EVENTS.labels(_phase, _priority)


def count(
    lane: Lane,
    works: Sequence[Work],
    written: Written | None,
    records: int,
    seconds: float,
    now: datetime,
) -> None:
    """Count a batch, after its commit only. `records` includes those that were skipped."""
    if lane.watched:
        BATCH_SECONDS.observe(seconds)
        BATCH_RECORDS.observe(records)
        LAST_COMMIT.set(now.timestamp())
    else:
        BACKFILL_LAST_COMMIT.set(now.timestamp())
    DATABASE_UP.set(1)
    if written is not None:
        READINGS.labels("stored", lane.name).inc(written.stored)
        READINGS.labels("duplicate", lane.name).inc(written.duplicate)
        READINGS.labels("conflict", lane.name).inc(written.conflict)
        READINGS.labels("no-consent", lane.name).inc(written.refused)
    for work in works:
        LOST.inc(work.lost)
        for rejected in work.rejected:
            DEAD_LETTERS.labels(rejected.refused[0].reason).inc()
        for event, _ in work.events:
            ALERT_EVENTS.labels(event.phase, event.priority).inc()
        for arrival in work.arrivals if lane.watched else ():
            READING_AGE.observe(max(0.0, (now - arrival).total_seconds()))
