"""Bluetooth GATT characteristics that tell a vital: what their bytes mean.

By the Bluetooth SIG's service specifications: Heart Rate 1.0, Blood Pressure 1.1, Health
Thermometer 1.0, Pulse Oximeter 1.0.1, Weight Scale 1.0.1, Glucose 1.0.1. All are little-endian and
begin with flags that say which fields follow. What follows the fields we know is for later versions
and is left alone. A time inside is not read: it is the device's local time and names no zone.

What the device says of its own measurement is heeded. `None` is a value that it does not have, or
says is void, or is no patient's (a demonstration, a control solution); `Quality.SUSPECT` marks one
that it gives and does not trust itself.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ingest.formats.floats import float32, sfloat
from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIME_BYTES = 7

# Pulse Oximeter Service, Measurement Status: for demonstration, for testing, unavailable, invalid.
_PLX_VOID = 1 << 10 | 1 << 11 | 1 << 13 | 1 << 15
# Early estimate, calibration under way, questionable.
_PLX_DOUBT = 1 << 6 | 1 << 12 | 1 << 14
# From the device's storage: a continuous measurement has no time of its own, so the hub's is wrong.
_PLX_STORED = 1 << 9
# Device and Sensor Status: equipment malfunction; sensor off the user, malfunctioning, unplugged.
_SENSOR_VOID = 1 << 1 | 1 << 11 | 1 << 14 | 1 << 15
# Signal irregular, inadequate, poor, weakly perfused, erratic, without pulse; pulse questionable;
# interference; unknown sensor, displaced sensor.
_SENSOR_DOUBT = 0b1_1111_1100 | 1 << 10 | 1 << 12 | 1 << 13
# Blood Pressure Measurement Status: body moved, cuff loose, wrong position. An irregular pulse is
# the patient's, not the measurement's.
_CUFF_DOUBT = 1 << 0 | 1 << 1 | 1 << 5
_PULSE_RANGE = 0b11 << 3  # above or below what the device can count
# Glucose, Sensor Status Annunciation: all but a low battery and a wrong time void the result.
_STRIP_VOID = 0b0111_1111_1110
_CONTROL_SOLUTION_TYPE, _CONTROL_SOLUTION_PLACE = 10, 4
_WEIGHT_FAILED = 0xFFFF
_CONTACT, _CONTACT_LOST = 0b110, 0b100


class TooShortError(Exception):
    """The bytes end before the fields that their flags announce."""


class Told(NamedTuple):
    """One value as the device gave it, with its UCUM unit; None: it says that it has none."""

    vital: Vital
    value: float | None
    unit: str
    doubt: Quality = Quality.GOOD


class _Octets:
    """Takes a characteristic's bytes from the front. Raises TooShortError."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    def take(self, count: int) -> bytes:
        """Return the next so many bytes."""
        end = self._at + count
        if end > len(self._octets):
            raise TooShortError
        taken = self._octets[self._at : end]
        self._at = end
        return taken

    def number(self, count: int) -> int:
        """Return the next so many bytes as an unsigned number."""
        return int.from_bytes(self.take(count), "little")

    def sfloat(self) -> float | None:
        """Return the next two bytes as an SFLOAT."""
        return sfloat(self.take(2))


def _heart_rate(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    rate: float | None = octets.number(2 if flags & 1 else 1)
    if flags & 0b1000:
        octets.take(2)  # energy expended
    if flags & _CONTACT == _CONTACT_LOST:
        rate = None  # the sensor can tell, and does not touch the skin
    return [Told(Vital.HEART_RATE, rate, "/min")]


def _blood_pressure(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    unit = "kPa" if flags & 1 else "mm[Hg]"
    systolic, diastolic, mean = octets.sfloat(), octets.sfloat(), octets.sfloat()
    octets.take(TIME_BYTES if flags & 0b10 else 0)
    pulse = octets.sfloat() if flags & 0b100 else None
    octets.take(1 if flags & 0b1000 else 0)  # which of the device's users
    status = octets.number(2) if flags & 0b1_0000 else 0
    doubt = Quality.SUSPECT if status & _CUFF_DOUBT else Quality.GOOD
    told = [
        Told(Vital.SYSTOLIC, systolic, unit, doubt),
        Told(Vital.DIASTOLIC, diastolic, unit, doubt),
        Told(Vital.MEAN_PRESSURE, mean, unit, doubt),
    ]
    if flags & 0b100:
        beyond = Quality.SUSPECT if status & _PULSE_RANGE else Quality.GOOD
        told.append(Told(Vital.PULSE_RATE, pulse, "/min", doubt | beyond))
    return told


def _temperature(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    value = float32(octets.take(4))
    octets.take(TIME_BYTES if flags & 0b10 else 0)
    octets.take(1 if flags & 0b100 else 0)  # where on the body
    return [Told(Vital.TEMPERATURE, value, "[degF]" if flags & 1 else "Cel")]


def _spot_check(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    saturation, pulse = octets.sfloat(), octets.sfloat()
    octets.take(TIME_BYTES if flags & 1 else 0)
    status = octets.number(2) if flags & 0b10 else 0
    sensor = octets.number(3) if flags & 0b100 else 0
    octets.take(2 if flags & 0b1000 else 0)  # pulse amplitude
    return _oximetry(saturation, pulse, status, sensor, _PLX_DOUBT)


def _continuous(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    saturation, pulse = octets.sfloat(), octets.sfloat()
    octets.take(4 if flags & 1 else 0)  # the same, averaged over a shorter
    octets.take(4 if flags & 0b10 else 0)  # and over a longer time
    status = octets.number(2) if flags & 0b100 else 0
    sensor = octets.number(3) if flags & 0b1000 else 0
    octets.take(2 if flags & 0b1_0000 else 0)  # pulse amplitude
    return _oximetry(saturation, pulse, status, sensor, _PLX_DOUBT | _PLX_STORED)


def _oximetry(
    saturation: float | None, pulse: float | None, status: int, sensor: int, doubtful: int
) -> list[Told]:
    if status & _PLX_VOID or sensor & _SENSOR_VOID:
        saturation = pulse = None
    doubted = status & doubtful or sensor & _SENSOR_DOUBT
    doubt = Quality.SUSPECT if doubted else Quality.GOOD
    return [
        Told(Vital.SPO2, saturation, "%", doubt),
        Told(Vital.PULSE_RATE, pulse, "/min", doubt),
    ]


def _weight(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    steps = octets.number(2)
    octets.take(TIME_BYTES if flags & 0b10 else 0)
    octets.take(1 if flags & 0b100 else 0)  # which of the device's users
    octets.take(4 if flags & 0b1000 else 0)  # body mass index and height
    # In steps of 0.01 lb or 0.005 kg; dividing gives the nearest double to the decimal.
    value, unit = (steps / 100, "[lb_av]") if flags & 1 else (steps / 200, "kg")
    return [Told(Vital.WEIGHT, None if steps == _WEIGHT_FAILED else value, unit)]


def _glucose(octets: _Octets) -> list[Told]:
    flags = octets.number(1)
    octets.take(2 + TIME_BYTES)  # its own number, and its own time
    octets.take(2 if flags & 1 else 0)  # minutes to add to it
    value = None
    kind = place = 0
    if flags & 0b10:
        value = octets.sfloat()
        both = octets.number(1)
        kind, place = both & 0xF, both >> 4
    status = octets.number(2) if flags & 0b1000 else 0
    if (
        status & _STRIP_VOID
        or kind == _CONTROL_SOLUTION_TYPE
        or place == _CONTROL_SOLUTION_PLACE  # no blood at all
    ):
        value = None
    return [Told(Vital.GLUCOSE, value, "mol/L" if flags & 0b100 else "kg/L")]


_READERS: Mapping[str, Callable[[_Octets], list[Told]]] = MappingProxyType(
    {
        "2a37": _heart_rate,
        "2a35": _blood_pressure,
        "2a1c": _temperature,
        "2a5e": _spot_check,
        "2a5f": _continuous,
        "2a9d": _weight,
        "2a18": _glucose,
    }
)
# Of the numbers that the Bluetooth SIG gives out, the full form is this one around four digits.
_BASE_HEAD, _BASE_TAIL = "0000", "-0000-1000-8000-00805f9b34fb"
_SHORT, _FULL = 4, 36


def known(name: object) -> str | None:
    """Return the four digits of a characteristic that we read; None for another.

    >>> known("2A37"), known("00002a37-0000-1000-8000-00805f9b34fb"), known("2a38")
    ('2a37', '2a37', None)
    """
    if not isinstance(name, str) or len(name) not in {_SHORT, _FULL}:
        return None
    short = name.lower()
    if len(short) == _FULL and short.startswith(_BASE_HEAD) and short.endswith(_BASE_TAIL):
        short = short.removeprefix(_BASE_HEAD).removesuffix(_BASE_TAIL)
    return short if short in _READERS else None


def read(short: str, octets: bytes) -> list[Told]:
    """Read a characteristic that is `known`. Raises TooShortError.

    >>> read("2a37", bytes.fromhex("165000048003"))[0].value
    80
    """
    return _READERS[short](_Octets(octets))
