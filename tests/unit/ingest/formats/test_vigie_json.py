"""From bytes to instants and named refusals: never an exception, never a value that is not one."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.codec import encode
from ingest.formats import vigie_json
from ingest.formats.port import MESSAGE_BYTES, Decoded
from ingest.formats.vigie_json import READINGS, decode
from ingest.readings import SPECS, Original, Quality, Refusal, Vital
from tests.contract.mutations import changed

NOW = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
TIME = "2026-11-24T03:00:00Z"


def message(*readings: Any, seq: Any = 7, **rest: Any) -> bytes:
    return json.dumps({"seq": seq, "readings": list(readings), **rest}).encode()


def told(decoded: Decoded) -> list[tuple[str, str]]:
    return [(one.at, one.reason.value) for one in decoded.refused]


def test_a_good_message_comes_whole() -> None:
    decoded = decode(
        message(
            {"time": TIME, "heart_rate": 72, "spo2": 97.5, "consciousness": "V"},
            {"time": "2026-11-24T04:00:01.250+01:00", "supplemental_oxygen": True},
        ),
        "dev-1",
        NOW,
    )
    assert (decoded.seq, decoded.refused) == (7, [])
    first, second = decoded.instants
    assert first.values == {Vital.HEART_RATE: 72, Vital.SPO2: 97.5, Vital.CONSCIOUSNESS: 2}
    assert first.time == datetime(2026, 11, 24, 3, tzinfo=UTC)
    assert second.values == {Vital.SUPPLEMENTAL_OXYGEN: 1}
    assert second.time == datetime(2026, 11, 24, 3, 0, 1, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "reason", "seq", "at"),
    [
        pytest.param(b"", "empty", None, "", id="nothing"),
        pytest.param(b"  \n", "empty", None, "", id="blanks"),
        pytest.param(b"\xff\xfe{", "not-json", None, "", id="not UTF-8"),
        pytest.param(b"{", "not-json", None, "", id="cut off"),
        pytest.param(b"null", "not-an-object", None, "", id="null"),
        pytest.param(b"[" * 50_000, "too-deep", None, "", id="deep nesting"),
        pytest.param(b" " * (MESSAGE_BYTES + 1), "too-large", None, "", id="too large"),
        pytest.param(message(seq=0), "bad-seq", None, "seq", id="seq is positive"),
        pytest.param(message(seq=True), "bad-seq", None, "seq", id="true is no seq"),
        pytest.param(message(seq="7"), "bad-seq", None, "seq", id="text is no seq"),
        pytest.param(message(seq=1 << 70), "bad-seq", None, "seq", id="seq has 63 bits"),
        pytest.param(b'{"seq": 7}', "bad-readings", 7, "readings", id="no readings"),
        pytest.param(message(), "bad-readings", 7, "readings", id="an empty list"),
        pytest.param(
            message(*({},) * (READINGS + 1)),
            "bad-readings",
            7,
            "readings",
            id="a flood",
        ),
        pytest.param(message(device="other"), "device-mismatch", 7, "", id="another device"),
    ],
)
def test_a_message_that_is_refused_as_a_whole(
    payload: bytes, reason: str, seq: int | None, at: str
) -> None:
    decoded = decode(payload, "dev-1", NOW)
    assert (decoded.seq, decoded.instants, told(decoded)) == (seq, [], [(at, reason)])


@pytest.mark.parametrize(
    ("reading", "at", "reason"),
    [
        pytest.param({"time": TIME, "pulse": 70}, "pulse", "unknown-vital", id="unknown vital"),
        pytest.param({"time": TIME, "spo2": None}, "spo2", "null", id="null is refused"),
        pytest.param({"time": TIME, "spo2": "97"}, "spo2", "not-a-number", id="text"),
        pytest.param({"time": TIME, "spo2": True}, "spo2", "not-a-number", id="true"),
        pytest.param({"time": TIME, "spo2": [97]}, "spo2", "not-a-number", id="a list"),
        pytest.param({"time": TIME, "spo2": math.nan}, "spo2", "not-finite", id="NaN"),
        pytest.param({"time": TIME, "spo2": -math.inf}, "spo2", "not-finite", id="infinity"),
        pytest.param({"time": TIME, "spo2": 101}, "spo2", "out-of-range", id="above the limit"),
        pytest.param({"time": TIME, "spo2": -1}, "spo2", "out-of-range", id="below the limit"),
        pytest.param(
            {"time": TIME, "consciousness": "X"}, "consciousness", "unknown-code", id="not ACVPU"
        ),
        pytest.param(
            {"time": TIME, "consciousness": "AC"}, "consciousness", "unknown-code", id="two letters"
        ),
        pytest.param(
            {"time": TIME, "supplemental_oxygen": 1},
            "supplemental_oxygen",
            "unknown-code",
            id="oxygen is true or false",
        ),
        pytest.param(
            {"time": TIME, "weight": {"value": 70, "unit": "stone"}},
            "weight.unit",
            "unknown-unit",
            id="unknown unit",
        ),
        pytest.param(
            {"time": TIME, "heart_rate": {"value": 70, "unit": "mm[Hg]"}},
            "heart_rate.unit",
            "unit-contradicts-code",
            id="another vital's unit",
        ),
        pytest.param(
            {"time": TIME, "weight": {"value": 70}}, "weight.unit", "unknown-unit", id="no unit"
        ),
        pytest.param(
            {"time": TIME, "weight": {"value": "70", "unit": "kg"}},
            "weight.value",
            "not-a-number",
            id="text with a unit",
        ),
        pytest.param(
            {"time": TIME, "weight": {"value": None, "unit": "kg"}},
            "weight.value",
            "null",
            id="null with a unit",
        ),
        pytest.param(
            {"time": TIME, "weight": {"value": 70, "unit": "kg", "by": "me"}},
            "weight.by",
            "unknown-field",
            id="a field too many",
        ),
        pytest.param({"spo2": 97}, "time", "missing-time", id="no time"),
        pytest.param({"time": 5, "spo2": 97}, "time", "bad-time", id="a time as number"),
        pytest.param({"time": "yesterday", "spo2": 97}, "time", "bad-time", id="words"),
        pytest.param({"time": "2026-11-24", "spo2": 97}, "time", "bad-time", id="a day"),
        pytest.param(
            {"time": "2026-11-24T03:00:00", "spo2": 97}, "time", "no-time-zone", id="no zone"
        ),
        pytest.param(
            {"time": "2026-11-24T03:15:06Z", "spo2": 97}, "time", "time-ahead", id="far ahead"
        ),
        pytest.param(
            {"time": "2001-01-01T00:00:00Z", "spo2": 97}, "time", "time-too-old", id="too old"
        ),
    ],
)
def test_what_is_wrong_has_its_place_and_the_rest_is_kept(
    reading: dict[str, Any], at: str, reason: str
) -> None:
    decoded = decode(message({"time": TIME, "heart_rate": 70}, reading), "dev-1", NOW)
    assert told(decoded) == [(f"readings[1].{at}", reason)]
    assert [instant.values for instant in decoded.instants] == [{Vital.HEART_RATE: 70}]


def test_one_bad_vital_does_not_take_the_others_of_its_instant() -> None:
    decoded = decode(message({"time": TIME, "heart_rate": 70, "spo2": 400}), "dev-1", NOW)
    assert told(decoded) == [("readings[0].spo2", "out-of-range")]
    assert decoded.instants[0].values == {Vital.HEART_RATE: 70}


def test_an_instant_without_a_vital_is_named() -> None:
    assert told(decode(message({"time": TIME}), "dev-1", NOW)) == [("readings[0]", "no-vitals")]


def test_a_number_too_large_for_a_float_is_not_finite() -> None:
    payload = b'{"seq": 1, "readings": [{"time": "2026-11-24T03:00:00Z", "spo2": 1e999}]}'
    assert told(decode(payload, "dev-1", NOW)) == [("readings[0].spo2", "not-finite")]


def test_other_units_are_converted_and_the_original_is_kept() -> None:
    sent = {"time": TIME, "temperature": {"value": 98.6, "unit": "[degF]"}, "weight": 70}
    (instant,) = decode(message(sent), "dev-1", NOW).instants
    assert instant.values[Vital.TEMPERATURE] == pytest.approx(37.0, abs=1e-9)
    assert instant.original == {Vital.TEMPERATURE: Original(98.6, "[degF]")}


def test_what_can_hardly_be_is_kept_and_marked() -> None:
    ahead = NOW + timedelta(minutes=5)
    first, second = decode(
        message(
            {"time": TIME, "spo2": 40, "heart_rate": 70}, {"time": ahead.isoformat(), "spo2": 97}
        ),
        "dev-1",
        NOW,
    ).instants
    assert first.quality == {Vital.SPO2: Quality.SUSPECT}
    assert second.quality == {Vital.SPO2: Quality.AHEAD}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.sampled_from([*Vital, "time", "unit", "value", "x"])
READING = st.dictionaries(NAMES, JSON | st.just(TIME) | st.floats(0, 400))


@given(
    st.binary()
    | st.builds(lambda r: message(*r), st.lists(READING))
    | JSON.map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_end_in_instants_or_named_refusals(payload: bytes) -> None:
    decoded = decode(payload, "dev-1", NOW)
    assert decoded.instants or decoded.refused
    for refused in decoded.refused:
        assert refused.reason in Refusal
    for instant in decoded.instants:
        assert instant.time.tzinfo is UTC
        assert instant.values
        for vital, value in instant.values.items():
            assert math.isfinite(value)
            assert value in SPECS[vital].hard


VALUES = st.fixed_dictionaries(
    {"time": st.just(TIME) | st.just("2026-11-24T04:30:00.5+01:30")},
    optional={
        **{name: st.integers(0, 400) | st.floats(0, 400) for name in vigie_json._PLAIN},
        "consciousness": st.sampled_from("ACVPU"),
        "supplemental_oxygen": st.booleans(),
    },
)


@given(st.lists(VALUES, max_size=3))
def test_the_common_way_and_the_slow_one_say_the_same(readings: list[dict[str, Any]]) -> None:
    payload = message(*readings)
    fast, slow = decode(payload, "dev-1", NOW), vigie_json._slowly(payload, "dev-1", NOW)
    assert (fast.seq, fast.instants, fast.refused) == (slow.seq, slow.instants, slow.refused)
    assert list(fast.places) == list(slow.places)


def alike(payload: bytes) -> None:
    """See that a message comes to the same, to the last bit, whichever way it is read."""
    fast, slow = decode(payload, "dev-1", NOW), vigie_json._slowly(payload, "dev-1", NOW)
    ways = [
        (
            found.seq,
            [
                (i.time, sorted((v, repr(x)) for v, x in i.values.items()), i.quality, i.original)
                for i in found.instants
            ],
            found.refused,
            list(found.places),
        )
        for found in (fast, slow)
    ]
    assert ways[0] == ways[1]


@pytest.mark.parametrize(
    "fields",
    [
        *[b'"spo2": ' + number for number in (b"-0", b"-0.0", b"9.7e1", b"97E0", b"1e-400")],
        *[b'"steps": ' + number for number in (b"-0.0", b"5e-324", b"59999.999999999999999999")],
        *[b'"spo2": ' + number for number in (b"9007199254740993", b"1" + b"0" * 30, b"true")],
        b'"spo2": 970, "spo2": 97',
        b'"spo2": 97, "spo2": 970',
        b'"spo2": null, "spo2": 97',
        b'"spo2": 97, "time": "2026-11-24T02:00:00Z"',
        *[
            b'"spo2": 97, "time": "' + time + b'"'
            for time in (b"2026-11-24T03:00:00.1234567z", b"2026-11-24 03:00:00-00:00", b"0001")
        ],
        b'"spo2": 97}, {"time": "0001-01-01T00:00:00+14:00", "spo2": 97',
        b'"consciousness": "\\u0041"',
    ],
)
def test_an_odd_reading_is_read_alike_both_ways(fields: bytes) -> None:
    alike(b'{"seq": 7, "readings": [{"time": "2026-11-24T03:00:00Z", ' + fields + b"}]}")


@pytest.mark.parametrize(
    "beside",
    [
        *[b'"seq": ' + seq for seq in (b"9223372036854775807", b"9223372036854775808", b"7.0")],
        *[b'"seq": ' + seq for seq in (b"7e0", b"true", b'"x", "seq": 8', b"1" + b"0" * 400)],
        b'"seq": 7, "device": "dev-2", "device": "dev-1"',
        b'"seq": 7, "device": null',
        b'"seq": 7, "readings": []',
        *[
            b'"seq": 7, "x": ' + unread
            for unread in (b'"\xff\xfe"', b"9" * 5000, b"1e999", b"NaN", b"[" * 400 + b"]" * 400)
        ],
        b'"seq": 7, "\xff": 1',
    ],
)
def test_an_odd_message_is_read_alike_both_ways(beside: bytes) -> None:
    alike(b"{" + beside + b', "readings": [{"time": "2026-11-24T03:00:00Z", "spo2": 97}]}')


@given(st.lists(VALUES, min_size=1, max_size=3), st.integers(0, 2**32))
def test_a_message_made_wrong_is_read_alike_both_ways(
    readings: list[dict[str, Any]], seed: int
) -> None:
    payload, random = message(*readings), Random(seed)
    for _ in range(20):
        alike(changed(payload, random, [payload]))


def test_half_a_surrogate_pair_in_a_unit_can_be_written_into_the_log() -> None:
    payload = (
        b'{"seq": 1, "readings": [{"time": "2026-11-24T03:00:00Z", '
        b'"heart_rate": {"value": 70, "unit": "{\\ud800}/min"}}]}'
    )
    (instant,) = decode(payload, "dev-1", NOW).instants
    assert encode(instant)
