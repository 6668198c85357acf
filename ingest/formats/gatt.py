"""Bluetooth GATT characteristics that a hub relays, in hexadecimal, in a JSON envelope.

`{"seq": 7, "notifications": [{"characteristic": "2a37", "time": "2026-11-24T03:00:00Z",
"hex": "165000048003"}]}`. The bytes are the characteristic's value as it was notified or indicated.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.codec import Refused
from ingest.formats import characteristics
from ingest.formats.foreign import load
from ingest.formats.measures import Measures, TooManyFaults
from ingest.formats.port import Decoded
from ingest.formats.vigie_json import READINGS, SEQ_MAX
from ingest.readings import Refusal

if TYPE_CHECKING:
    from datetime import datetime

# No attribute value is longer (Bluetooth Core, volume 3, part F, 3.2.9).
VALUE_BYTES = 512
# Two digits and two blanks for each byte: longer text is refused without being read.
_HEX_CHARACTERS = 4 * VALUE_BYTES


def decode(payload: bytes, device: str, received: datetime) -> Decoded:
    """Read a message of this device, received at `received` (UTC). Never raises.

    >>> from datetime import UTC, datetime
    >>> one = b'{"characteristic": "2A5F", "time": "2026-11-24T03:00:00Z", "hex": "0062004000"}'
    >>> sent = b'{"seq": 7, "notifications": [' + one + b"]}"
    >>> [instant] = decode(sent, "hub-1", datetime(2026, 11, 24, 3, 0, 1, tzinfo=UTC)).instants
    >>> {vital.value: value for vital, value in instant.values.items()}
    {'spo2': 98.0, 'pulse_rate': 64.0}
    """
    message = load(payload)
    if isinstance(message, Refusal):
        return _whole(message)
    if not isinstance(message, dict):
        return _whole(Refusal.NOT_AN_OBJECT)
    seq = message.get("seq")
    if type(seq) is not int or not 1 <= seq <= SEQ_MAX:
        return _whole(Refusal.BAD_SEQ, at="seq")
    if message.get("device", device) != device:
        return _whole(Refusal.DEVICE_MISMATCH, seq)
    notifications = message.get("notifications")
    if not isinstance(notifications, list) or not 1 <= len(notifications) <= READINGS:
        return _whole(Refusal.BAD_READINGS, seq, "notifications")
    measures = Measures(received)
    with suppress(TooManyFaults):
        for index, notification in enumerate(notifications):
            _one(measures, notification, f"notifications[{index}]")
    return measures.decoded(seq)


def _whole(reason: Refusal, seq: int | None = None, at: str = "") -> Decoded:
    return Decoded(seq, [], [Refused(reason, at)])


def _one(measures: Measures, notification: Any, at: str) -> None:
    if not isinstance(notification, dict):
        return measures.refuse(Refusal.NOT_AN_OBJECT, at)
    short = characteristics.known(notification.get("characteristic"))
    if short is None:
        return measures.refuse(Refusal.UNSUPPORTED, f"{at}.characteristic")
    octets = _octets(notification.get("hex"))
    if octets is None:
        return measures.refuse(Refusal.BAD_HEX, f"{at}.hex")
    # The time that some characteristics hold is a wall clock's, without a zone: the hub, which
    # knows both, must say what moment it was. Guessing could move a reading by hours.
    time = measures.moment(notification.get("time", msgspec.UNSET), f"{at}.time")
    if time is None:
        return None
    try:
        told = characteristics.read(short, octets)
    except characteristics.TooShortError:
        return measures.refuse(Refusal.TRUNCATED, f"{at}.hex")
    for vital, value, unit, doubt in told:
        place = f"{at}.{vital.value}"
        if value is None:
            measures.refuse(Refusal.ABSENT, place)
        else:
            measures.add(time, vital, value, unit, place, doubt=doubt, within=at)
    return None


def _octets(text: object) -> bytes | None:
    """Read hexadecimal, with or without blanks between bytes; None: it is something else."""
    if not isinstance(text, str) or len(text) > _HEX_CHARACTERS:
        return None
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        return None
    return octets if len(octets) <= VALUE_BYTES else None
