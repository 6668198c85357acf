"""Bluetooth's bytes: each field in its place, and what is no measurement is no number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ingest.formats import characteristics
from ingest.formats.floats import float32, sfloat
from ingest.formats.gatt import decode
from ingest.readings import Original, Quality, Refusal, Vital

if TYPE_CHECKING:
    from ingest.formats.port import Decoded

NOW = datetime(2026, 11, 24, 3, 0, 5, tzinfo=UTC)
TIME = "2026-11-24T03:00:00Z"
# 2026-11-24 03:00:00 as a characteristic holds it: a wall clock's, without a zone.
INSIDE = "EA070B18030000"


def notified(characteristic: Any, octets: Any, **rest: Any) -> dict[str, Any]:
    return {"characteristic": characteristic, "time": TIME, "hex": octets, **rest}


def read(*notifications: Any, **rest: Any) -> Decoded:
    message = {"seq": 7, "notifications": list(notifications), **rest}
    return decode(json.dumps(message).encode(), "hub-1", NOW)


def told(decoded: Decoded) -> list[tuple[str, str]]:
    return [(one.at.removeprefix("notifications[0]"), one.reason.value) for one in decoded.refused]


def values(decoded: Decoded) -> dict[str, float]:
    assert decoded.refused == []
    [instant] = decoded.instants
    return {vital.value: value for vital, value in instant.values.items()}


@pytest.mark.parametrize(
    ("characteristic", "octets", "expected"),
    [
        # The first four are those of the specification's own readers (standards, section 4).
        ("2a37", "16 50 00 04 80 03", {"heart_rate": 80}),
        (
            "2a35",
            "04 78 00 50 00 5D 00 48 00",
            {"systolic": 120, "diastolic": 80, "mean_pressure": 93, "pulse_rate": 72},
        ),
        ("2a1c", "00 6C 01 00 FF", {"temperature": 36.4}),
        ("2a5f", "00 62 00 40 00", {"spo2": 98, "pulse_rate": 64}),
        ("2a37", "01 2C 01", {"heart_rate": 300}),
        ("2a37", "00 48", {"heart_rate": 72}),
        (
            "2a35",
            f"1E 7800 5000 5D00 {INSIDE} 4800 01 0400",
            {"systolic": 120, "diastolic": 80, "mean_pressure": 93, "pulse_rate": 72},
        ),
        ("2a1c", f"06 6C0100FF {INSIDE} 02", {"temperature": 36.4}),
        ("2a5e", f"0F D9F3 4000 {INSIDE} 8001 000000 0AF0", {"spo2": 98.5, "pulse_rate": 64}),
        (
            "2a5f",
            "1F 6200 4000 6100 4100 6000 4200 8001 000000 0AF0",
            {"spo2": 98, "pulse_rate": 64},
        ),
        ("2a9d", "00 F036", {"weight": 70.32}),
        ("2a9d", f"0E F036 {INSIDE} 01 E600 A406", {"weight": 70.32}),
        ("2a18", f"03 0700 {INSIDE} 3C00 60B0 11", {"glucose": 96}),
        ("2a18", f"0A 0700 {INSIDE} 60B0 11 0108", {"glucose": 96}),
    ],
)
def test_a_characteristic_is_read_to_the_bit(
    characteristic: str, octets: str, expected: dict[str, float]
) -> None:
    assert values(read(notified(characteristic, octets))) == expected


@pytest.mark.parametrize(
    ("characteristic", "octets", "vital", "value", "original"),
    [
        ("2a35", "01 A0F0 6AF0 7CF0", Vital.SYSTOLIC, 120.0102008670737, Original(16.0, "kPa")),
        ("2a1c", "01 DA0300FF", Vital.TEMPERATURE, 37.0, Original(98.6, "[degF]")),
        ("2a9d", "01 483C", Vital.WEIGHT, 69.9983745384, Original(154.32, "[lb_av]")),
        ("2a18", f"06 0700 {INSIDE} 37C0 11", Vital.GLUCOSE, 99.0858, Original(0.0055, "mol/L")),
        ("2a18", f"02 0700 {INSIDE} 60B0 11", Vital.GLUCOSE, 96.0, Original(0.00096, "kg/L")),
    ],
)
def test_another_unit_is_converted_exactly_and_the_original_kept(
    characteristic: str, octets: str, vital: Vital, value: float, original: Original
) -> None:
    [instant] = read(notified(characteristic, octets)).instants
    assert instant.values[vital] == value
    assert instant.original[vital] == original


@pytest.mark.parametrize("special", ["FF07", "0008", "FE07", "0208", "0108"])
def test_a_special_sfloat_is_absent_and_never_a_number(special: str) -> None:
    decoded = read(notified("2a35", f"04 {special} {special} 5D00 {special}"))
    [instant] = decoded.instants
    assert decoded.places == ["notifications[0]"]
    assert instant.values == {Vital.MEAN_PRESSURE: 93.0}
    assert told(decoded) == [
        (".systolic", "absent"),
        (".diastolic", "absent"),
        (".pulse_rate", "absent"),
    ]


def test_the_mantissa_of_a_special_value_with_an_exponent_is_a_number() -> None:
    assert values(read(notified("2a35", "00 FFF7 FEF7 5D00"))) == {
        "systolic": 204.7,
        "diastolic": 204.6,
        "mean_pressure": 93,
    }


@pytest.mark.parametrize("special", ["FFFF7F00", "00008000", "FEFF7F00", "02008000", "01008000"])
def test_a_special_float_is_absent_and_never_a_number(special: str) -> None:
    decoded = read(notified("2a1c", f"00 {special}"))
    assert decoded.instants == []
    assert told(decoded) == [(".temperature", "absent")]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        # HL7's table of FLOAT and SFLOAT values (personal health device guide).
        ("0200", 2.0),
        ("14F0", 2.0),
        ("C8E0", 2.0),
        ("0210", 20.0),
        ("0220", 200.0),
        ("D204", 1234.0),
        ("2E0B", -1234.0),
        ("02000000", 2.0),
        ("140000FF", 2.0),
        ("C80000FE", 2.0),
        ("02000001", 20.0),
        ("02000002", 200.0),
        ("D2040000", 1234.0),
        ("2EFBFF00", -1234.0),
    ],
)
def test_floats_are_those_of_the_guide(octets: str, expected: float) -> None:
    raw = bytes.fromhex(octets)
    assert (sfloat(raw) if len(raw) == 2 else float32(raw)) == expected


@pytest.mark.parametrize(
    ("characteristic", "octets", "absent"),
    [
        pytest.param("2a37", "04 50", ["heart_rate"], id="the strap does not touch the skin"),
        pytest.param("2a9d", "00 FFFF", ["weight"], id="weighing failed"),
        pytest.param("2a5e", "02 6200 4000 0004", ["spo2", "pulse_rate"], id="a demonstration"),
        pytest.param("2a5e", "02 6200 4000 0008", ["spo2", "pulse_rate"], id="a test"),
        pytest.param("2a5e", "02 6200 4000 0020", ["spo2", "pulse_rate"], id="unavailable"),
        pytest.param("2a5f", "04 6200 4000 0080", ["spo2", "pulse_rate"], id="invalid"),
        pytest.param("2a5f", "08 6200 4000 000800", ["spo2", "pulse_rate"], id="sensor off"),
        pytest.param("2a5e", "04 6200 4000 008000", ["spo2", "pulse_rate"], id="sensor unplugged"),
        pytest.param("2a18", f"00 0700 {INSIDE}", ["glucose"], id="no concentration in it"),
        pytest.param("2a18", f"02 0700 {INSIDE} 60B0 1A", ["glucose"], id="control solution"),
        pytest.param("2a18", f"02 0700 {INSIDE} 60B0 41", ["glucose"], id="from no body"),
        pytest.param("2a18", f"0A 0700 {INSIDE} 60B0 11 0400", ["glucose"], id="too little blood"),
    ],
)
def test_what_the_device_declares_void_is_absent(
    characteristic: str, octets: str, absent: list[str]
) -> None:
    decoded = read(notified(characteristic, octets))
    assert decoded.instants == []
    assert told(decoded) == [(f".{vital}", "absent") for vital in absent]


@pytest.mark.parametrize(
    ("characteristic", "octets", "doubted"),
    [
        pytest.param(
            "2a35",
            "14 7800 5000 5D00 4800 0100",
            {"systolic", "diastolic", "mean_pressure", "pulse_rate"},
            id="the body moved",
        ),
        pytest.param(
            "2a35",
            "10 7800 5000 5D00 0200",
            {"systolic", "diastolic", "mean_pressure"},
            id="cuff loose",
        ),
        pytest.param(
            "2a35", "14 7800 5000 5D00 4800 0800", {"pulse_rate"}, id="pulse out of range"
        ),
        pytest.param(
            "2a35", "14 7800 5000 5D00 4800 0400", set(), id="an irregular pulse is a finding"
        ),
        pytest.param("2a5e", "02 6200 4000 4000", {"spo2", "pulse_rate"}, id="early estimate"),
        pytest.param("2a5e", "02 6200 4000 0002", set(), id="stored, with a time of its own"),
        pytest.param("2a5f", "04 6200 4000 0002", {"spo2", "pulse_rate"}, id="stored, without one"),
        pytest.param("2a5f", "04 6200 4000 0040", {"spo2", "pulse_rate"}, id="questionable"),
        pytest.param("2a5f", "04 6200 4000 2001", set(), id="under way, fully qualified"),
        pytest.param("2a5f", "08 6200 4000 200000", {"spo2", "pulse_rate"}, id="low perfusion"),
    ],
)
def test_what_the_device_itself_doubts_is_kept_and_marked(
    characteristic: str, octets: str, doubted: set[str]
) -> None:
    decoded = read(notified(characteristic, octets))
    assert decoded.refused == []
    [instant] = decoded.instants
    assert {v.value for v, q in instant.quality.items() if q == Quality.SUSPECT} == doubted


@pytest.mark.parametrize(
    ("characteristic", "octets", "shortest"),
    [
        ("2a37", "16 50 00 04 80 03", 2),
        ("2a37", "09 5000 0100", 5),
        ("2a35", f"1E 7800 5000 5D00 {INSIDE} 4800 01 0400", 19),
        ("2a1c", f"06 6C0100FF {INSIDE} 02", 13),
        ("2a5e", f"0F 6200 4000 {INSIDE} 8001 000000 0AF0", 19),
        ("2a5f", "1F 6200 4000 6100 4100 6000 4200 8001 000000 0AF0", 20),
        ("2a9d", f"0E F036 {INSIDE} 01 E600 A406", 15),
        ("2a18", f"0B 0700 {INSIDE} 3C00 60B0 11 0100", 17),
    ],
)
def test_bytes_that_end_before_their_flags_say_are_truncated(
    characteristic: str, octets: str, shortest: int
) -> None:
    whole = bytes.fromhex(octets)
    for length in range(len(whole) + 1):
        decoded = read(notified(characteristic, whole[:length].hex()))
        cut = told(decoded) == [(".hex", "truncated")]
        assert cut == (length < shortest)
    later = read(notified(characteristic, octets + "00 00"))  # fields of a later version
    assert later.instants


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        pytest.param(notified("2a37", "0"), (".hex", "bad-hex"), id="half a byte"),
        pytest.param(notified("2a37", "0x0048"), (".hex", "bad-hex"), id="with 0x"),
        pytest.param(
            notified("2a37", "\uff10\uff1048"), (".hex", "bad-hex"), id="digits of another script"
        ),
        pytest.param(notified("2a37", 48), (".hex", "bad-hex"), id="a number"),
        pytest.param(notified("2a37", None), (".hex", "bad-hex"), id="null"),
        pytest.param(notified("2a37", "00" * 513), (".hex", "bad-hex"), id="longer than any value"),
        pytest.param(notified("2a37", " " * 9999), (".hex", "bad-hex"), id="blanks for ever"),
        pytest.param(notified("2a37", ""), (".hex", "truncated"), id="nothing"),
        pytest.param(notified("2a36", "00"), (".characteristic", "unsupported"), id="cuff filling"),
        pytest.param(notified(0x2A37, "00"), (".characteristic", "unsupported"), id="a number"),
        pytest.param(notified(None, "00"), (".characteristic", "unsupported"), id="none"),
        pytest.param(
            {"characteristic": "2a37", "hex": "0048"}, (".time", "missing-time"), id="no time"
        ),
        pytest.param(notified("2a37", "0048", time=None), (".time", "bad-time"), id="null time"),
        pytest.param(
            notified("2a37", "0048", time="2026-11-24T03:00:00"),
            (".time", "no-time-zone"),
            id="zone",
        ),
        pytest.param("2a37", ("", "not-an-object"), id="text"),
        pytest.param(notified("2a37", "01 5E01 01"), None, id="the highest that is believed"),
        pytest.param(notified("2a37", "01 FFFF"), (".heart_rate", "out-of-range"), id="65535"),
    ],
)
def test_a_notification_that_is_wrong_is_refused_where_it_is(
    notification: Any, expected: tuple[str, str] | None
) -> None:
    assert told(read(notification)) == ([expected] if expected else [])


def test_the_time_inside_a_characteristic_is_not_used_even_when_there_is_no_other() -> None:
    inside = f"02 7800 5000 5D00 {INSIDE}"
    assert told(read({"characteristic": "2a35", "hex": inside})) == [(".time", "missing-time")]
    [instant] = read(notified("2a35", inside, time="2026-11-24T02:00:00Z")).instants
    assert instant.time == datetime(2026, 11, 24, 2, tzinfo=UTC)


def test_a_number_of_the_bluetooth_sig_may_be_written_in_full() -> None:
    full = "00002A37-0000-1000-8000-00805F9B34FB"
    assert values(read(notified(full, "0048"))) == {"heart_rate": 72}
    assert characteristics.known(full.replace("34FB", "34FC")) is None


@pytest.mark.parametrize(
    ("message", "reason", "at"),
    [
        (b"[]", Refusal.NOT_AN_OBJECT, ""),
        (b'{"notifications": []}', Refusal.BAD_SEQ, "seq"),
        (b'{"seq": true, "notifications": []}', Refusal.BAD_SEQ, "seq"),
        (b'{"seq": 7, "device": "x", "notifications": [{}]}', Refusal.DEVICE_MISMATCH, ""),
        (b'{"seq": 7, "notifications": []}', Refusal.BAD_READINGS, "notifications"),
        (b'{"seq": 7}', Refusal.BAD_READINGS, "notifications"),
    ],
)
def test_an_envelope_that_is_wrong_is_refused_as_a_whole(
    message: bytes, reason: Refusal, at: str
) -> None:
    decoded = decode(message, "hub-1", NOW)
    assert [(one.reason, one.at) for one in decoded.refused] == [(reason, at)]
    assert decoded.instants == []
