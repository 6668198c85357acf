"""The physician's channel: a mail by SMTP, one connection each, handed to the site's own server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import aiosmtplib

from alerts import events
from alerts.channels import letter
from alerts.channels.port import NotNow, Refused
from ingest.ports import SettingError

if TYPE_CHECKING:
    from email.message import EmailMessage

    from alerts.delivery import Due
    from ingest.ports import Clock

PERMANENT = 500  # RFC 5321: from 500 on, repeating the command cannot help


class Mail:
    """Sends mails through one SMTP server.

    url: `smtp://[user:password@]host[:port]` (STARTTLS where the server offers it) or `smtps://`.
    sender: the organisation's own mailbox. Raises SettingError when either cannot be used.
    timeout_seconds: for each step of the conversation.
    """

    name = events.Channel.MAIL
    settled = events.DeliveryState.SENT  # the server has it; nobody has read it yet

    def __init__(
        self, url: str, sender: str, clock: Clock, *, timeout_seconds: float = 10.0
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise SettingError("VIGIE_SMTP must be smtp://[user:password@]host[:port] or smtps://")
        try:
            letter.address(sender)
        except letter.UnusableAddress:
            raise SettingError("VIGIE_SENDER must be a mail address") from None
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender, self._clock, self._timeout = sender, clock, timeout_seconds

    async def send(self, due: Due) -> None:
        """Hand the mail to the server; see Channel.send."""
        try:
            mail = letter.message(due, self._sender, self._clock.now())
        except letter.UnusableAddress:
            raise Refused(self.name, "no mail address") from None
        try:
            await self._hand_over(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise self._failed(error.recipients[0].code) from None
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as error:
            raise self._failed(error.code) from None
        except aiosmtplib.SMTPTimeoutError:
            raise NotNow(self.name, "timeout") from None
        except aiosmtplib.SMTPResponseException as error:
            # About our login, our address or the server as a whole, not about this mail: the
            # operator can mend it, and the alert must not be lost meanwhile.
            raise NotNow(self.name, f"smtp {error.code}") from None
        except aiosmtplib.SMTPException:
            raise NotNow(self.name, "connection") from None
        except OSError:
            raise NotNow(self.name, "connection") from None

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _hand_over(self, mail: EmailMessage) -> None:
        client = aiosmtplib.SMTP(
            hostname=self._host, port=self._port, use_tls=self._tls, timeout=self._timeout
        )
        # Not awaited directly: asyncio.wait_for, which the library uses, can swallow a cancellation
        # in Python 3.11, and the conversation would go on.
        conversation = asyncio.create_task(self._converse(client, mail))
        conversation.add_done_callback(_retrieve)
        try:
            await asyncio.wait({conversation})
        finally:
            conversation.cancel()
            client.close()
        conversation.result()

    async def _converse(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> None:
        await client.connect()
        if self._user is not None and self._password is not None:
            await client.login(self._user, self._password)
        await client.send_message(mail)
        # The mail is theirs once DATA was answered; a broken goodbye changes nothing.
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit()

    def _failed(self, code: int) -> NotNow | Refused:
        status = f"smtp {code}"
        return Refused(self.name, status) if code >= PERMANENT else NotNow(self.name, status)


def _retrieve(conversation: asyncio.Task[None]) -> None:
    # asyncio complains about an error that nobody has looked at.
    if not conversation.cancelled():
        conversation.exception()
