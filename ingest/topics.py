"""The MQTT topics of version 1, as a gateway subscribes to them."""

from __future__ import annotations

from hashlib import blake2s
from urllib.parse import unquote, urlsplit

from ingest import broker, presence

PREFIX = "vigie/v1/"
KINDS = ("readings", "fhir", "omh", "gatt", "raw/+")
# All gateways of one broker share these: each message goes to one of them.
MESSAGES = tuple(f"{PREFIX}+/{kind}" for kind in KINDS)
# Every gateway hears these; it works without them, and then shows no presence or queue.
HEARD = (presence.TOPIC, *broker.TOPICS)
# The group of gateways without a password, and of all in Vigie 0.1.
OPEN_GROUP = tuple(f"$share/gateway/{topic}" for topic in MESSAGES)


def shared(url: str) -> tuple[str, ...]:
    """Name the shared subscriptions of the gateways that reach the broker by `url` (VIGIE_MQTT).

    Mosquitto 2.0 lets a device subscribe to anything, and looks at its rights when it delivers: a
    device that joined the gateways' group would be given its turn of all messages, and each of
    those be lost. So the group's name follows from the gateways' password, which no device knows.
    Without a password it is the open one: then the broker itself must refuse such a subscription.

    >>> shared("mqtt://gateway:secret@127.0.0.1:1884")[0]
    '$share/gateway-b21ba9a31a455b4e/vigie/v1/+/readings'
    """
    password = urlsplit(url).password
    if not password:
        return OPEN_GROUP
    group = blake2s(unquote(password).encode(), digest_size=8, person=b"gateways").hexdigest()
    return tuple(f"$share/gateway-{group}/{topic}" for topic in MESSAGES)
