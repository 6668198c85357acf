"""The schema and the worker's one transaction, on a real TimescaleDB."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from alerts.events import AlertEvent, Phase, State, alert_id
from detectors.findings import Assessment, Evidence, Finding, Kind, Priority
from ingest.codec import Message, decode_rejected
from ingest.readings import SPECS, Instant, Original, Quality, Vital
from ingest.registry.entities import Patient
from streams import migrations, timescale
from streams.batch import Progress, Record, Work, apply
from streams.errors import Busy, Fenced, SchemaMismatch, StoreUnavailable, Unstorable
from streams.lanes import BACKFILL
from streams.state import Stored, Watches
from streams.timescale import Store
from streams.transaction import Destinations, Written
from tests.unit.streams.log import Counting, bundle, context, message, moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.servers

TOPIC = "vigie.readings"
PLACES = {TOPIC: 2}


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """Hand out a store on a fresh schema."""
    migrations.migrate(database, PLACES)
    made = Store(database, TOPIC, Destinations("vigie.alerts", "vigie.rejected", "on-call@x"))
    yield made
    await made.close()


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def work(*messages: Message, place: int = 0, partition: int = 0) -> Work:
    """Build the work of one record that holds these messages."""
    before = Progress(partition, place, 0, None)
    made = Work(before, before._replace(next_offset=place + 1), messages=list(messages))
    made.received = sum(len(i.values) for m in messages for i in m.readings)
    return made


async def write(store: Store, *works: Work) -> Written:
    async with store.transaction() as transaction:
        await transaction.progress(w.before.partition for w in works)
        return await transaction.write(works)


async def test_readings_stand_in_the_view_value_for_value(store: Store, database: str) -> None:
    instant = Instant(
        moment(0.5),
        {Vital.TEMPERATURE: 37.0, Vital.HEART_RATE: 19.0, Vital.SPO2: 97.0},
        {Vital.HEART_RATE: Quality.SUSPECT | Quality.CORRECTED, Vital.SPO2: Quality.BACKFILLED},
        {Vital.TEMPERATURE: Original(98.6, "[degF]")},
    )
    sent = Message("p-1", "d-1", 7, moment(2), (instant,))
    written = await write(store, work(sent))
    assert (written.stored, written.duplicate) == (3, 0)
    found = rows(database, "SELECT * FROM readings ORDER BY vital")
    who, when, came = ("p-1", "d-1"), moment(0.5), moment(2)
    assert found == [
        (*who, "heart_rate", when, 19.0, "/min", "suspect", came, None, None, 9),
        (*who, "spo2", when, 97.0, "%", "good", came, None, None, 4),
        (*who, "temperature", when, 37.0, "Cel", "good", came, 98.6, "[degF]", 0),
    ]
    newest = rows(database, "SELECT vital, quality, flags FROM latest ORDER BY vital")
    assert newest == [("heart_rate", "suspect", 9), ("spo2", "good", 4), ("temperature", "good", 0)]


async def test_the_same_reading_twice_is_one_row_and_one_duplicate(
    store: Store, database: str
) -> None:
    sent = message(1, spo2=97, heart_rate=70)
    both = await write(store, work(sent, sent))
    assert (both.stored, both.duplicate) == (2, 2), "within one transaction"
    again = await write(store, work(sent, place=1))
    assert (again.stored, again.duplicate) == (0, 2), "and from one to the next"
    assert rows(database, "SELECT count(*) FROM readings") == [(2,)]
    (entry, _) = (await timescale.ledger(database)).entries
    assert (entry.received, entry.stored, entry.duplicate, entry.difference) == (6, 2, 4, 0)


async def test_another_value_for_the_same_reading_does_not_replace_the_first(
    store: Store, database: str
) -> None:
    first = await write(store, work(message(1, spo2=97), message(1, spo2=50)))
    assert (first.stored, first.duplicate, first.conflict) == (1, 0, 1), "within one transaction"
    again = message(1, spo2=51), message(1, spo2=97)
    second = await write(store, work(*again, place=1))
    assert (second.stored, second.duplicate, second.conflict) == (0, 1, 1), "and later on"
    entry = (await timescale.ledger(database)).entries[0]
    assert (entry.stored, entry.duplicate, entry.conflict, entry.difference) == (1, 1, 2, 0)
    assert rows(database, "SELECT value FROM readings") == [(97.0,)]
    assert rows(database, "SELECT value FROM latest") == [(97.0,)]


async def test_two_devices_of_one_patient_at_one_moment_leave_two_rows(
    store: Store, database: str
) -> None:
    await write(store, work(message(1, device="d-1", spo2=97), message(1, device="d-2", spo2=96)))
    found = rows(database, "SELECT device, value FROM readings ORDER BY device")
    assert found == [("d-1", 97.0), ("d-2", 96.0)]


async def test_duplicates_are_counted_for_the_partition_that_they_came_in(
    store: Store, database: str
) -> None:
    first, second = message(1, patient="p-1"), message(1, patient="p-2", device="d-2")
    await write(store, work(first))
    await write(store, work(first, place=1), work(second, partition=1))
    entries = (await timescale.ledger(database)).entries
    assert [(e.stored, e.duplicate) for e in entries] == [(1, 1), (1, 0)]


async def test_latest_is_the_newest_by_device_time_whatever_comes_late(
    store: Store, database: str
) -> None:
    await write(store, work(message(5, spo2=95), message(3, spo2=93)))
    await write(store, work(message(4, spo2=94), place=1))
    assert rows(database, "SELECT time, value FROM latest") == [(moment(5), 95.0)]


async def test_of_two_assessments_at_one_moment_the_later_in_the_log_stays(
    store: Store, database: str
) -> None:
    one = work()
    one.assessments = [
        ("p-1", Assessment(moment(1), 3, (Vital.SPO2, Vital.TEMPERATURE), 1.5)),
        ("p-1", Assessment(moment(1), 5, (), None, {"sepsis": 0.25, "another": 0.5})),
        ("p-2", Assessment(moment(1), None, tuple(SPECS), 0.0, {"deterioration": 0.5})),
    ]
    await write(store, one)
    two = work(place=1)
    two.assessments = [("p-2", Assessment(moment(1), 0, (Vital.SPO2,), None))]
    await write(store, two)
    (first, second) = rows(database, "SELECT * FROM assessments ORDER BY patient")
    assert first == ("p-1", moment(1), 5, [], None, None, 0.25)
    assert second == ("p-2", moment(1), 0, ["spo2"], None, None, None)


async def test_states_come_back_by_partition(store: Store) -> None:
    one, other = work(), work(partition=1)
    one.snapshots = {"p-1": Stored(b"\x00a", 12.5), "p-2": Stored(b"b")}
    other.snapshots = {"p-3": Stored(b"c", 1e9)}
    await write(store, one, other)
    (again := work(place=1)).snapshots = {"p-1": Stored(b"later")}
    await write(store, again)
    async with store.transaction() as transaction:
        states = await transaction.states([0, 1])
    assert states[0] == {"p-1": Stored(b"later"), "p-2": Stored(b"b")}
    assert states[1] == {"p-3": Stored(b"c", 1e9)}


async def test_a_patient_in_two_partitions_cannot_stand_in_one_transaction(store: Store) -> None:
    """Which is told from a database that is away: for that a worker would wait for ever."""
    one, other = work(), work(partition=1)
    one.snapshots = other.snapshots = {"p-1": Stored(b"a")}
    with pytest.raises(Unstorable):
        await write(store, one, other)
    await write(store, one)
    await write(store, other)


async def test_what_was_rolled_back_left_nothing_and_can_be_written_again(
    store: Store, database: str
) -> None:
    with suppress(ZeroDivisionError):
        async with store.transaction() as transaction:
            await transaction.progress([0])
            await transaction.write([work(message(1, spo2=97))])
            raise ZeroDivisionError
    assert rows(database, "SELECT count(*) FROM internal.series") == [(0,)]
    assert (await write(store, work(message(1, spo2=97)))).stored == 1
    assert rows(database, "SELECT patient, vital, value FROM readings") == [("p-1", "spo2", 97.0)]


async def test_a_worker_that_stands_at_the_wrong_place_is_fenced_off(
    store: Store, database: str
) -> None:
    await write(store, work(message(1)))
    with pytest.raises(Fenced):
        await write(store, work(message(2), place=0))
    assert rows(database, "SELECT count(*) FROM readings") == [(1,)]


async def test_a_second_owner_waits_for_the_first_and_then_sees_its_place(
    store: Store, database: str
) -> None:
    second = Store(database, TOPIC, Destinations("a", "r", "o"))
    entered = asyncio.Event()

    async def look() -> int:
        async with second.transaction() as transaction:
            entered.set()
            return (await transaction.progress([0]))[0].next_offset

    async with store.transaction() as transaction:
        await transaction.progress([0])
        looking = asyncio.create_task(look())
        await entered.wait()
        await transaction.write([work(message(1))])
    assert await looking == 1
    await second.close()


async def test_a_partition_without_a_row_is_an_error_and_not_a_fresh_start(store: Store) -> None:
    with pytest.raises(SchemaMismatch, match="partitions 7"):
        async with store.transaction() as transaction:
            await transaction.progress([0, 7])


async def test_a_value_that_no_column_holds_is_told_from_a_database_that_is_away(
    store: Store,
) -> None:
    with pytest.raises(Unstorable) as caught:
        await write(store, work(message(1, patient="p\x00")))
    assert "p\x00" not in str(caught.value)
    nowhere = Store("postgresql://vigie@127.0.0.1:1/x", TOPIC, Destinations("a", "r", "o"))
    with pytest.raises(StoreUnavailable):
        await write(nowhere, work(message(1)))


async def test_a_connection_that_was_cut_is_made_again(store: Store, database: str) -> None:
    await write(store, work(message(1)))
    rows(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'vigie-worker'",
    )
    with pytest.raises(StoreUnavailable):
        await write(store, work(message(2), place=1))
    assert (await write(store, work(message(2), place=1))).stored == 1


def event(number: int, phase: Phase, state: State, started: float = 0.0) -> AlertEvent:
    finding = Finding(
        "limits.spo2",
        Kind.PHYSIOLOGICAL,
        Priority.HIGH,
        "limits/1",
        (Evidence(Vital.SPO2, 80.0, moment(number), "d-1", low=90.0),),
    )
    return AlertEvent(
        alert_id("p-1", "limits.spo2", moment(started)),
        number,
        "p-1",
        phase,
        state,
        Priority.HIGH,
        Kind.PHYSIOLOGICAL,
        moment(started + number),
        moment(started),
        finding,
    )


def told(*events: AlertEvent, place: int = 0) -> Work:
    made = work(place=place)
    made.events = [(e, Patient("p-1", physician="dr@x", ens="idpe-1")) for e in events]
    return made


async def test_an_alert_starts_with_its_events_its_deliveries_and_its_record(
    store: Store, database: str
) -> None:
    await write(store, told(event(1, Phase.START, State.ACTIVE)))
    await write(store, told(event(2, Phase.END, State.LATCHED), place=1))
    found = rows(database, "SELECT patient, rule, priority, class, state, ended FROM alerts")
    assert found == [("p-1", "limits.spo2", "high", "physiological", "latched", moment(2))]
    found = rows(
        database, "SELECT number, phase, finding->'evidence'->0->>'value' FROM alert_events"
    )
    assert sorted(found) == [(1, "start", "80.0"), (2, "end", "80.0")]
    found = rows(
        database, "SELECT channel, recipient, state, number FROM deliveries ORDER BY channel"
    )
    assert found == [("ens", "idpe-1", "queued", 1), ("mail", "dr@x", "queued", 1)]
    found = rows(database, "SELECT topic, key FROM internal.outbox")
    assert found == [("vigie.alerts", b"p-1")] * 2


async def test_the_dispatcher_is_woken_only_when_there_is_something_to_do(
    store: Store, database: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as listener:
        await listener.execute("LISTEN vigie_due")
        await listener.execute("LISTEN vigie_outbox")
        await write(store, work(message(1)))
        await write(store, told(event(1, Phase.START, State.ACTIVE), place=1))
        heard = [n.channel async for n in listener.notifies(timeout=10, stop_after=2)]
    assert sorted(heard) == ["vigie_due", "vigie_outbox"]


async def test_an_alert_may_end_and_the_next_one_start_in_one_batch(
    store: Store, database: str
) -> None:
    await write(store, told(event(1, Phase.START, State.ACTIVE)))
    later = [event(2, Phase.END, State.LATCHED), event(1, Phase.START, State.ACTIVE, started=60)]
    await write(store, told(*later, place=1))
    found = rows(database, "SELECT state, ended IS NULL FROM alerts ORDER BY started")
    assert found == [("latched", False), ("active", True)]


async def test_an_open_alert_whose_watch_was_lost_does_not_block_the_next_one(
    store: Store, database: str
) -> None:
    await write(store, told(event(1, Phase.START, State.ACTIVE)))
    await write(store, told(event(1, Phase.START, State.ACTIVE, started=60), place=1))
    found = rows(database, "SELECT state, ended FROM alerts ORDER BY started")
    assert found == [("latched", moment(60)), ("active", None)]


async def test_a_dead_letter_waits_in_the_outbox_with_its_bytes(
    store: Store, database: str
) -> None:
    judged = apply(
        Progress(0, 0, 0, None),
        [Record(0, 0, b"\x00poison"), bundle(1, message(1))],
        Watches(0, {}, Counting),
        context(),
    )
    await write(store, judged)
    ((topic, key, value),) = rows(database, "SELECT topic, key, value FROM internal.outbox")
    assert (topic, key) == ("vigie.rejected", None)
    assert decode_rejected(value).payload == b"\x00poison"
    assert rows(database, "SELECT sum(dead)::int, sum(stored)::int FROM ledger") == [(1, 1)]


async def test_readings_far_apart_in_time_are_stored(store: Store, database: str) -> None:
    old = moment(0) - timedelta(days=20_000)
    sent = Message("p-1", "d-1", 1, moment(0), (Instant(old, {Vital.WEIGHT: 70.0}),))
    assert (await write(store, work(sent, message(1)))).stored == 2
    assert rows(database, "SELECT min(time) FROM readings") == [(old,)]


async def test_readings_refused_for_want_of_consent_are_counted_and_are_no_copies(
    store: Store, database: str
) -> None:
    one = work(message(1, spo2=97))
    one.received, one.refused = 4, 3
    written = await write(store, one)
    assert (written.stored, written.duplicate, written.refused) == (1, 0, 3)
    account = await timescale.ledger(database)
    assert (account.entries[0].received, account.entries[0].consent) == (4, 3)
    assert account.balanced


async def test_who_is_not_watched_any_more_leaves_no_state_and_no_open_alert(
    store: Store, database: str
) -> None:
    begun = told(event(1, Phase.START, State.ACTIVE))
    begun.snapshots = {"p-1": Stored(b"a"), "p-2": Stored(b"b", 3.0)}
    await write(store, begun)
    # Its state could not be read, so the watch knew of no alert to end.
    after = work(place=1)
    after.unwatched = ["p-1"]
    await write(store, after)
    assert rows(database, "SELECT patient FROM internal.state") == [("p-2",)]
    assert rows(database, "SELECT state, ended IS NULL FROM alerts") == [("latched", False)]


async def test_the_backfill_lane_gives_way_where_another_transaction_holds_what_it_needs(
    store: Store, database: str
) -> None:
    late = Store(database, TOPIC, Destinations("a", "r", "o"), BACKFILL)
    async with store.transaction() as transaction:
        await transaction.progress([0])
        with pytest.raises(Busy):
            await write(late, work(message(1)))
    assert (await write(late, work(message(1)))).stored == 1
    await late.close()


async def test_series_that_were_erased_with_their_patient_are_numbered_anew(
    store: Store, database: str
) -> None:
    await write(store, work(message(1, spo2=97)))
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM internal.latest")
        connection.execute("DELETE FROM internal.sample")
        connection.execute("DELETE FROM internal.series")
    with pytest.raises(Busy):
        await write(store, work(message(2, spo2=96), place=1))
    assert (await write(store, work(message(2, spo2=96), place=1))).stored == 1
    assert rows(database, "SELECT patient, value FROM readings") == [("p-1", 96.0)]
