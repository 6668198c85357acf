"""When was it measured? Device time, read and held against the gateway's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from ingest.readings import Quality, Refusal

# Clocks: up to a minute ahead is ordinary drift; up to ten it is kept and marked; beyond, the
# device's clock is wrong. Ours; a later reading of the same device would seem late otherwise.
AHEAD_UNMARKED, AHEAD_KEPT = timedelta(minutes=1), timedelta(minutes=10)
# Devices that keep data for years exist (daily weights); before that a clock was never set.
OLDEST = timedelta(days=3653)


def moment(text: object, received: datetime) -> datetime | Refusal:
    """Read an RFC 3339 time with its zone as a device sent it; returns it in UTC.

    >>> moment("2026-11-24T04:00:00+01:00", datetime(2026, 11, 24, 3, tzinfo=UTC)).hour
    3
    """
    if not isinstance(text, str):
        return Refusal.MISSING_TIME if text is msgspec.UNSET else Refusal.BAD_TIME
    try:
        time = msgspec.convert(text, datetime)
        if time.tzinfo is None:
            return Refusal.NO_TIME_ZONE
        time = time.astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return Refusal.BAD_TIME
    return plausible(time, received)


def plausible(time: datetime, received: datetime) -> datetime | Refusal:
    """Return the time (UTC) unless it is far ahead of the gateway's, or too old to be true."""
    if time - received > AHEAD_KEPT:
        return Refusal.TIME_AHEAD
    if received - time > OLDEST:
        return Refusal.TIME_TOO_OLD
    return time


def doubt(time: datetime, received: datetime) -> Quality:
    """Mark a time that is ahead by more than ordinary drift."""
    return Quality.AHEAD if time - received > AHEAD_UNMARKED else Quality.GOOD
