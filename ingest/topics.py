"""The MQTT topics of version 1, as a gateway subscribes to them."""

from __future__ import annotations

from ingest import broker, presence

PREFIX = "vigie/v1/"
KINDS = ("readings", "fhir", "omh", "gatt", "raw/+")
# All gateways of one broker share these: each message goes to one of them.
MESSAGES = tuple(f"{PREFIX}+/{kind}" for kind in KINDS)
SHARED = tuple(f"$share/gateway/{topic}" for topic in MESSAGES)
# Every gateway hears these; it works without them, and then shows no presence or queue.
HEARD = (presence.TOPIC, *broker.TOPICS)
