"""Everything the dispatcher counts, in one place; each series is born at zero."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from alerts.events import Channel, DeliveryState
from detectors.findings import Priority

ALERTS_OPEN = Gauge("vigie_alerts_open", "Alerts whose cause has not ended yet.", ["priority"])
DELIVERIES = Counter(
    "vigie_deliveries_total",
    "Attempts at a delivery by how they ended; `queued` means put back to be tried again.",
    ["channel", "state"],
)
DUE = Gauge(
    "vigie_deliveries_due",
    "Deliveries that wait to be handed over, those tried in vain so far included.",
    ["channel"],
)
WITHHELD = Counter(
    "vigie_deliveries_withheld",
    "Deliveries that were settled unsent, as the patient does not agree to them any more.",
    ["channel"],
)
SECONDS = Histogram(
    "vigie_delivery_seconds",
    "From the moment the worker queued a delivery until it was settled.",
    ["channel"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400),
)
OUTBOX_WAITING = Gauge(
    "vigie_outbox_waiting", "Records in the database that Kafka has not acknowledged yet."
)
RELAYED = Counter("vigie_outbox_relayed", "Records that Kafka has acknowledged to the relay.")

# What a delivery can become here; delivered and read are for channels that report back.
OUTCOMES = (
    DeliveryState.QUEUED,
    DeliveryState.SENT,
    DeliveryState.ACCEPTED,
    DeliveryState.REJECTED,
    DeliveryState.FAILED,
)
for _priority in Priority:
    ALERTS_OPEN.labels(_priority)
for _channel in Channel:
    DUE.labels(_channel)
    SECONDS.labels(_channel)
    WITHHELD.labels(_channel)
    for _outcome in OUTCOMES:
        DELIVERIES.labels(_channel, _outcome)
