"""A physician's mailbox: an SMTP server that keeps each mail as a file. For demo and tests.

It can be told to refuse, to put off and to be slow, which is what real mail servers do.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import Counter
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP
from prometheus_client import Counter as Metric

from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from datetime import datetime
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

T = TypeVar("T")

RECEIVED = Metric(
    "vigie_mailbox_mails_total", "Mails by what became of them, as the mailbox saw it.", ["outcome"]
)
for _outcome in ("kept", "repeat", "refused"):
    RECEIVED.labels(_outcome)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was kept: its headers as people read them, its text, and its file."""

    message_id: str
    to: str
    subject: str
    date: datetime
    text: str
    path: Path


@dataclass(slots=True)
class Temper:
    """How the mailbox behaves; a test changes it while it runs.

    recipient, content: SMTP answers given instead of 250 to RCPT and DATA, for example
    "550 no such box"; None accepts. delay_seconds: waited between keeping a mail and saying
    so, which is where a sender that dies does not know whether it was taken.
    """

    recipient: str | None = None
    content: str | None = None
    delay_seconds: float = 0.0


class Mailbox:
    """Keeps what it is given in a folder, one `.eml` file per mail, in order of arrival."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._number = max((int(p.name.split("-")[0]) for p in _files(folder)), default=0)
        self._known = {mail.message_id for mail in mails(folder)}
        self.temper = Temper()

    async def handle_RCPT(  # noqa: N802 (the library's name)
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take a recipient, or answer what the temper says."""
        if self.temper.recipient is not None:
            RECEIVED.labels("refused").inc()
            return self.temper.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (the library's name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail; it is on the disk when the answer leaves."""
        if self.temper.content is not None:
            RECEIVED.labels("refused").inc()
            return self.temper.content
        content = envelope.content or b""
        self._keep(content if isinstance(content, bytes) else content.encode())
        await asyncio.sleep(self.temper.delay_seconds)
        return "250 kept"

    def _keep(self, content: bytes) -> None:
        message_id = str(message_from_bytes(content, policy=policy.default)["Message-ID"] or "")
        self._number += 1
        safe = re.sub(r"[^A-Za-z0-9@.-]", "_", message_id.strip("<>"))[:100]
        path = self._folder / f"{self._number:06}-{safe}.eml"
        hidden = path.with_suffix(".part")
        with hidden.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        hidden.rename(path)
        RECEIVED.labels("repeat" if message_id in self._known else "kept").inc()
        self._known.add(message_id)


class Served:
    """A mailbox that listens, in a thread of its own."""

    def __init__(self, mailbox: Mailbox, host: str, port: int) -> None:
        self.mailbox = mailbox
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp", daemon=True)
        self._thread.start()
        try:
            self._server = self._do(self._loop.create_server(self._session, host, port))
        except OSError as error:
            self._finish()
            raise SettingError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening, and hang up on whoever is connected."""
        if self._loop.is_closed():
            return
        self._do(self._end())
        self._finish()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _finish(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _session(self) -> SMTP:
        return SMTP(self.mailbox, hostname="mailbox", enable_SMTPUTF8=True, loop=self._loop)

    async def _end(self) -> None:
        self._server.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await self._server.wait_closed()


def serve(folder: Path, url: str) -> Served:
    """Listen at the address of `url` (`smtp://host:port`) until closed. Port 0 takes a free one.

    Raises SettingError when that cannot be listened on.
    """
    parts = urlsplit(url)
    if parts.scheme != "smtp" or not parts.hostname or parts.port is None:
        raise SettingError("VIGIE_SMTP must be smtp://host:port for the simulated mailbox")
    return Served(Mailbox(folder), parts.hostname, parts.port)


def mails(folder: Path) -> Iterator[Mail]:
    """Read the mails that were kept, in order of arrival."""
    for path in _files(folder):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        body = message.get_body(("plain",))
        yield Mail(
            str(message["Message-ID"] or ""),
            str(message["To"] or ""),
            str(message["Subject"] or ""),
            parsedate_to_datetime(str(message["Date"])),
            str(body.get_content()) if body is not None else "",
            path,
        )


def repeats(folder: Path) -> Counter[str]:
    """Count the mails by Message-ID: more than one is the same delivery once more."""
    return Counter(mail.message_id for mail in mails(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eml"))
