"""Writers of devices' bytes for the conformance suite: Bluetooth GATT, and vendor JSON.

They stand on the specifications' words: IEEE 11073-20601 for the numbers, the Bluetooth SIG's
services for the fields.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ingest.formats.template import Template
from ingest.formats.template_file import Form, TemplateFile, TimeRule, UnitRule, VitalRule
from ingest.readings import SPECS, Instant, Vital
from ingest.units import conversion
from tests.contract.drawn import RECEIVED, note, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hypothesis.strategies import DrawFn

SFLOAT_MOST, FLOAT_MOST = 2047, 8_388_605

# What a characteristic tells: its vitals, in one of its units, with so many decimal places.
PRESSURES = (Vital.SYSTOLIC, Vital.DIASTOLIC, Vital.MEAN_PRESSURE)
GROUPS: dict[str, tuple[tuple[Vital, ...], tuple[tuple[str, int], ...]]] = {
    "2a37": ((Vital.HEART_RATE,), (("/min", 0),)),
    "2a35": (PRESSURES, (("mm[Hg]", 0), ("mm[Hg]", 1), ("kPa", 1), ("kPa", 2))),
    "2a1c": ((Vital.TEMPERATURE,), (("Cel", 1), ("Cel", 2), ("[degF]", 1), ("[degF]", 3))),
    "2a5f": ((Vital.SPO2,), (("%", 0), ("%", 1))),
    "2a9d": ((Vital.WEIGHT,), (("kg", 3), ("[lb_av]", 2))),
    "2a18": ((Vital.GLUCOSE,), (("kg/L", 5), ("mol/L", 4), ("mol/L", 5))),
}


def moments(draw: DrawFn) -> list[datetime]:
    steps = st.integers(0, 10**9).map(lambda n: RECEIVED - timedelta(milliseconds=n))
    return draw(st.lists(steps, min_size=1, max_size=3, unique=True))


@st.composite
def notifications(draw: DrawFn) -> list[Instant]:
    """Draw what a hub can relay: each instant a few characteristics, whole."""
    return [_relayed(draw, moment) for moment in moments(draw)]


def _relayed(draw: DrawFn, time: datetime) -> Instant:
    found = Instant(time, {}, {}, {})
    for short in draw(st.lists(st.sampled_from(list(GROUPS)), min_size=1, unique=True)):
        vitals, units = GROUPS[short]
        unit, places = draw(st.sampled_from(units))
        for vital in vitals:
            _believable(draw, found, vital, unit, places)
        if short == "2a5f" or (short == "2a35" and draw(st.booleans())):
            found.values.pop(Vital.PULSE_RATE, None)
            found.quality.pop(Vital.PULSE_RATE, None)
            _believable(draw, found, Vital.PULSE_RATE, "/min", 0)
    return found


def _believable(draw: DrawFn, found: Instant, vital: Vital, unit: str, places: int) -> None:
    """Draw a number of so many decimal places between the limits of what is believed."""
    convert = conversion(vital, unit)
    assert convert is not None
    zero = convert(0)
    slope = (convert(1000) - zero) / 1000
    low, high = (int((limit - zero) / slope * 10**places) for limit in SPECS[vital].hard)
    if vital is Vital.WEIGHT:
        step = 5 if unit == "kg" else 1
        steps = draw(st.integers(0, min(high // step - 1, 0xFFFE)))
        given = steps * step / 10**places
    else:
        most = FLOAT_MOST if vital is Vital.TEMPERATURE else SFLOAT_MOST
        given = draw(st.integers(low + 1, min(high - 1, most))) / 10**places
    note(found, vital, given, unit)
    assert vital in found.values


def gatt(instants: Sequence[Instant]) -> bytes:
    """Write instants as a hub relays them."""
    relayed = [
        {"characteristic": short, "time": instant.time.isoformat(), "hex": octets.hex()}
        for instant in instants
        for short, octets in _characteristics(instant)
    ]
    return json.dumps({"seq": 7, "notifications": relayed}).encode()


def _characteristics(instant: Instant) -> Iterator[tuple[str, bytes]]:
    has, give = instant.values, partial(written, instant)
    if Vital.HEART_RATE in has:
        rate = int(give(Vital.HEART_RATE)[0])
        yield "2A37", bytes([1, *rate.to_bytes(2, "little")])
    if Vital.SYSTOLIC in has:
        unit = give(Vital.SYSTOLIC)[1]
        pressures = b"".join(sfloat(give(vital)[0]) for vital in PRESSURES)
        pulse = sfloat(has[Vital.PULSE_RATE]) if Vital.PULSE_RATE in has else b""
        yield "2a35", bytes([(unit == "kPa") | 4 * bool(pulse)]) + pressures + pulse
    if Vital.TEMPERATURE in has:
        value, unit = give(Vital.TEMPERATURE)
        yield "00002a1c-0000-1000-8000-00805f9b34fb", bytes([unit == "[degF]"]) + float32(value)
    if Vital.SPO2 in has:
        yield "2a5f", bytes([0]) + sfloat(has[Vital.SPO2]) + sfloat(has[Vital.PULSE_RATE])
    if Vital.WEIGHT in has:
        value, unit = give(Vital.WEIGHT)
        steps = round(value * 200) if unit == "kg" else round(value * 100)
        yield "2a9d", bytes([unit != "kg", *steps.to_bytes(2, "little")])
    if Vital.GLUCOSE in has:
        value, unit = give(Vital.GLUCOSE)
        head = bytes([2 | 4 * (unit == "mol/L"), 7, 0, *bytes(7)])
        yield "2a18", head + sfloat(value) + bytes([0x11])


def sfloat(value: float) -> bytes:
    """Write a number in 16 bits: an exponent of 4, a mantissa of 12."""
    mantissa, exponent = _decimal(value)
    assert abs(mantissa) <= SFLOAT_MOST
    return ((exponent & 0xF) << 12 | mantissa & 0xFFF).to_bytes(2, "little")


def float32(value: float) -> bytes:
    """Write a number in 32 bits: an exponent of 8, a mantissa of 24."""
    mantissa, exponent = _decimal(value)
    assert abs(mantissa) <= FLOAT_MOST
    return ((exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "little")


def _decimal(value: float) -> tuple[int, int]:
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    mantissa = int("".join(map(str, digits)))
    return (-mantissa if sign else mantissa), exponent


# Vendor JSON: everything required, so that nothing that goes missing does so in silence.

_WORDS = {"F": "[degF]", "C": "Cel", "K": "K"}
VENDOR = Template(
    TemplateFile(
        name="conformance",
        description="all that a template can say",
        match="kind == 'vitals'",
        seq="n",
        each="samples",
        time=TimeRule("t", Form.UNIX_MILLISECONDS),
        vitals=(
            VitalRule(Vital.HEART_RATE, "hr", "/min", required=True),
            VitalRule(
                Vital.TEMPERATURE, "temp.v", UnitRule("temp.u", _WORDS), absent=(-1,), required=True
            ),
            VitalRule(Vital.GLUCOSE, "values[?k=='glu'].v | [0]", "mmol/L", required=True),
            VitalRule(Vital.SYSTOLIC, "bp[0]", "kPa", required=True),
            VitalRule(
                Vital.CONSCIOUSNESS, "avpu", codes={each: each for each in "ACVPU"}, required=True
            ),
        ),
    ),
    "the conformance suite",
)


@st.composite
def samples(draw: DrawFn) -> list[Instant]:
    """Draw what that vendor's devices tell: every vital, each time."""
    return [_sample(draw, moment) for moment in moments(draw)]


def _sample(draw: DrawFn, time: datetime) -> Instant:
    found = Instant(time, {}, {}, {})
    warmth = draw(st.sampled_from(list(_WORDS.values())))
    for vital, unit, places in (
        (Vital.HEART_RATE, "/min", 0),
        (Vital.TEMPERATURE, warmth, 2),
        (Vital.GLUCOSE, "mmol/L", 1),
        (Vital.SYSTOLIC, "kPa", 1),
    ):
        _believable(draw, found, vital, unit, places)
    note(found, Vital.CONSCIOUSNESS, draw(st.integers(0, 4)), "{ACVPU}")
    return found


def vendor(instants: Sequence[Instant]) -> bytes:
    """Write instants as that vendor does."""
    return json.dumps(
        {"kind": "vitals", "n": 7, "samples": [_vendor_sample(each) for each in instants]}
    ).encode()


def _vendor_sample(instant: Instant) -> dict[str, object]:
    give: Callable[[Vital], tuple[float, str]] = partial(written, instant)
    warmth, unit = give(Vital.TEMPERATURE)
    return {
        "t": round(instant.time.timestamp() * 1000),
        "hr": instant.values[Vital.HEART_RATE],
        "temp": {"v": warmth, "u": next(word for word, code in _WORDS.items() if code == unit)},
        "values": [{"k": "glu", "v": give(Vital.GLUCOSE)[0]}],
        "bp": [give(Vital.SYSTOLIC)[0], None],
        "avpu": "ACVPU"[int(instant.values[Vital.CONSCIOUSNESS])],
    }
