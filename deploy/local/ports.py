"""Which port a server listens on: its usual one, or a free one where that is taken."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

LOOPBACK = "127.0.0.1"

# Below Linux's range for outgoing connections (32768-60999, ip_local_port_range), so that no
# client's connection takes a port between our look and the server's bind.
FREE_RANGE = range(20_000, 32_000)
ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now.

    A port that only waits in TIME_WAIT counts as free, because every server here reuses those.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def choose(usual: int | None, *, taken: Collection[int] = ()) -> int:
    """Give `usual` when it is free, else any free port that is not in `taken`.

    Parameters
    ----------
    usual : int or None
        None asks for any free port, as the test-suite does to stay out of everybody's way.
    taken : collection of int
        Ports that were already promised to servers which do not listen yet.

    Raises
    ------
    OSError
        When a thousand ports were tried and none is free.
    """
    if usual is not None and usual not in taken and is_free(usual):
        return usual
    chance = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = chance.choice(FREE_RANGE)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"No free port between {FREE_RANGE.start} and {FREE_RANGE.stop}.")
