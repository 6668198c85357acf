"""Everything that the gateway counts. Labels are closed sets, born at zero."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from ingest.readings import Refusal

MESSAGES_RECEIVED = Counter(
    "vigie_gateway_messages_received_total", "Messages that came from the broker."
)
READINGS_ACCEPTED = Counter(
    "vigie_gateway_readings_accepted_total", "Values that were good and went on into the log."
)
REFUSED = Counter(
    "vigie_gateway_refused_total",
    "Refusals, of whole messages or of parts; each is also in vigie.rejected.",
    ["reason"],
)
for _reason in Refusal:
    REFUSED.labels(_reason.value)
MESSAGES_SAFE = Counter(
    "vigie_gateway_messages_safe_total", "Messages that Kafka has, with all that belongs to them."
)
UNACKNOWLEDGED = Gauge(
    "vigie_gateway_unacknowledged_messages", "Messages taken from the broker that Kafka has not."
)
CONNECTED = Gauge("vigie_gateway_connected", "1 while there is a session with the broker.")
PUBLISH_SECONDS = Histogram(
    "vigie_gateway_publish_seconds",
    "From the first message of a flush to Kafka's acknowledgement of all of it.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REGISTRY_REVISION = Gauge(
    "vigie_gateway_registry_revision", "The registry revision under which messages are accepted."
)
BACKFILLED = Counter(
    "vigie_gateway_readings_backfilled_total",
    "Values that went by the backfill lane: older than the live window, or above a quota.",
)
BREAKER = Gauge(
    "vigie_gateway_breaker",
    "0: messages are taken; 1: none are, nearly all were refused; 2: a few are taken, to see.",
)
FLOODING = Gauge(
    "vigie_gateway_flooding_devices", "Devices over their quota for a minute, and still sending."
)
WRONG_CLOCKS = Gauge(
    "vigie_gateway_wrong_clocks", "Devices whose clock is constantly wrong; the log names them."
)
DEVICES_CONNECTED = Gauge("vigie_devices_connected", "Devices that said they are there.")
DEVICES_LOST = Gauge(
    "vigie_devices_lost", "Devices whose connection broke and has not come back; no clean goodbye."
)
BROKER_STORED = Gauge(
    "vigie_broker_messages_stored", "Messages in the broker's store: retained ones and queues."
)
BROKER_DROPPED = Gauge(
    "vigie_broker_messages_dropped", "Messages that the broker dropped since it started."
)
BROKER_CLIENTS = Gauge("vigie_broker_clients_connected", "Clients connected to the broker.")
