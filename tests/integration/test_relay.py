"""The outbox, relayed from a real TimescaleDB: in order, and never less than once."""

from __future__ import annotations

import asyncio
import uuid

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from alerts.events import AlertEvent, Phase
from ingest import kafka as log
from tests.integration.telling import Telling, story, until
from tests.unit.alerts.stories import MARKED_PATIENT

pytestmark = pytest.mark.servers


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


def _steps(telling: Telling, *numbers: int) -> None:
    for number in numbers:
        phase = Phase.START if number == 1 else Phase.CONTINUE
        telling.tell(story(7, number=number, phase=phase))


STEPS = [(f"{MARKED_PATIENT}-7", number) for number in range(1, 7)]


async def test_alert_events_are_relayed_in_order_and_forgotten(telling: Telling) -> None:
    sink = Memory()
    _steps(telling, 1, 2, 3)
    async with telling.dispatching(sink):
        _steps(telling, 4, 5, 6)
        await until(lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert sink.steps() == STEPS
    assert {(topic, key) for topic, key, _ in sink.records} == {
        ("alerts", f"{MARKED_PATIENT}-7".encode())
    }


async def test_a_restarted_relay_goes_on_where_the_log_had_stopped(telling: Telling) -> None:
    failing = Memory(fail_at=2)
    _steps(telling, 1, 2, 3, 4, 5, 6)
    async with telling.dispatching(failing):
        await until(lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert len({*failing.steps()}) == 6
    # What came again after the failure came in order, from the failed one on.
    assert failing.steps()[-4:] == STEPS[2:]


async def test_of_two_relays_one_works_and_the_other_takes_over(telling: Telling) -> None:
    first, second = Memory(), Memory()
    async with telling.dispatching(second):
        async with telling.dispatching(first):
            _steps(telling, 1, 2, 3)
            await until(
                lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty"
            )
        _steps(telling, 4, 5, 6)
        await until(lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    assert sorted(first.steps() + second.steps()) == STEPS


async def test_kafka_gets_alert_events_in_order_and_a_repeat_is_recognisable(
    telling: Telling, kafka: str
) -> None:
    telling.topic = f"alerts-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(telling.topic, 1, 1)])
    await admin.close()
    _steps(telling, 1, 2, 3)
    kept = "CREATE TABLE kept AS SELECT topic, key, value FROM internal.outbox"
    telling.do(kept)
    async with log.producing(kafka) as producer, telling.dispatching(producer):
        await until(lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    # As after a crash between Kafka's acknowledgement and the deletion.
    telling.do("INSERT INTO internal.outbox (topic, key, value) SELECT * FROM kept")
    _steps(telling, 4, 5, 6)
    async with log.producing(kafka) as producer, telling.dispatching(producer):
        await until(lambda: telling.rows("SELECT count(*) FROM internal.outbox") == [(0,)], "empty")
    found: list[tuple[str, int]] = []
    async with log.reading(kafka, telling.topic) as reader, asyncio.timeout(60):
        while len(found) < 9:
            for record in await reader.take():
                assert record.key == f"{MARKED_PATIENT}-7".encode()
                told = msgspec.json.decode(record.value or b"", type=AlertEvent)
                found.append((told.patient, told.number))
    assert found == STEPS[:3] + STEPS
