"""What the simulators count, for the dashboard."""

from __future__ import annotations

from prometheus_client import Counter

MESSAGES = Counter(
    "vigie_simulated_messages_total",
    "Messages that simulated devices have published, repeats not counted.",
)
RECEIPTS = Counter(
    "vigie_simulated_receipts_total",
    "Messages of simulated devices that a receipt has named safe.",
)
