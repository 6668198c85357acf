"""Moments as vendors write them: seconds since 1970, or what the clock on the wall showed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A wall clock shows the hour before the change to winter time twice; a message that comes within
# this of one of the two is live, and means that one.
_LIVE = timedelta(minutes=30)


def unix(raw: object, per_second: int) -> datetime | None:
    """Read seconds or thousandths since 1970, UTC; None: it is none, or out of this world."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        if per_second == 1:
            return _EPOCH + timedelta(seconds=raw)
        return _EPOCH + timedelta(milliseconds=raw)
    except (OverflowError, ValueError):  # ValueError: NaN
        return None


def local(raw: object, zone: ZoneInfo, received: datetime) -> datetime | None:
    """Read a wall clock's time in its zone; None when it is none, or no single moment.

    An hour that the change to summer time leaves out never was. One that the change to winter time
    repeats is two moments: the one at which the message came counts, and a message from storage
    cannot be told apart. Better refused, with its bytes in quarantine, than an hour wrong.
    """
    if not isinstance(raw, str):
        return None
    try:
        clock = datetime.fromisoformat(raw)
        if clock.tzinfo is not None:
            return None
        first = clock.replace(tzinfo=zone).astimezone(UTC)
        second = clock.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if first.astimezone(zone).replace(tzinfo=None) != clock:
            return None
    except (ValueError, OverflowError):
        return None
    if first == second:
        return first
    live = [moment for moment in (first, second) if abs(received - moment) < _LIVE]
    return live[0] if live else None
