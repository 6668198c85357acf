"""Whatever comes in: a named refusal in quarantine, a metric that moved, and the line goes on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ingest.quarantine import search as quarantine
from ingest.readings import Refusal
from tests.devices import Outsider, instant
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.codec import Rejected
    from tests.fix_line import Line

pytestmark = pytest.mark.servers

NOW = datetime.now(UTC).replace(microsecond=0)
TIME = NOW.isoformat().replace("+00:00", "Z")


def sent(**reading: object) -> bytes:
    return json.dumps({"seq": 1, "readings": [{"time": TIME, **reading}]}).encode()


def timed(time: object) -> bytes:
    return json.dumps({"seq": 1, "readings": [{"time": time, "heart_rate": 70}]}).encode()


BAD = [
    pytest.param(b"heart rate 70", Refusal.NOT_JSON, "", id="not JSON"),
    pytest.param(b"[1, 2]", Refusal.NOT_AN_OBJECT, "", id="not an object"),
    pytest.param(sent(heart_rat=70), Refusal.UNKNOWN_VITAL, "readings[0].heart_rat", id="vital"),
    pytest.param(
        sent(temperature={"value": 37, "unit": "parsec"}),
        Refusal.UNKNOWN_UNIT,
        "readings[0].temperature.unit",
        id="unit",
    ),
    pytest.param(
        sent(spo2=float("nan")), Refusal.NOT_FINITE, "readings[0].spo2", id="NaN is no number"
    ),
    pytest.param(
        sent(spo2=float("inf")), Refusal.NOT_FINITE, "readings[0].spo2", id="infinity neither"
    ),
    pytest.param(sent(heart_rate="70"), Refusal.NOT_A_NUMBER, "readings[0].heart_rate", id="text"),
    pytest.param(
        timed(NOW.replace(tzinfo=None).isoformat()),
        Refusal.NO_TIME_ZONE,
        "readings[0].time",
        id="a time without a zone",
    ),
    pytest.param(
        timed((NOW + timedelta(days=2)).isoformat()),
        Refusal.TIME_AHEAD,
        "readings[0].time",
        id="two days ahead",
    ),
    pytest.param(b"", Refusal.EMPTY, "", id="an empty message"),
    pytest.param(b"x" * (1 << 20), Refusal.TOO_LARGE, "", id="1 MiB of bytes"),
    pytest.param(
        sent(**{f"x{number}": 1 for number in range(10_500)}),
        Refusal.TOO_MANY,
        "readings[0].x10000",
        id="wrong in more places than anybody reads",
    ),
    pytest.param(b'{"seq": ' + b"[" * 100_000, Refusal.TOO_DEEP, "", id="deep nesting"),
    pytest.param(
        json.dumps({"seq": 1, "device": "another", "readings": []}).encode(),
        Refusal.DEVICE_MISMATCH,
        "",
        id="relayed under another device's topic",
    ),
]


@pytest.fixture(scope="module")
def device(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outsider]:
    run = line.admit(tmp_path_factory.mktemp("registry"), 1)
    made = Outsider(f"d-{run}-0", line.devices_url)
    yield made
    made.close()


def refused(line: Line, device: str, reason: Refusal) -> list[Rejected]:
    """Look into the quarantine."""
    found = asyncio.run(quarantine.newest(line.environment["VIGIE_KAFKA"], 200, reason))
    return [one for one in found if one.device == device]


def is_safe(line: Line, device: Outsider) -> None:
    """See that a good message still gets its receipt, and is stored."""
    seq = max(device.sent, default=100) + 1
    device.publish(seq, [instant(NOW + timedelta(milliseconds=seq), heart_rate=70)])
    wait_until(lambda: seq in device.safe, "a receipt for the good message", 30)
    query = "SELECT count(*) FROM readings WHERE device = %s AND time = %s"
    moment = NOW + timedelta(milliseconds=seq)
    wait_until(lambda: line.rows(query, device.name, moment) == [(1,)], "the row", 30)


@pytest.mark.parametrize(("payload", "reason", "at"), BAD)
def test_bad_input_has_a_clear_outcome_and_stops_nothing(
    line: Line, device: Outsider, payload: bytes, reason: Refusal, at: str
) -> None:
    metric = "vigie_gateway_refused_total"
    before = line.metric("gateway", metric, reason=reason.value)
    known = len(refused(line, device.name, reason))
    device.raw(payload)
    wait_until(lambda: len(refused(line, device.name, reason)) > known, "it is in quarantine", 30)
    newest = refused(line, device.name, reason)[0]
    assert (newest.refused[-1].reason, newest.refused[-1].at) == (reason, at)
    assert newest.size == len(payload)
    assert newest.payload == payload[: len(newest.payload)]
    assert len(newest.payload) in {len(payload), 64 * 1024}
    assert newest.by == "gateway-1"
    assert line.metric("gateway", metric, reason=reason.value) == before + 1
    is_safe(line, device)


def test_an_unknown_device_is_refused_and_hears_why(line: Line, device: Outsider) -> None:
    stranger = Outsider(f"stranger-{device.name}", line.devices_url)
    stranger.publish(1, [instant(NOW, heart_rate=70)])
    stranger.wait_for_receipts(30)
    # The device may have sent again before it heard: each copy gets the same answer.
    assert stranger.refused[0] == {"seq": 1, "at": "", "reason": "unknown-device"}
    assert refused(line, stranger.name, Refusal.UNKNOWN_DEVICE)
    assert line.rows("SELECT 1 FROM readings WHERE device = %s", stranger.name) == []
    stranger.close()
    is_safe(line, device)


def test_the_broker_refuses_a_publish_under_another_device_s_topic(
    line: Line, device: Outsider
) -> None:
    intruder = Outsider(f"intruder-{device.name}", line.devices_url)
    heard: list[int] = []
    intruder.client.on_publish = lambda _c, _u, _m, code, _p: heard.append(code.value)
    before = line.metric("gateway", "vigie_gateway_messages_received_total")
    message = json.dumps({"seq": 1, "readings": [instant(NOW, spo2=11)]}).encode()
    intruder.raw(message, topic=f"vigie/v1/{device.name}/readings")
    wait_until(lambda: heard, "the broker's answer", 30)
    assert heard == [0x87], "MQTT 5: not authorized"
    is_safe(line, device)
    assert line.metric("gateway", "vigie_gateway_messages_received_total") >= before + 1
    query = "SELECT 1 FROM readings WHERE device = %s AND vital = 'spo2'"
    assert line.rows(query, device.name) == []
    intruder.close()


def test_what_is_good_in_a_message_is_kept(line: Line, device: Outsider) -> None:
    seq = max(device.sent, default=100) + 1
    time = NOW + timedelta(milliseconds=seq)
    device.publish(seq, [instant(time, heart_rate=71, spo2=400), {"heart_rate": 70}])
    wait_until(lambda: seq in device.safe, "its receipt", 30)
    told = {(one["at"], one["reason"]) for one in device.refused if one["seq"] == seq}
    assert told == {("readings[0].spo2", "out-of-range"), ("readings[1].time", "missing-time")}
    query = "SELECT vital, value FROM readings WHERE device = %s AND time = %s"
    wait_until(lambda: line.rows(query, device.name, time), "the good value", 30)
    assert line.rows(query, device.name, time) == [("heart_rate", 71.0)]
