"""What each kind of server must be able to do; one file per kind keeps this contract."""

from __future__ import annotations

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
