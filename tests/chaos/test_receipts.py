"""A receipt is a promise: whatever is killed, and whenever, what it names is in Kafka."""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.witness import Witness, load, logged
from tests.devices import instant
from tests.integration.broker import Broker
from tests.integration.test_gateway import Gateway
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.fix_line import Line

pytestmark = [pytest.mark.servers, pytest.mark.chaos]

DEVICES = 6
BEAT_SECONDS = 0.06  # with six devices 100 messages a second
REPEAT_SECONDS = 5.0
AWAY_SECONDS = 60.0
# In this order nobody is left who could mend an early receipt: Kafka has not got the message, the
# gateway forgets it, the broker too, and the device has been told that it may.
EVERYTHING = ("kafka", "gateway", "mosquitto")


def chance() -> random.Random:
    """Give this test's own dice; pytest prints the seed (`-p randomly -p 'randomly_seed=...'`)."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    return random.Random(seed)


def safe(devices: Sequence[Witness]) -> int:
    return sum(len(device.safe) for device in devices)


def some_moment(dice: random.Random, devices: Sequence[Witness]) -> None:
    """Let some messages become safe, and then a random while pass: the kill comes at any point."""
    wanted = safe(devices) + dice.randint(1, 100)
    wait_until(lambda: safe(devices) >= wanted, "more receipts", 90, pause=0.005)
    threading.Event().wait(dice.uniform(0, 0.2))


class Witnesses:
    """Connects the devices of a test; closed at its end, however it ends."""

    def __init__(self) -> None:
        self.made: list[Witness] = []

    def __call__(self, run: str, url: str, number: int = DEVICES) -> list[Witness]:
        fresh = [Witness(f"d-{run}-{n}", url) for n in range(number)]
        self.made += fresh
        return fresh


@pytest.fixture
def witnesses() -> Iterator[Witnesses]:
    """Give what connects devices."""
    made = Witnesses()
    yield made
    for device in made.made:
        device.close()


def settle(devices: Sequence[Witness]) -> None:
    """Wait for each receipt; what has none for a while is sent again, as devices do."""
    repeated = monotonic()

    def repeat() -> None:
        nonlocal repeated
        if monotonic() - repeated > REPEAT_SECONDS:
            repeated = monotonic()
            for device in devices:
                device.repeat()

    wait_until(
        lambda: not any(device.pending for device in devices),
        "a receipt for each message",
        120,
        meanwhile=repeat,
    )


def assert_no_receipt_was_early(line: Line, devices: Sequence[Witness], since: datetime) -> None:
    """Compare what any receipt ever named with what Kafka has."""
    # First what was promised, then the log: a receipt that comes meanwhile is none of this.
    promised = {(device.name, seq) for device in devices for seq in list(device.receipts)}
    assert promised, "no receipt at all"
    there = asyncio.run(logged(line.environment["VIGIE_KAFKA"], since))
    early = promised - there
    assert not early, f"receipts of messages that are not in Kafka: {sorted(early)[:10]}"


def assert_stored_once(line: Line, devices: Sequence[Witness]) -> None:
    rows = "SELECT time FROM readings WHERE device = %s AND vital = 'heart_rate' ORDER BY time"

    def stored(device: Witness) -> list[tuple[Any, ...]]:
        return line.rows(rows, device.name)

    for device in devices:
        moments = sorted(datetime.fromisoformat(str(m[0]["time"])) for m in device.sent.values())
        enough = partial(_as_many, partial(stored, device), len(moments))
        wait_until(enough, f"{device.name} is stored", 90)
        assert stored(device) == [(moment,) for moment in moments], f"{device.name}: lost or twice"


def _as_many(stored: Callable[[], list[tuple[Any, ...]]], number: int) -> bool:
    return len(stored()) >= number


def test_no_receipt_is_early_whatever_is_killed_and_when(
    well_line: Line, witnesses: Witnesses, tmp_path: Path
) -> None:
    line, dice, since = well_line, chance(), datetime.now(UTC)
    run = line.admit(tmp_path, DEVICES)
    devices = witnesses(run, line.devices_url)
    rounds = [["gateway"], ["mosquitto"], ["gateway", "mosquitto"], list(EVERYTHING)]
    dice.shuffle(rounds)
    with load(devices, BEAT_SECONDS):
        for victims in rounds:
            some_moment(dice, devices)
            old = {victim: line.servers.pid(victim) for victim in victims}
            for victim in victims:
                line.kill(victim)
                print(f"killed {victim} with {safe(devices)} safe")  # noqa: T201 (as above)
                # While Kafka is away messages pile up in the gateway, and at the broker.
                threading.Event().wait(dice.uniform(0, 0.5))
            for victim in victims:
                again = partial(line.restarted, victim, old[victim])
                wait_until(again, f"{victim} runs again")
            for device in devices:
                device.repeat()
        some_moment(dice, devices)
    # Before anything is sent again: what was lost and promised would still be missing.
    assert_no_receipt_was_early(line, devices, since)
    settle(devices)
    assert_no_receipt_was_early(line, devices, since)
    assert_stored_once(line, devices)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Start a broker of the test's own: the line's would go on feeding gateways that are gone."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


def test_receipts_stay_right_while_gateways_that_share_the_messages_are_killed(
    well_line: Line, broker: Broker, witnesses: Witnesses, tmp_path: Path
) -> None:
    line, dice, since = well_line, chance(), datetime.now(UTC)
    run = line.admit(tmp_path, DEVICES)
    gateways = [Gateway(line, broker.url, f"gateway-{x}", tmp_path) for x in ("a", "b", "c")]
    for gateway in gateways:
        gateway.start()
    devices = witnesses(run, broker.url)
    try:
        with load(devices, BEAT_SECONDS):
            some_moment(dice, devices)
            assert all(gateway.metric("vigie_gateway_messages_safe_total") for gateway in gateways)
            for gateway in dice.choices(gateways, k=3):
                some_moment(dice, devices)
                gateway.kill()
                # The others go on with their share; its own waits for it.
                some_moment(dice, devices)
                gateway.start()
            some_moment(dice, devices)
        assert_no_receipt_was_early(line, devices, since)
        settle(devices)
        assert_no_receipt_was_early(line, devices, since)
        assert_stored_once(line, devices)
        assert [device.disconnects for device in devices] == [0] * DEVICES
    finally:
        for gateway in gateways:
            gateway.kill()


def test_a_message_that_is_sent_again_gets_its_receipt_again_and_is_one_row(
    well_line: Line, witnesses: Witnesses, tmp_path: Path
) -> None:
    line = well_line
    run = line.admit(tmp_path, 1)
    device = witnesses(run, line.devices_url, 1)[0]
    time = datetime.now(UTC) - timedelta(minutes=1)
    good = [instant(time, heart_rate=70)]
    bad = [instant(time + timedelta(seconds=1), heart_rate=400)]
    for times in (1, 2, 3):
        device.publish(1, good)
        device.publish(2, bad)
        wait_until(partial(_told, device, times), f"{times} receipts", 60)
    refusal = {"seq": 2, "at": "readings[0].heart_rate", "reason": "out-of-range"}
    assert device.refused == [refusal] * 3
    rows = "SELECT count(*) FROM readings WHERE device = %s"
    wait_until(lambda: line.rows(rows, device.name) == [(1,)], "the reading is one row")


def _told(device: Witness, times: int) -> bool:
    return all(device.receipts[seq] >= times for seq in (1, 2))


def test_a_minute_without_kafka_under_load_loses_nothing_and_disconnects_nobody(
    well_line: Line, witnesses: Witnesses, tmp_path: Path
) -> None:
    line, since = well_line, datetime.now(UTC)
    run = line.admit(tmp_path, DEVICES)
    devices = witnesses(run, line.devices_url)
    gateway = line.servers.pid("gateway")
    with load(devices, BEAT_SECONDS):
        wait_until(lambda: safe(devices) > 100, "receipts before Kafka goes", pause=0.01)
        line.servers.halt("kafka")
        try:
            under_way = "vigie_gateway_unacknowledged_messages"
            wait_until(lambda: line.metric("gateway", under_way) >= 1, "messages wait for it", 30)
            had = safe(devices)
            # How long Kafka is away is what the test is about; the load goes on meanwhile.
            threading.Event().wait(AWAY_SECONDS)
            assert safe(devices) == had, "a receipt without Kafka"
        finally:
            line.servers.resume("kafka")
        wait_until(lambda: safe(devices) > had, "receipts come again", 90)
    settle(devices)
    assert line.servers.pid("gateway") == gateway, "the gateway gave up meanwhile"
    assert [device.disconnects for device in devices] == [0] * DEVICES
    assert_no_receipt_was_early(line, devices, since)
    assert_stored_once(line, devices)
