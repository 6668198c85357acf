"""Rows stored by the worker's transaction, against a plain COPY of the same rows.

The plain COPY goes into a table without an index, so it is the machine's own limit; the second
ratio is against what the same guarantee (the same reading twice is one row) costs in plain psycopg.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import psycopg

from ingest.codec import Message
from ingest.readings import Instant, Vital
from streams import statements as sql
from streams.batch import Progress, Work
from streams.timescale import Store
from streams.transaction import Destinations
from tests.benchmarks.figures import Figure, middle
from tests.benchmarks.places import migrated, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

START = datetime(2026, 1, 1, tzinfo=UTC)
VITALS = (
    Vital.HEART_RATE,
    Vital.SPO2,
    Vital.RESPIRATORY_RATE,
    Vital.TEMPERATURE,
    Vital.SYSTOLIC,
    Vital.DIASTOLIC,
)
DEVICES, BATCHES, PER_BATCH = 400, 12, 2500
ROWS = BATCHES * PER_BATCH * len(VITALS)
ROUNDS = 3


def run(console: Console, _seconds: float) -> Iterator[Figure]:
    """Measure each way, a few times in turn, and give the middle of each."""
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    with running(console, "timescale") as servers:
        for number in range(ROUNDS):
            database = migrated(servers, f"bench_store_{number}")
            # Another one begins each time: what is warm, or is being written out, differs then.
            for name in (*list(WAYS)[number:], *list(WAYS)[:number]):
                rates[name].append(ROWS / WAYS[name](database))
            told = ", ".join(f"{name} {rates[name][-1]:,.0f} rows/s" for name in WAYS)
            console.print(f"round {number + 1} of {ROUNDS}: {told}")
    ours, *others = WAYS
    for other in others:
        yield Figure(
            f"stored rows, {ours}", middle(rates[ours]), other, middle(rates[other]), "rows/s"
        )


def _messages(batch: int) -> list[Message]:
    messages = []
    for number in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        who, turn = number % DEVICES, number // DEVICES
        time = START + timedelta(seconds=turn)
        values = {vital: 60.0 + (number + i) % 40 for i, vital in enumerate(VITALS)}
        messages.append(Message(f"p-{who}", f"d-{who}", turn + 1, time, (Instant(time, values),)))
    return messages


async def _ours(database: str) -> float:
    store = Store(database, "vigie.readings", Destinations("alerts", "rejected", "nobody"))
    place, took = Progress(0, 0, 0, None), 0.0
    for batch in range(BATCHES):
        after = place._replace(next_offset=place.next_offset + 1)
        work = Work(place, after, messages=_messages(batch), received=PER_BATCH * len(VITALS))
        began = perf_counter()
        async with store.transaction() as transaction:
            await transaction.progress([0])
            written = await transaction.write([work])
        took += perf_counter() - began
        assert written.stored == work.received
        place = after
    await store.close()
    return took


def _plain(database: str, *, unique: bool) -> float:
    """Store the same rows without any of our code between them and psycopg."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        connection.execute("CREATE TABLE plain (LIKE internal.sample)")
        if unique:
            connection.execute("SELECT create_hypertable('plain', by_range('time'))")
            connection.execute("CREATE UNIQUE INDEX ON plain (series, time)")
        connection.execute(sql.INCOMING.encode())
        took = 0.0
        for batch in range(BATCHES):
            rows = [
                (int(m.patient[2:]) * len(VITALS) + i, one.time, value, 0, m.received, None, None)
                for m in _messages(batch)
                for one in m.readings
                for i, value in enumerate(one.values.values())
            ]
            began = perf_counter()
            with connection.transaction(), connection.cursor() as cursor:
                into = sql.COPY if unique else "COPY plain FROM STDIN (FORMAT binary)"
                with cursor.copy(into.encode()) as copy:
                    copy.set_types(sql.COPY_TYPES)
                    for row in rows:
                        copy.write_row(row)
                if unique:
                    cursor.execute(
                        "INSERT INTO plain SELECT * FROM pg_temp.incoming ON CONFLICT DO NOTHING"
                    )
            took += perf_counter() - began
    return took


WAYS: dict[str, Callable[[str], float]] = {
    "worker's transaction": lambda database: asyncio.run(_ours(database)),
    "plain COPY": partial(_plain, unique=False),
    "COPY + INSERT ON CONFLICT, plain psycopg": partial(_plain, unique=True),
}
