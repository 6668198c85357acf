"""Real servers for the whole session, in a throwaway state folder of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.servers import Servers


@pytest.fixture(scope="session")
def line_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Mosquitto, Kafka, TimescaleDB, Alertmanager and Prometheus, installed if missing."""
    started = servers.start(
        tmp_path_factory.mktemp("servers"),
        throwaway=True,
        say=lambda text: print(f"servers: {text}", flush=True),  # noqa: T201 (progress)
    )
    yield started
    started.stop()
