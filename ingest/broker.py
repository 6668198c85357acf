"""What the broker tells of itself on `$SYS`: a queue that fills is seen before it drops."""

from __future__ import annotations

from ingest import metrics

# Mosquitto publishes these every ten seconds; names differ between brokers, absent ones stay at 0.
STORED = "$SYS/broker/store/messages/count"
DROPPED = "$SYS/broker/publish/messages/dropped"
CLIENTS = "$SYS/broker/clients/connected"
TOPICS = (STORED, DROPPED, CLIENTS)
# More digits are no figure; Python would refuse to read thousands of them.
DIGITS = 18
_GAUGES = {
    STORED: metrics.BROKER_STORED,
    DROPPED: metrics.BROKER_DROPPED,
    CLIENTS: metrics.BROKER_CLIENTS,
}


def take(topic: str, payload: bytes) -> None:
    """Take in one of the broker's own figures; what is none is passed over."""
    gauge = _GAUGES.get(topic)
    if gauge is not None and payload.isdigit() and len(payload) <= DIGITS:
        gauge.set(int(payload))
