"""Every channel keeps the promises of `alerts.channels.port.Channel`, against a live other side."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from alerts import events
from alerts.channels import fhir
from alerts.channels.ens import Ens
from alerts.channels.mail import Mail
from alerts.channels.port import Channel, NotAccepted, NotNow, Refused
from ingest.ports import SystemClock
from simulators import ens as ens_end
from simulators import mailbox as mail_end
from tests.unit.alerts.stories import MARKED_PATIENT, MARKED_VALUE, due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

SENDER = "vigie@hopital.mssante.example"
SECRET = "geheim-4711"  # noqa: S105 (looked for in errors)
SPACE = fhir.Space(
    "https://interop.esante.gouv.fr/ig/fhir/mesures/StructureDefinition/", "1.2", "2.25.17"
)


class End(Protocol):
    """The other side of one channel, as the promises need it."""

    name: events.Channel
    port: int

    def channel(self, port: int, timeout_seconds: float) -> Channel: ...
    def say(self, status: str | None) -> None: ...
    def received(self) -> list[str]: ...
    def close(self) -> None: ...


class MailEnd:
    name = events.Channel.MAIL

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served = mail_end.serve(folder, "smtp://127.0.0.1:0")
        self.port = self._served.port

    def channel(self, port: int, timeout_seconds: float) -> Channel:
        url = f"smtp://127.0.0.1:{port}"
        return Mail(url, SENDER, SystemClock(), timeout_seconds=timeout_seconds)

    def say(self, status: str | None) -> None:
        """Answer DATA, or with "rcpt 550" RCPT, by a code and words that quote the patient."""
        code = (status or "").removeprefix("rcpt ")
        answer = f"{code} no: {MARKED_PATIENT} {MARKED_VALUE}" if status else None
        temper = self._served.mailbox.temper
        temper.recipient = answer if status and status.startswith("rcpt") else None
        temper.content = answer if status and not status.startswith("rcpt") else None

    def received(self) -> list[str]:
        return [mail.message_id for mail in mail_end.mails(self._folder)]

    def close(self) -> None:
        self._served.close()


class EnsEnd:
    name = events.Channel.ENS

    def __init__(self) -> None:
        self._space = ens_end.Space()
        self._served = ens_end.serve(self._space, "http://127.0.0.1:0/fhir")
        self.port = self._served.port

    def channel(self, port: int, timeout_seconds: float) -> Channel:
        url = f"http://127.0.0.1:{port}/fhir"
        return Ens(url, SECRET, SPACE, timeout_seconds=timeout_seconds)

    def say(self, status: str | None) -> None:
        self._space.temper.answer = HTTPStatus(int(status)) if status else None

    def received(self) -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/accepted") as answer:
            found: dict[str, Any] = json.load(answer)
        names = [
            bundle["entry"][1]["resource"]["identifier"][0]["value"] for bundle in found["accepted"]
        ]
        again = [
            name.split("|")[1] for name, times in found["repeats"].items() for _ in range(times)
        ]
        return names + again

    def close(self) -> None:
        self._served.close()


@pytest.fixture(params=list(events.Channel))
def end(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[End]:
    """Start the other side of each channel in turn."""
    made: End = MailEnd(tmp_path) if request.param is events.Channel.MAIL else EnsEnd()
    yield made
    made.close()


@asynccontextmanager
async def opened(end: End, port: int | None = None, patience: float = 30) -> AsyncIterator[Channel]:
    channel = end.channel(port or end.port, patience)
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def mute(*, hang_up: bool = False) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Listen, take connections, and never say a word; or hang up at once."""
    came, over = asyncio.Event(), asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        if not hang_up:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        over.set()
        server.close()
        await server.wait_closed()


async def refusal(end: End, status: str) -> NotAccepted:
    end.say(status)
    async with opened(end) as channel:
        with pytest.raises(NotAccepted) as raised:
            await channel.send(due(end.name))
    return raised.value


async def test_returning_means_that_the_other_side_has_it(end: End) -> None:
    async with opened(end) as channel:
        assert channel.name is end.name
        await channel.send(due(end.name))
    assert len(end.received()) == 1


async def test_a_second_copy_can_be_recognised(end: End) -> None:
    async with opened(end) as channel:
        await channel.send(due(end.name))
        await channel.send(due(end.name))
    first, second = end.received()
    assert first == second


async def test_many_at_once_all_arrive(end: End) -> None:
    async with opened(end) as channel:
        many = [due(end.name, id=uuid4()) for _ in range(20)]
        await asyncio.gather(*(channel.send(one) for one in many))
    assert len(end.received()) == 20


STATUS = {
    events.Channel.MAIL: {
        Refused: ["550", "552", "554", "rcpt 550", "rcpt 553"],
        NotNow: ["421", "451", "452", "rcpt 450", "rcpt 421"],
    },
    events.Channel.ENS: {
        Refused: ["400", "403", "404", "409", "410", "413", "422", "301"],
        NotNow: ["401", "408", "425", "429", "500", "502", "503", "504"],
    },
}
TABLE = [
    pytest.param(name, kind, status, id=f"{name}: {status} is {kind.__name__}")
    for name, kinds in STATUS.items()
    for kind, statuses in kinds.items()
    for status in statuses
]


@pytest.mark.parametrize(("name", "kind", "status"), TABLE)
async def test_each_status_is_final_or_asks_for_patience(
    name: events.Channel, kind: type[NotAccepted], status: str, tmp_path: Path
) -> None:
    end: End = MailEnd(tmp_path) if name is events.Channel.MAIL else EnsEnd()
    try:
        error = await refusal(end, status)
    finally:
        end.close()
    assert type(error) is kind
    assert error.retryable is (kind is NotNow)
    assert error.status.split()[1] == status.removeprefix("rcpt ")


@pytest.mark.parametrize("place", [0, 1], ids=["refused", "not now"])
async def test_an_error_tells_neither_patient_nor_value_nor_secret_nor_their_words(
    end: End, place: int
) -> None:
    status = {events.Channel.MAIL: ("550", "451"), events.Channel.ENS: ("422", "503")}[end.name]
    error = await refusal(end, status[place])
    told = f"{error} {error!r} {error.__cause__!r}"
    for marker in (MARKED_PATIENT, str(MARKED_VALUE), SECRET, "idpe-17", "cardio"):
        assert marker not in told
    assert error.__suppress_context__ or error.__context__ is None


async def test_nobody_there_is_tried_again(end: End) -> None:
    port = end.port
    end.close()
    async with opened(end, port) as channel:
        with pytest.raises(NotNow) as raised:
            await channel.send(due(end.name))
    assert raised.value.status == "connection"


async def test_silence_is_tried_again(end: End) -> None:
    async with mute() as (port, _), opened(end, port, patience=0.2) as channel:
        with pytest.raises(NotNow) as raised:
            await channel.send(due(end.name))
    assert raised.value.status == "timeout"


async def test_being_hung_up_on_is_tried_again(end: End) -> None:
    async with mute(hang_up=True) as (port, _), opened(end, port) as channel:
        with pytest.raises(NotNow):
            await channel.send(due(end.name))


async def test_cancelling_is_clean_and_the_channel_works_on(end: End) -> None:
    async with mute() as (port, came), opened(end, port) as channel:
        sending = asyncio.create_task(channel.send(due(end.name)))
        await came.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    async with opened(end) as channel:
        await channel.send(due(end.name))
    assert len(end.received()) == 1


async def test_a_mail_server_that_wants_no_login_is_tried_again_without_telling_the_password(
    tmp_path: Path,
) -> None:
    end = MailEnd(tmp_path)
    url = f"smtp://vigie:{SECRET}@127.0.0.1:{end.port}"
    try:
        with pytest.raises(NotNow) as raised:
            await Mail(url, SENDER, SystemClock()).send(due())
    finally:
        end.close()
    assert SECRET not in f"{raised.value} {raised.value!r}"


async def test_a_recipient_that_is_no_address_is_refused() -> None:
    with pytest.raises(Refused, match="no mail address"):
        await Mail("smtp://127.0.0.1:9", SENDER, SystemClock()).send(due(recipient="nobody"))


async def test_a_delivery_to_the_space_without_a_measure_is_refused() -> None:
    channel = Ens("http://127.0.0.1:9/fhir", "", SPACE)
    with pytest.raises(Refused, match="no measure"):
        await channel.send(due(events.Channel.ENS, measure=None))
    await channel.close()
