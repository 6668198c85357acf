"""The two receiving ends as processes, and how a mailbox is read."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
import urllib.request
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ingest.ports import SettingError
from simulators import ends_cli, ens, mailbox
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[mailbox.Served]:
    """Let a mailbox listen."""
    made = mailbox.serve(tmp_path / "mailbox", "smtp://127.0.0.1:0")
    yield made
    made.close()


def send(port: int, name: str, subject: str = "Sujet d'été") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@x.example", "b@x.example", subject
    mail["Date"], mail["Message-ID"] = "Tue, 24 Nov 2026 03:00:00 +0000", f"<{name}@x.example>"
    mail.set_content("Bonjour à tous")
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(mail)


def test_mails_are_kept_in_order_and_copies_are_counted(
    served: mailbox.Served, tmp_path: Path
) -> None:
    for name in ("one", "two", "one", "../three"):
        send(served.port, name)
    found = list(mailbox.mails(tmp_path / "mailbox"))
    assert [mail.message_id.partition("@")[0] for mail in found] == [
        "<one",
        "<two",
        "<one",
        "<../three",
    ]
    assert (found[0].subject, found[0].text.strip()) == ("Sujet d'été", "Bonjour à tous")
    assert mailbox.repeats(tmp_path / "mailbox")["<one@x.example>"] == 2
    assert {mail.path.parent for mail in found} == {tmp_path / "mailbox"}


def test_a_mailbox_that_starts_again_keeps_what_it_had(tmp_path: Path) -> None:
    for name in ("one", "two"):
        made = mailbox.serve(tmp_path, "smtp://127.0.0.1:0")
        send(made.port, name)
        made.close()
    assert [mail.message_id for mail in mailbox.mails(tmp_path)] == [
        "<one@x.example>",
        "<two@x.example>",
    ]


@pytest.mark.parametrize(("what", "code"), [("recipient", 550), ("content", 451)])
def test_a_mailbox_says_what_it_was_told_to_say(
    served: mailbox.Served, tmp_path: Path, what: str, code: int
) -> None:
    setattr(served.mailbox.temper, what, f"{code} no")
    with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)) as raised:
        send(served.port, "one")
    assert str(code) in str(raised.value)
    assert list(mailbox.mails(tmp_path / "mailbox")) == []


def test_the_list_shows_subjects_and_times(
    served: mailbox.Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(served.port, "one")
    monkeypatch.setenv("VIGIE_STATE", str(tmp_path))
    shown = CliRunner().invoke(ends_cli.app, ["mailbox", "--list"]).output
    assert "Sujet d'été" in shown
    assert "2026-11-24 03:00" in shown


def test_a_taken_port_or_a_wrong_address_is_an_operators_matter(
    served: mailbox.Served, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match="cannot be listened on"):
        mailbox.serve(tmp_path / "other", f"smtp://127.0.0.1:{served.port}")
    with pytest.raises(SettingError, match="cannot be listened on"):
        ens.serve(ens.Space(), f"http://127.0.0.1:{served.port}/fhir")
    with pytest.raises(SettingError, match="VIGIE_SMTP"):
        mailbox.serve(tmp_path / "other", "smtps://127.0.0.1")
    with pytest.raises(SettingError, match="VIGIE_ENS"):
        ens.serve(ens.Space(), "https://127.0.0.1/fhir")


@pytest.mark.parametrize("command", ["mailbox", "ens"])
def test_the_process_is_healthy_and_ends_well_when_told(command: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = os.environ | {
        "VIGIE_STATE": str(tmp_path),
        "VIGIE_SMTP": "smtp://127.0.0.1:0",
        "VIGIE_ENS": "http://127.0.0.1:0/fhir",
    }
    code = "from simulators.ends_cli import app; app()"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", code, command, "--metrics-port", "0"],
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until(lambda: b"watching" in log.read_bytes() or process.poll(), "listening")
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text())
        (port,) = re.findall(r"port=(\d+)", text)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b'outcome="refused"} 0.0' in answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
