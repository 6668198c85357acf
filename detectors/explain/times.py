"""Since when, in the words of a language: how long, and from which moment of the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from detectors.explain.words import Words

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# Up to two of the larger unit, the smaller one is said: 90 min, 40 h (engineering choice).
STEP = 2


def span(words: Words, length: timedelta) -> str:
    """Write how long something lasted, by the unit that one would say it in.

    >>> from detectors.explain.words_en import ENGLISH
    >>> [span(ENGLISH, timedelta(minutes=m)) for m in (0.5, 60, 90, 150, 4320)]
    ['less than a minute', '1 h', '90 min', '2 h', '3 days']
    """
    brief, minutes, hours, day, days = words.times.spans
    if length < MINUTE:
        return brief
    if length < STEP * HOUR and not HOUR <= length < HOUR + MINUTE:
        return minutes.format(n=length // MINUTE)
    if length < STEP * DAY:
        return hours.format(n=length // HOUR)
    whole = round(length / DAY)
    return day if whole == 1 else days.format(n=whole)


def since(words: Words, began: datetime, now: datetime | None, *, lasting: bool = True) -> str:
    """Write since when something lasts.

    The moment alone without `now`, where the length is told already (not `lasting`), and where it
    has only just begun.

    >>> from datetime import UTC, datetime
    >>> from detectors.explain.words_en import ENGLISH
    >>> began = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)
    >>> since(ENGLISH, began, began + 40 * MINUTE)
    'for 40 min, since 03:12 UTC'
    """
    times = words.times
    if now is None or now - began < MINUTE or not lasting:
        return _when(words, times.began_at, times.began_on, began, now)
    start = _when(words, times.start_at, times.start_on, began, now)
    return times.lasting.format(span=span(words, now - began), start=start)


def measured(words: Words, time: datetime, now: datetime | None) -> str:
    """Write when something was measured."""
    return _when(words, words.times.measured_at, words.times.measured_on, time, now)


def _when(words: Words, at: str, on: str, time: datetime, now: datetime | None) -> str:
    """Write a moment: its clock alone where the day is today's."""
    times = words.times
    local = time.astimezone(times.zone)
    today = None if now is None else now.astimezone(times.zone)
    clock = f"{local:%H:%M}"
    if today is not None and today.date() == local.date():
        return at.format(clock=clock, zone=times.zone_name)
    date = times.date(local, today is None or today.year != local.year)
    return on.format(date=date, clock=clock, zone=times.zone_name)
