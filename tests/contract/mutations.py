"""Messages made wrong: what devices, networks and strangers do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

# What has broken readers of JSON, of numbers, of times and of Bluetooth's bytes before.
TOKENS = [
    *[b"null", b"true", b"[]", b"{}", b'""', b"-1", b"0", b"1e999", b"-0.0", b"NaN", b"-Infinity"],
    *[b"9" * 400, b"1" + b"0" * 30, b"18446744073709551616", b"1e-400", b'"\\ud800"', b"\xff"],
    *[b"[" * 50, b'{"a":' * 50, b'"value":', b'"time":', b'"unit":"mm[Hg]"', b'"9999-12-31T23Z"'],
    *[b'"0001-01-01T00:00:00+14:00"', b'"FF07"', b'"ff"', b"\x00", b"\\u0000", b",", b"}", b"]"],
    *[b"255", b"2147483648", b"1795489200000", b'"2a37"', b'"2A18"', b'"kPa"', b'"%"', b'"/min"'],
]
DIGITS = b"0123456789abcdef"
SPECIALS = [b"ff07", b"0008", b"fe07", b"0208", b"0108", b"ffff7f00", b"00008000", b"ffff"]


def changed(payload: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Return a message with one to four faults; `others` are what it may be mixed with."""
    for _ in range(random.randint(1, 4)):
        payload = random.choice(_FAULTS)(payload, random, others)
    return payload[:20_000]


def _at(payload: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(payload))
    return start, min(len(payload), start + random.choice([0, 1, 2, 4, 16, 64]))


def _flip(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    start, _end = _at(payload, random)
    return payload[:start] + bytes([random.randint(0, 255)]) + payload[start + 1 :]


def _drop(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    start, end = _at(payload, random)
    return payload[:start] + payload[end:]


def _again(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    start, end = _at(payload, random)
    return payload[:end] + payload[start:end] * random.randint(1, 3) + payload[end:]


def _cut(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    return payload[: random.randint(0, len(payload))]


def _token(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    start, end = _at(payload, random)
    return payload[:start] + random.choice(TOKENS) + payload[end:]


def _value(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Put a token in the place of what follows a colon or a comma, so that it stays JSON."""
    places = [at for at, octet in enumerate(payload) if octet in b":,"]
    if not places:
        return payload
    start = random.choice(places) + 1
    end = start
    while end < len(payload) and payload[end] not in b",}]":
        end += 1
    return payload[:start] + random.choice(TOKENS) + payload[end:]


def _digits(payload: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Put other digits, or one of Bluetooth's special numbers, over some: it stays what it was."""
    places = [at for at, octet in enumerate(payload) if octet in DIGITS]
    if not places:
        return payload
    start = random.choice(places)
    over = random.choice(
        [*SPECIALS, bytes([random.choice(DIGITS)]), bytes([random.choice(DIGITS)])]
    )
    return payload[:start] + over + payload[start + len(over) :]


def _mix(payload: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    start, end = _at(other, random)
    here, _ = _at(payload, random)
    return payload[:here] + other[start:end] + payload[here:]


_FAULTS: list[Callable[[bytes, Random, Sequence[bytes]], bytes]] = [
    *[_flip, _drop, _again, _cut, _token, _value, _value, _value, _mix, _digits, _digits],
]
