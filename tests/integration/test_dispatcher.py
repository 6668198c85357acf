"""Deliveries on a real TimescaleDB, handed to live receiving ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from alerts.channels.ens import Ens
from alerts.channels.mail import Mail
from alerts.events import Channel
from alerts.journal import Journal, JournalUnavailable
from detectors.findings import Priority
from ingest.ports import SystemClock
from simulators import ens_rules
from simulators import mailbox as mail_end
from tests.integration.telling import SENDER, Telling, end_leases, story, until
from tests.unit.alerts.stories import MARKED_PATIENT

if TYPE_CHECKING:
    from alerts.delivery import Due

pytestmark = pytest.mark.servers


async def test_an_alert_becomes_one_mail_and_one_measure(telling: Telling) -> None:
    async with telling.dispatching():
        telling.tell(story())
        await until(telling.settled, "both deliveries settled")
    assert telling.journal() == [("ens", "accepted", None), ("mail", "sent", None)]
    (mail,) = telling.mails()
    ((name,),) = telling.rows("SELECT id FROM deliveries WHERE channel = 'mail'")
    assert mail.message_id == f"<{name}@hopital.mssante.example>"
    assert f"patient {MARKED_PATIENT}-0 (pseudonyme)" in mail.text
    assert len(telling.space.accepted) == 1
    assert telling.space.repeats == {}


async def test_what_was_due_before_the_dispatcher_came_is_delivered(telling: Telling) -> None:
    telling.tell(story())
    async with telling.dispatching():
        await until(telling.settled, "both deliveries settled")
    assert len(telling.mails()) == 1


async def test_a_mail_server_that_is_away_gets_the_mail_when_it_is_back(telling: Telling) -> None:
    telling.mailbox.close()
    async with telling.dispatching():
        telling.tell(story())
        tries = "SELECT attempts FROM internal.delivery WHERE channel = 'mail' AND attempts >= 2"
        await until(lambda: telling.rows(tries), "two attempts")
        ens, mail = telling.journal()
        assert ens == ("ens", "accepted", None)  # the other channel was not delayed
        assert mail == ("mail", "queued", "connection")
        telling.mailbox = mail_end.serve(telling.folder / "mailbox", telling.smtp)
        await until(telling.settled, "the mail sent")
    ((name,),) = telling.rows("SELECT id FROM deliveries WHERE channel = 'mail' AND state = 'sent'")
    assert [mail.message_id for mail in telling.mails()] == [f"<{name}@hopital.mssante.example>"]


async def test_a_server_that_puts_off_is_tried_again(telling: Telling) -> None:
    telling.mailbox.mailbox.temper.recipient = "451 later"
    async with telling.dispatching():
        telling.tell(story(), ens=None)
        await until(
            lambda: telling.journal() == [("mail", "queued", "smtp 451")], "a first attempt"
        )
        telling.mailbox.mailbox.temper.recipient = None
        await until(telling.settled, "the mail sent")
    assert len(telling.mails()) == 1


async def test_a_measure_that_the_space_refuses_is_not_tried_again_and_harms_no_other(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, posts = ens_rules.check, []

    def strict(bundle: Any) -> list[ens_rules.Issue]:
        posts.append(bundle)
        issue = ens_rules.Issue("value", "Observation", "as told")
        return [issue] if "|dev-1" in json.dumps(bundle) else judge(bundle)

    monkeypatch.setattr(ens_rules, "check", strict)
    async with telling.dispatching():
        for number in range(3):
            telling.tell(story(number))
        await until(telling.settled, "all deliveries settled")
    found = sorted(entry for entry in telling.journal() if entry[0] == "ens")
    assert sorted(state for _, state, _ in found) == ["accepted", "accepted", "rejected"]
    assert [reason for _, state, reason in found if state == "rejected"] == ["http 422"]
    assert len(posts) == 3
    assert len(telling.mails()) == 3


async def test_a_channel_that_never_answers_is_cut_off_and_tried_again(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.dispatcher.SEND_SECONDS", 0.2)
    telling.mailbox.mailbox.temper.delay_seconds = 600
    async with telling.dispatching():
        telling.tell(story(), ens=None)
        await until(lambda: telling.journal() == [("mail", "queued", "timeout")], "put back")
        telling.mailbox.mailbox.temper.delay_seconds = 0
        await until(telling.settled, "the mail sent")
    assert len({mail.message_id for mail in telling.mails()}) == 1


class Broken(Mail):
    """A channel with a fault of ours, whose error quotes the patient."""

    async def send(self, due: Due) -> None:
        """Fail as no channel should."""
        raise ValueError(due.event.patient)


async def test_a_fault_of_ours_is_tried_again_and_told_without_the_patient(
    telling: Telling,
) -> None:
    with capture_logs() as logs:
        async with telling.dispatching(mail=Broken(telling.smtp, SENDER, SystemClock())):
            telling.tell(story())
            await until(lambda: telling.journal()[0][1] == "accepted", "the measure accepted")
            await until(lambda: telling.journal()[1][2], "the mail put back")
    assert telling.journal()[1] == ("mail", "queued", "ValueError")
    assert any("ValueError at dispatcher.py" in str(entry) for entry in logs)
    assert MARKED_PATIENT not in str(logs)


async def test_two_dispatchers_do_not_send_twice(telling: Telling) -> None:
    for number in range(60):
        telling.tell(story(number))
    async with telling.dispatching(), telling.dispatching():
        await until(telling.settled, "all deliveries settled")
    ids = [mail.message_id for mail in telling.mails()]
    assert len(ids) == len(set(ids)) == 60
    assert len(telling.space.accepted) == 60
    assert telling.space.repeats == {}


async def test_a_database_that_was_away_is_met_again(telling: Telling) -> None:
    async with telling.dispatching():
        telling.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'vigie-dispatcher'"
        )
        telling.tell(story())
        await until(telling.settled, "both deliveries settled")
    assert len(telling.mails()) == 1


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
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.dispatcher.GRACE_SECONDS", 0.1)
    telling.mailbox.mailbox.temper.delay_seconds = 600
    telling.tell(story(), ens=None)
    async with telling.dispatching():
        await until(telling.mails, "the mail kept, and not yet answered")
    found = telling.rows("SELECT state, leased_until, attempts FROM internal.delivery")
    assert found == [("queued", None, 0)]


async def test_a_delivery_that_cannot_be_read_fails_and_stops_no_other(telling: Telling) -> None:
    telling.tell(story(0), ens=None)
    telling.do("UPDATE internal.alert_event SET finding = '{}'")
    telling.tell(story(1), ens=None)
    async with telling.dispatching():
        await until(telling.settled, "both deliveries settled")
    assert sorted(telling.journal()) == [("mail", "failed", "unreadable"), ("mail", "sent", None)]


async def test_a_claim_is_nobody_elses_until_its_lease_ends(telling: Telling) -> None:
    journal = Journal(telling.database)
    await journal.open()
    try:
        telling.tell(story(), ens=None)
        (first,) = await journal.claim(Channel.MAIL, 10)
        assert await journal.claim(Channel.MAIL, 10) == []
        assert await journal.claim(Channel.ENS, 10) == []
        end_leases(telling)
        (second,) = await journal.claim(Channel.MAIL, 10)
        assert second.delivery == first.delivery
        assert (first.attempts, second.attempts) == (1, 2)
        # The first one's lease is gone: it can give nothing back, yet a success stays a success.
        await journal.put_back(first, timedelta(hours=1), "late")
        await journal.release(first)
        assert telling.rows("SELECT attempts, reason FROM internal.delivery") == [(2, None)]
        await journal.settle(first, Mail.settled)
        await journal.settle(second, Ens.settled, "too late")
    finally:
        await journal.close()
    assert telling.journal() == [("mail", "sent", None)]


async def test_the_figures_are_those_of_the_database(telling: Telling) -> None:
    telling.tell(story(0))
    telling.tell(story(1, priority=Priority.MEDIUM), ens=None)
    telling.do("UPDATE internal.alert SET ended = now() WHERE priority = 'medium'")
    journal = Journal(telling.database)
    await journal.open()
    counts = await journal.counts()
    await journal.close()
    assert counts.alerts == {Priority.HIGH: 1, Priority.MEDIUM: 0, Priority.LOW: 0}
    assert counts.due == {Channel.MAIL: 2, Channel.ENS: 1}
    assert counts.outbox == 2
