"""What each kind of server must be able to do; one file per kind keeps this contract."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.local.install import Software
    from deploy.local.programs import Program
    from deploy.local.state import State


class Server(Protocol):
    """A server of the line: Mosquitto, Kafka, TimescaleDB, Prometheus or Alertmanager.

    `settings` names the VIGIE_* settings that tell of it: when the user has set the first of them,
    the server is the site's own and is not started.
    """

    name: str
    settings: tuple[str, ...]

    def programs(self, state: State, software: Software) -> list[Program]:
        """Write what the server needs into the state folder, and say how it is started.

        Called only while the server does not run: it chooses ports.
        """
        ...

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether the server does its work now, not only that its port is open."""
        ...

    def environment(self, state: State) -> Mapping[str, str]:
        """Give the settings with which Vigie finds the server."""
        ...


def answers(port: int, sent: bytes, starts_with: bytes, seconds: float = 2.0) -> bool:
    """Whether a server on loopback answers these bytes with an answer that begins like that."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as link:
            link.sendall(sent)
            got = b""
            while len(got) < len(starts_with):
                more = link.recv(64)
                if not more:
                    return False
                got += more
    except OSError:
        return False
    return got.startswith(starts_with)
