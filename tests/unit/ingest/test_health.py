"""What a supervisor and Prometheus see of a process."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from ingest import health
from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def trouble() -> dict[str, str | None]:
    return {"broker": None}


@pytest.fixture
def watched(trouble: dict[str, str | None]) -> Iterator[health.Watched]:
    server = health.serve("127.0.0.1", 0, {"broker": lambda: trouble["broker"]})
    yield server
    server.close()


def test_a_healthy_process_answers_200_and_names_its_checks(watched: health.Watched) -> None:
    answer = httpx.get(f"http://127.0.0.1:{watched.port}/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"healthy": True, "checks": {"broker": "ok"}}


def test_a_failing_check_answers_503_with_its_words(
    watched: health.Watched, trouble: dict[str, str | None]
) -> None:
    trouble["broker"] = "not connected"
    answer = httpx.get(f"http://127.0.0.1:{watched.port}/healthz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"broker": "not connected"}


def test_metrics_are_served_beside_it(watched: health.Watched) -> None:
    assert (
        "process_start_time_seconds" in httpx.get(f"http://127.0.0.1:{watched.port}/metrics").text
    )


def test_a_taken_port_is_one_clear_sentence(watched: health.Watched) -> None:
    with pytest.raises(SettingError, match=f"127.0.0.1:{watched.port} cannot be listened on"):
        health.serve("127.0.0.1", watched.port, {})


def test_a_client_that_says_nothing_holds_up_nobody(watched: health.Watched) -> None:
    with socket.create_connection(("127.0.0.1", watched.port)):
        answer = httpx.get(f"http://127.0.0.1:{watched.port}/healthz", timeout=30)
    assert answer.status_code == 200
