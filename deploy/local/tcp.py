"""Small talk with servers on this machine, to see whether they answer."""

from __future__ import annotations

import socket
import struct

from deploy.local.ports import LOOPBACK

TIMEOUT_SECONDS = 2.0


def exchange(port: int, request: bytes, *, length_prefix: bool) -> bytes:
    """Send `request` and give the answer: 4 bytes, or what a 4-byte length announces.

    Raises
    ------
    OSError
        When nothing listens, or it closes or falls silent before a whole answer.
    """
    with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(request)
        start = _exactly(connection, 4)
        return _exactly(connection, struct.unpack(">I", start)[0]) if length_prefix else start


def _exactly(connection: socket.socket, length: int) -> bytes:
    answer = b""
    while len(answer) < length:
        part = connection.recv(length - len(answer))
        if not part:
            raise ConnectionError("The server closed the connection.")
        answer += part
    return answer
