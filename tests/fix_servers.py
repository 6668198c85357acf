"""Real servers for the whole session, in a throwaway state folder of their own."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.local import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.local.servers import Servers

# What a test run takes from its shell. Addresses are not among it: a shell that has sourced the
# `env` of a running `make up` must not lead the tests to patients of that one.
KEPT = frozenset({"VIGIE_RECORDINGS", "VIGIE_FHIR", "VIGIE_OPT"})


def pytest_configure() -> None:
    """Forget the settings of the shell, for the tests and for all that they start."""
    for name in [name for name in os.environ if name.startswith("VIGIE_") and name not in KEPT]:
        del os.environ[name]


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


@pytest.fixture(scope="session")
def kafka(line_servers: Servers) -> str:
    """Give the bootstrap address of the session's Kafka: tests use topics of their own."""
    return line_servers.environment["VIGIE_KAFKA"]


@pytest.fixture
def database(line_servers: Servers) -> Iterator[str]:
    """Make an empty database of the test's own."""
    server = line_servers.environment["VIGIE_DATABASE"]
    name = f"test_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
