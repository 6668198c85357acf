"""Dispatcher and relay on a real TimescaleDB, with live receiving ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from structlog.testing import capture_logs

from alerts.channels import fhir
from alerts.channels.ens import Ens
from alerts.channels.mail import Mail
from alerts.delivery import deliveries
from alerts.dispatcher import Dispatcher
from alerts.events import AlertEvent, Channel, Phase
from alerts.journal import Journal, JournalUnavailable
from alerts.relay import Relay
from detectors.findings import Priority
from ingest import kafka as log
from ingest.codec import encode
from ingest.ports import SystemClock
from ingest.readings import Vital
from ingest.registry import Patient
from simulators import ens as ens_end
from simulators import ens_rules
from simulators import mailbox as mail_end
from streams import migrations
from tests.unit.alerts.stories import MARKED_PATIENT, event, finding, reading
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from alerts.channels.port import Channel as Port
    from alerts.delivery import Due
    from ingest.ports import Sink

pytestmark = pytest.mark.servers

SENDER = "vigie@hopital.mssante.example"
SPACE = fhir.Space(
    "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/", "1.2", "2.25.17"
)


class Line:
    """A migrated database, a mailbox and an e-health space of one test."""

    def __init__(self, database: str, folder: Path) -> None:
        migrations.migrate(database, {})
        self.database, self.folder, self.topic = database, folder, "alerts"
        self.space = ens_end.Space()
        self.ens = ens_end.serve(self.space, "http://127.0.0.1:0/fhir")
        self.mailbox = mail_end.serve(folder / "mailbox", "smtp://127.0.0.1:0")
        self.smtp = f"smtp://127.0.0.1:{self.mailbox.port}"
        self.url = f"http://127.0.0.1:{self.ens.port}/fhir"

    def close(self) -> None:
        self.ens.close()
        self.mailbox.close()

    def tell(self, told: AlertEvent, *, ens: str | None = "idpe-17") -> None:
        """Commit an alert event with its deliveries and its outbox record, as the worker does."""
        patient = Patient(told.patient, physician="cardio@hopital.mssante.example", ens=ens)
        alert = (told.alert, told.patient, told.finding.rule, told.kind, told.priority, told.state)
        step = (told.alert, told.number, told.time, told.phase, told.state, told.priority)
        with psycopg.connect(self.database) as connection:
            connection.execute(
                "INSERT INTO internal.alert VALUES (%s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (*alert, told.started),
            )
            connection.execute(
                "INSERT INTO internal.alert_event VALUES (%s, %s, %s, %s, %s, %s, %s::text::jsonb)",
                (*step, encode(told.finding).decode()),
            )
            for one in deliveries(told, patient, "on-call@x.example"):
                measure = encode(one.measure).decode() if one.measure else None
                connection.execute(
                    "INSERT INTO internal.delivery (id, alert, number, channel, recipient, measure)"
                    " VALUES (%s, %s, %s, %s, %s, %s::text::jsonb)",
                    (one.id, one.alert, one.number, one.channel, one.recipient, measure),
                )
            connection.execute(
                "INSERT INTO internal.outbox (topic, key, value) VALUES (%s, %s, %s)",
                (self.topic, told.patient.encode(), encode(told)),
            )
            connection.execute("NOTIFY vigie_due")
            connection.execute("NOTIFY vigie_outbox")

    def journal(self) -> list[tuple[str, str, str | None]]:
        """List (channel, state, reason) of all deliveries."""
        return self.rows("SELECT channel, state, reason FROM deliveries ORDER BY channel, id")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def do(self, statement: str) -> None:
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(statement.encode())

    def mails(self) -> list[mail_end.Mail]:
        return list(mail_end.mails(self.folder / "mailbox"))

    def settled(self) -> bool:
        return all(state != "queued" for _, state, _ in self.journal())

    @asynccontextmanager
    async def dispatching(
        self, sink: Sink | None = None, mail: Port | None = None
    ) -> AsyncIterator[Dispatcher]:
        """Run a dispatcher, and a relay where there is a sink, as the process does."""
        journal = Journal(self.database)
        mail = mail or Mail(self.smtp, SENDER, SystemClock())
        channels: list[Port] = [mail, Ens(self.url, "", SPACE)]
        dispatcher = Dispatcher(journal, channels, SystemClock())
        await journal.open()
        work = [asyncio.create_task(journal.listen(dispatcher.wake, lambda: None))]
        if sink is not None:
            work.append(asyncio.create_task(Relay(journal, lambda: _open(sink)).run()))
        running = asyncio.create_task(dispatcher.run())
        try:
            yield dispatcher
        finally:
            dispatcher.stop()
            await running
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            for channel in channels:
                await channel.close()
            await journal.close()


@pytest.fixture
def line(database: str, tmp_path: Path) -> Iterator[Line]:
    """Hand out a line with nothing on it."""
    made = Line(database, tmp_path)
    yield made
    made.close()


async def until(holds: Callable[[], object], what: str) -> None:
    """Wait for something without stopping the loop."""
    await asyncio.to_thread(wait_until, holds, what)


def story(whose: int = 0, **rest: Any) -> AlertEvent:
    """Build an alert of one of many patients, on a saturation."""
    found = finding(reading(Vital.SPO2, 88.0, low=96, device=f"dev-{whose}"))
    return event(found, patient=f"{MARKED_PATIENT}-{whose}", **rest)


async def test_an_alert_becomes_one_mail_and_one_measure(line: Line) -> None:
    async with line.dispatching():
        line.tell(story())
        await until(line.settled, "both deliveries settled")
    assert line.journal() == [("ens", "accepted", None), ("mail", "sent", None)]
    (mail,) = line.mails()
    ((name,),) = line.rows("SELECT id FROM deliveries WHERE channel = 'mail'")
    assert mail.message_id == f"<{name}@hopital.mssante.example>"
    assert f"patient {MARKED_PATIENT}-0 (pseudonyme)" in mail.text
    assert len(line.space.accepted) == 1
    assert line.space.repeats == {}


async def test_what_was_due_before_the_dispatcher_came_is_delivered(line: Line) -> None:
    line.tell(story())
    async with line.dispatching():
        await until(line.settled, "both deliveries settled")
    assert len(line.mails()) == 1


async def test_a_mail_server_that_is_away_gets_the_mail_when_it_is_back(line: Line) -> None:
    line.mailbox.close()
    async with line.dispatching():
        line.tell(story())
        tries = "SELECT attempts FROM internal.delivery WHERE channel = 'mail' AND attempts >= 2"
        await until(lambda: line.rows(tries), "two attempts")
        ens, mail = line.journal()
        assert ens == ("ens", "accepted", None)  # the other channel was not delayed
        assert mail == ("mail", "queued", "connection")
        line.mailbox = mail_end.serve(line.folder / "mailbox", line.smtp)
        await until(line.settled, "the mail sent")
    ((name,),) = line.rows("SELECT id FROM deliveries WHERE channel = 'mail' AND state = 'sent'")
    assert [mail.message_id for mail in line.mails()] == [f"<{name}@hopital.mssante.example>"]


async def test_a_server_that_puts_off_is_tried_again(line: Line) -> None:
    line.mailbox.mailbox.temper.recipient = "451 later"
    async with line.dispatching():
        line.tell(story(), ens=None)
        await until(lambda: line.journal() == [("mail", "queued", "smtp 451")], "a first attempt")
        line.mailbox.mailbox.temper.recipient = None
        await until(line.settled, "the mail sent")
    assert len(line.mails()) == 1


async def test_a_measure_that_the_space_refuses_is_not_tried_again_and_harms_no_other(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, posts = ens_rules.check, []

    def strict(bundle: Any) -> list[ens_rules.Issue]:
        posts.append(bundle)
        issue = ens_rules.Issue("value", "Observation", "as told")
        return [issue] if "|dev-1" in json.dumps(bundle) else judge(bundle)

    monkeypatch.setattr(ens_rules, "check", strict)
    async with line.dispatching():
        for number in range(3):
            line.tell(story(number))
        await until(line.settled, "all deliveries settled")
    found = sorted(entry for entry in line.journal() if entry[0] == "ens")
    assert sorted(state for _, state, _ in found) == ["accepted", "accepted", "rejected"]
    assert [reason for _, state, reason in found if state == "rejected"] == ["http 422"]
    assert len(posts) == 3
    assert len(line.mails()) == 3


async def test_a_channel_that_never_answers_is_cut_off_and_tried_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.dispatcher.SEND_SECONDS", 0.2)
    line.mailbox.mailbox.temper.delay_seconds = 600
    async with line.dispatching():
        line.tell(story(), ens=None)
        await until(lambda: line.journal() == [("mail", "queued", "timeout")], "put back")
        line.mailbox.mailbox.temper.delay_seconds = 0
        await until(line.settled, "the mail sent")
    assert len({mail.message_id for mail in line.mails()}) == 1


class Broken(Mail):
    """A channel with a fault of ours, whose error quotes the patient."""

    async def send(self, due: Due) -> None:
        """Fail as no channel should."""
        raise ValueError(due.event.patient)


async def test_a_fault_of_ours_is_tried_again_and_told_without_the_patient(line: Line) -> None:
    with capture_logs() as logs:
        async with line.dispatching(mail=Broken(line.smtp, SENDER, SystemClock())):
            line.tell(story())
            await until(lambda: line.journal()[0][1] == "accepted", "the measure accepted")
            await until(lambda: line.journal()[1][2], "the mail put back")
    assert line.journal()[1] == ("mail", "queued", "ValueError")
    assert any("ValueError at dispatcher.py" in str(entry) for entry in logs)
    assert MARKED_PATIENT not in str(logs)


async def test_two_dispatchers_do_not_send_twice(line: Line) -> None:
    for number in range(60):
        line.tell(story(number))
    async with line.dispatching(), line.dispatching():
        await until(line.settled, "all deliveries settled")
    ids = [mail.message_id for mail in line.mails()]
    assert len(ids) == len(set(ids)) == 60
    assert len(line.space.accepted) == 60
    assert line.space.repeats == {}


async def test_a_database_that_was_away_is_met_again(line: Line) -> None:
    async with line.dispatching():
        line.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'vigie-dispatcher'"
        )
        line.tell(story())
        await until(line.settled, "both deliveries settled")
    assert len(line.mails()) == 1


async def test_a_journal_without_a_database_says_so_without_the_password() -> None:
    journal = Journal("postgresql://vigie:geheim@127.0.0.1:9/vigie")
    await journal.open()
    try:
        with pytest.raises(JournalUnavailable) as raised:
            await journal.claim(Channel.MAIL, 1)
    finally:
        await journal.close()
    assert raised.value.retryable
    assert "geheim" not in str(raised.value)


async def test_at_the_end_what_could_not_be_sent_is_given_back_at_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.dispatcher.GRACE_SECONDS", 0.1)
    line.mailbox.mailbox.temper.delay_seconds = 600
    line.tell(story(), ens=None)
    async with line.dispatching():
        await until(line.mails, "the mail kept, and not yet answered")
    found = line.rows("SELECT state, leased_until, attempts FROM internal.delivery")
    assert found == [("queued", None, 0)]


async def test_a_delivery_that_cannot_be_read_fails_and_stops_no_other(line: Line) -> None:
    line.tell(story(0), ens=None)
    line.do("UPDATE internal.alert_event SET finding = '{}'")
    line.tell(story(1), ens=None)
    async with line.dispatching():
        await until(line.settled, "both deliveries settled")
    assert sorted(line.journal()) == [("mail", "failed", "unreadable"), ("mail", "sent", None)]


async def test_a_claim_is_nobody_elses_until_its_lease_ends(line: Line) -> None:
    journal = Journal(line.database)
    await journal.open()
    try:
        line.tell(story(), ens=None)
        (first,) = await journal.claim(Channel.MAIL, 10)
        assert await journal.claim(Channel.MAIL, 10) == []
        assert await journal.claim(Channel.ENS, 10) == []
        _end_leases(line)
        (second,) = await journal.claim(Channel.MAIL, 10)
        assert second.delivery == first.delivery
        assert (first.attempts, second.attempts) == (1, 2)
        # The first one's lease is gone: it can give nothing back, yet a success stays a success.
        await journal.put_back(first, timedelta(hours=1), "late")
        await journal.release(first)
        assert line.rows("SELECT attempts, reason FROM internal.delivery") == [(2, None)]
        await journal.settle(first, Mail.settled)
        await journal.settle(second, Ens.settled, "too late")
    finally:
        await journal.close()
    assert line.journal() == [("mail", "sent", None)]


async def test_the_figures_are_those_of_the_database(line: Line) -> None:
    line.tell(story(0))
    line.tell(story(1, priority=Priority.MEDIUM), ens=None)
    line.do("UPDATE internal.alert SET ended = now() WHERE priority = 'medium'")
    journal = Journal(line.database)
    await journal.open()
    counts = await journal.counts()
    await journal.close()
    assert counts.alerts == {Priority.HIGH: 1, Priority.MEDIUM: 0, Priority.LOW: 0}
    assert counts.due == {Channel.MAIL: 2, Channel.ENS: 1}
    assert counts.outbox == 2


# The relay, into a log in memory.


class Memory:
    """A log that keeps records, and can fail from a record on."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.records: list[tuple[str, bytes | None, bytes | None]] = []
        self.fail_at = fail_at

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        key: bytes | None = None,
    ) -> asyncio.Future[object]:
        """Keep the record, or let its future fail."""
        assert partition is None
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.fail_at is not None and len(self.records) >= self.fail_at:
            self.fail_at = None
            future.set_exception(OSError("as the client's library says it"))
        else:
            self.records.append((topic, key, value))
            future.set_result(None)
        return future

    def steps(self) -> list[tuple[str, int]]:
        """List patient and number of the alert events, in order."""
        found = [msgspec.json.decode(v or b"", type=AlertEvent) for _, _, v in self.records]
        return [(one.patient, one.number) for one in found]


@asynccontextmanager
async def _open(sink: Sink) -> AsyncIterator[Sink]:
    yield sink


def _steps(line: Line, *numbers: int) -> None:
    for number in numbers:
        phase = Phase.START if number == 1 else Phase.CONTINUE
        line.tell(story(7, number=number, phase=phase))


STEPS = [(f"{MARKED_PATIENT}-7", number) for number in range(1, 7)]


async def test_alert_events_are_relayed_in_order_and_forgotten(line: Line) -> None:
    sink = Memory()
    _steps(line, 1, 2, 3)
    async with line.dispatching(sink):
        _steps(line, 4, 5, 6)
        await until(lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert sink.steps() == STEPS
    assert {(topic, key) for topic, key, _ in sink.records} == {
        ("alerts", f"{MARKED_PATIENT}-7".encode())
    }


async def test_a_restarted_relay_goes_on_where_the_log_had_stopped(line: Line) -> None:
    failing = Memory(fail_at=2)
    _steps(line, 1, 2, 3, 4, 5, 6)
    async with line.dispatching(failing):
        await until(lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert len({*failing.steps()}) == 6
    # What came again after the failure came in order, from the failed one on.
    assert failing.steps()[-4:] == STEPS[2:]


async def test_of_two_relays_one_works_and_the_other_takes_over(line: Line) -> None:
    first, second = Memory(), Memory()
    async with line.dispatching(second):
        async with line.dispatching(first):
            _steps(line, 1, 2, 3)
            await until(
                lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty"
            )
        _steps(line, 4, 5, 6)
        await until(lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert sorted(first.steps() + second.steps()) == STEPS


async def test_kafka_gets_alert_events_in_order_and_a_repeat_is_recognisable(
    line: Line, kafka: str
) -> None:
    line.topic = f"alerts-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(line.topic, 1, 1)])
    await admin.close()
    _steps(line, 1, 2, 3)
    kept = "CREATE TABLE kept AS SELECT topic, key, value FROM internal.outbox"
    line.do(kept)
    async with log.producing(kafka) as producer, line.dispatching(producer):
        await until(lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    # As after a crash between Kafka's acknowledgement and the deletion.
    line.do("INSERT INTO internal.outbox (topic, key, value) SELECT * FROM kept")
    _steps(line, 4, 5, 6)
    async with log.producing(kafka) as producer, line.dispatching(producer):
        await until(lambda: line.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    found: list[tuple[str, int]] = []
    async with log.reading(kafka, line.topic) as reader, asyncio.timeout(60):
        while len(found) < 9:
            for record in await reader.take():
                assert record.key == f"{MARKED_PATIENT}-7".encode()
                told = msgspec.json.decode(record.value or b"", type=AlertEvent)
                found.append((told.patient, told.number))
    assert found == STEPS[:3] + STEPS


# The process.


@pytest.fixture
def start(line: Line) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Hand out what starts a dispatcher process; all are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []
    log = (line.folder / "dispatcher.log").open("wb")

    def begin() -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "VIGIE_DATABASE": line.database,
            "VIGIE_SMTP": line.smtp,
            "VIGIE_SENDER": SENDER,
            "VIGIE_ENS": line.url,
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


def _end_leases(line: Line) -> None:
    """Let thirty seconds pass, as the database sees it."""
    line.do("UPDATE internal.delivery SET leased_until = now() WHERE leased_until IS NOT NULL")


def _metrics(line: Line) -> httpx.Client:
    told = re.findall(rb"port\W+(\d+)", (line.folder / "dispatcher.log").read_bytes())
    return httpx.Client(base_url=f"http://127.0.0.1:{int(told[-1])}", trust_env=False)


def test_a_dispatcher_killed_before_it_could_write_is_made_good_recognisably(
    line: Line, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    line.mailbox.mailbox.temper.delay_seconds = 600
    first = start()
    line.tell(story())
    wait_until(line.mails, "the mail kept, and not yet answered")
    first.kill()
    first.wait()
    line.mailbox.mailbox.temper.delay_seconds = 0
    _end_leases(line)
    start()
    wait_until(line.settled, "both deliveries settled")
    assert line.journal() == [("ens", "accepted", None), ("mail", "sent", None)]
    ids = [mail.message_id for mail in line.mails()]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert len(line.space.accepted) == 1


FIGURES = (
    'vigie_alerts_open{priority="high"} 1.0',
    'vigie_deliveries_total{channel="mail",state="sent"} 1.0',
    'vigie_deliveries_total{channel="ens",state="accepted"} 1.0',
    'vigie_deliveries_total{channel="ens",state="rejected"} 0.0',
    'vigie_deliveries_due{channel="mail"} 0.0',
    'vigie_delivery_seconds_count{channel="mail"} 1.0',
    "vigie_outbox_waiting 1.0",
    "vigie_outbox_relayed_total 0.0",
)


def test_the_process_shows_its_figures_and_ends_well_when_told(
    line: Line, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    process = start()
    line.tell(story())
    wait_until(line.settled, "both deliveries settled")
    with _metrics(line) as http:
        wait_until(lambda: http.get("/healthz").status_code == 200, "healthy")

        def missing() -> list[str]:
            shown = http.get("/metrics").text
            return [figure for figure in FIGURES if figure not in shown]

        wait_until(lambda: not missing(), "the figures")
        shown = http.get("/metrics").text
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    told = (line.folder / "dispatcher.log").read_text() + shown
    assert MARKED_PATIENT not in told
    assert "cardio@" not in told
