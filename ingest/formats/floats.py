"""IEEE 11073 numbers as Bluetooth sends them: SFLOAT, of 16 bits, and FLOAT, of 32.

A signed exponent of ten and a signed mantissa, little-endian. Five values are no numbers but say
that there is none: with the exponent 0 only, for a mantissa of 2047 is also that of 204.7, which a
systolic pressure can be.
"""

from __future__ import annotations

# NaN, NRes (not at this resolution), +INFINITY, -INFINITY, and one that is reserved.
SFLOAT_ABSENT = frozenset({0x07FF, 0x0800, 0x07FE, 0x0802, 0x0801})
FLOAT_ABSENT = frozenset({0x007FFFFF, 0x00800000, 0x007FFFFE, 0x00800002, 0x00800001})


def sfloat(two: bytes) -> float | None:
    """Read an SFLOAT; None: the device has no value.

    >>> sfloat(bytes.fromhex("6CF1")), sfloat(bytes.fromhex("FF07")), sfloat(bytes.fromhex("FFF7"))
    (36.4, None, 204.7)
    """
    raw = int.from_bytes(two, "little")
    if raw in SFLOAT_ABSENT:
        return None
    return _scaled(_signed(raw & 0xFFF, 12), _signed(raw >> 12, 4))


def float32(four: bytes) -> float | None:
    """Read a FLOAT; None: the device has no value.

    >>> float32(bytes.fromhex("6C0100FF")), float32(bytes.fromhex("FFFF7F00"))
    (36.4, None)
    """
    raw = int.from_bytes(four, "little")
    if raw in FLOAT_ABSENT:
        return None
    return _scaled(_signed(raw & 0xFFFFFF, 24), _signed(raw >> 24, 8))


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _scaled(mantissa: int, exponent: int) -> float:
    """Return the double nearest to the decimal: dividing by a power of ten rounds only once."""
    if exponent >= 0:
        return float(mantissa * 10**exponent)
    return float(mantissa / 10**-exponent)
