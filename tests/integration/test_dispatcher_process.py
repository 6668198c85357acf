"""The dispatcher as a process: killed, scraped, stopped."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from alerts.process import publish
from ingest.codec import encode
from ingest.kafka import ensure_topics
from ingest.registry.entities import Patient, Profile, Purpose, key
from ingest.registry.follower import Follower
from ingest.settings import Settings
from tests.integration.telling import SENDER, Telling, end_leases, story, until
from tests.unit.alerts.stories import MARKED_PATIENT
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.servers


# The process.


@pytest.fixture
def start(telling: Telling) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Hand out what starts a dispatcher process; all are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []
    log = (telling.folder / "dispatcher.log").open("wb")

    def begin() -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "VIGIE_DATABASE": telling.database,
            "VIGIE_SMTP": telling.smtp,
            "VIGIE_SENDER": SENDER,
            "VIGIE_ENS": telling.url,
            "VIGIE_KAFKA": "127.0.0.1:9",
        }
        command = [sys.executable, "-c", "from alerts.cli import app; app()", "--metrics-port", "0"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
    log.close()


def _metrics(telling: Telling) -> httpx.Client:
    told = re.findall(rb"port\W+(\d+)", (telling.folder / "dispatcher.log").read_bytes())
    return httpx.Client(base_url=f"http://127.0.0.1:{int(told[-1])}", trust_env=False)


def test_a_dispatcher_killed_before_it_could_write_is_made_good_recognisably(
    telling: Telling, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    telling.mailbox.mailbox.temper.delay_seconds = 600
    first = start()
    telling.tell(story(), ens=None)
    wait_until(telling.mails, "the mail kept, and not yet answered")
    first.kill()
    first.wait()
    telling.mailbox.mailbox.temper.delay_seconds = 0
    end_leases(telling)
    start()
    wait_until(telling.settled, "the mail settled")
    assert telling.journal() == [("mail", "sent", None)]
    ids = [mail.message_id for mail in telling.mails()]
    assert len(ids) == 2
    assert len(set(ids)) == 1


FIGURES = (
    'vigie_alerts_open{priority="high"} 1.0',
    'vigie_deliveries_total{channel="mail",state="sent"} 1.0',
    'vigie_deliveries_withheld_total{channel="ens"} 0.0',
    'vigie_deliveries_total{channel="ens",state="rejected"} 0.0',
    'vigie_deliveries_due{channel="mail"} 0.0',
    'vigie_delivery_seconds_count{channel="mail"} 1.0',
    "vigie_outbox_waiting 1.0",
    "vigie_outbox_relayed_total 0.0",
)


def test_the_process_shows_its_figures_and_ends_well_when_told(
    telling: Telling, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start()
    telling.tell(story(), ens=None)
    wait_until(telling.settled, "the mail settled")
    with _metrics(telling) as http:
        wait_until(lambda: http.get("/healthz").status_code == 200, "healthy")

        def missing() -> list[str]:
            shown = http.get("/metrics").text
            return [figure for figure in FIGURES if figure not in shown]

        wait_until(lambda: not missing(), "the figures")
        shown = http.get("/metrics").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    told = (telling.folder / "dispatcher.log").read_text() + shown
    assert MARKED_PATIENT not in told
    assert "cardio@" not in told


def test_without_kafka_mails_go_out_and_nothing_is_shared_that_was_not_agreed_to(
    telling: Telling, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Kafka is away from the start: who agrees to what stands in the registry's tables."""
    telling.agree(f"{MARKED_PATIENT}-0", Purpose.COLLECT, Purpose.MONITOR)
    start()
    telling.tell(story())
    wait_until(telling.settled, "both settled")
    assert telling.journal() == [("ens", "rejected", "no consent"), ("mail", "sent", None)]


async def test_a_registry_change_whose_own_process_died_is_published(
    telling: Telling, kafka: str
) -> None:
    """It was committed, and nobody else would publish it before the next change."""
    await ensure_topics(kafka)
    changed = Patient(f"p-{uuid.uuid4().hex[:8]}", profile=Profile.ICU)
    record = (key(changed), encode(changed))
    with psycopg.connect(telling.database) as connection:
        connection.execute(
            "INSERT INTO internal.registry_outbox (key, value) VALUES (%s, %s)", record
        )
    follower = Follower(kafka)
    settings = Settings(database=telling.database, kafka=kafka)
    tasks = [asyncio.create_task(follower.run()), asyncio.create_task(publish(settings))]
    await until(lambda: follower.registry.newest(changed.id) == changed, "the change is published")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
