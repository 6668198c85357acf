"""The one request of Kafka's protocol that tells whether a cluster is ready, without a client."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from deploy.local import tcp

METADATA, VERSION = 3, 1


@dataclass(frozen=True, slots=True)
class Cluster:
    """What one broker says about its cluster.

    `brokers` are the node ids that serve clients now; `controller` is -1 while there is none.
    """

    brokers: frozenset[int]
    controller: int


def request() -> bytes:
    """Encode a Metadata request (version 1) that asks for no topic."""
    client = b"vigie-servers"
    body = struct.pack(">hhih", METADATA, VERSION, 1, len(client)) + client + struct.pack(">i", 0)
    return struct.pack(">i", len(body)) + body


def decode(answer: bytes) -> Cluster:
    """Decode the start of a Metadata response (version 1), without its length.

    Raises
    ------
    ConnectionError
        When the bytes are something else.
    """
    try:
        _, count = struct.unpack_from(">ii", answer)
        at, brokers = 8, set()
        for _ in range(count):
            node, host = struct.unpack_from(">ih", answer, at)
            at += 6 + host + 4
            (rack,) = struct.unpack_from(">h", answer, at)
            at += 2 + max(0, rack)
            brokers.add(node)
        (controller,) = struct.unpack_from(">i", answer, at)
    except struct.error as error:
        raise ConnectionError("This is not a Kafka broker.") from error
    return Cluster(frozenset(brokers), controller)


def describe(port: int) -> Cluster:
    """Ask the broker on `port`. Raises OSError when it does not answer."""
    return decode(tcp.exchange(port, request(), length_prefix=True))
