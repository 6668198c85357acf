"""What the picture of one patient shows. The domain: no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from alerts.events import Phase
from ingest.ports import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.findings import Priority

# The last day is what a physician asks for who names no times (engineering choice).
USUAL_SPAN = timedelta(hours=24)
FIRST = datetime.min.replace(tzinfo=UTC)
DATE = len("2026-11-24")
CHANGES = frozenset({Phase.START, Phase.ESCALATE, Phase.DEESCALATE})


class NothingToDraw(SettingError):
    """There is nothing of this patient in the span that was asked for; the text says what is."""


class Span(NamedTuple):
    """From when until when (UTC), both included."""

    start: datetime
    end: datetime

    def __contains__(self, time: object) -> bool:
        """Whether a time lies in the span."""
        return isinstance(time, datetime) and self.start <= time <= self.end


class Point(NamedTuple):
    """A value in the vital's own unit; `suspect`: it is doubtful, and was not learned from."""

    time: datetime
    value: float
    suspect: bool = False


class Band(NamedTuple):
    """What was usual for the patient at a moment, in the vital's own unit."""

    time: datetime
    low: float
    high: float


class Step(NamedTuple):
    """One step in an alert's life."""

    alert: str
    rule: str
    kind: str
    time: datetime
    phase: str
    priority: Priority


class Stretch(NamedTuple):
    """How long an alert had one priority; `end` None: it has it still."""

    start: datetime
    end: datetime | None
    priority: Priority


@dataclass(slots=True)
class Bar:
    """An alert, from its start to its end."""

    rule: str
    kind: str
    stretches: list[Stretch]


@dataclass(slots=True)
class Chart:
    """Everything in the picture: series and bands by vital, scores by name, alerts.

    After `known_until` nobody knows how an alert went on (None: it is known for the whole span).
    """

    patient: str
    span: Span
    series: dict[str, list[Point]] = field(default_factory=dict)
    bands: dict[str, list[Band]] = field(default_factory=dict)
    scores: dict[str, list[Point]] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list)
    known_until: datetime | None = None

    def seen(self, stretch: Stretch) -> Span | None:
        """Return what of a stretch is in the picture; None: nothing."""
        last = self.known_until or self.span.end
        end = max(last, stretch.start) if stretch.end is None else stretch.end
        left, right = max(stretch.start, self.span.start), min(end, self.span.end)
        return Span(left, right) if left <= right else None


def moment(text: str, option: str) -> datetime:
    """Read a time of the command line; a date alone is its first moment, UTC. Raises SettingError.

    >>> moment("2026-11-24T04:00+01:00", "--from")
    datetime.datetime(2026, 11, 24, 3, 0, tzinfo=datetime.timezone.utc)
    >>> moment("2026-11-24", "--from").isoformat()
    '2026-11-24T00:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is None and len(text.strip()) == DATE:
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingError(
            f"{option}: no time; write ISO 8601 with its zone, as in 2026-11-24T03:00Z"
        ) from None
    raise SettingError(f"{option}: no time zone; write 2026-11-24T03:00Z, or with +01:00")


def chosen(start: datetime | None, end: datetime | None, newest: datetime) -> Span:
    """Settle the span: it ends with the newest reading, and takes a day. Raises SettingError.

    >>> chosen(None, None, datetime(2026, 11, 24, tzinfo=UTC)).start.isoformat()
    '2026-11-23T00:00:00+00:00'
    """
    until = end if end is not None else max(newest, start or newest)
    # The first day of the calendar has none before it.
    since = start if start is not None else max(until, FIRST + USUAL_SPAN) - USUAL_SPAN
    if since >= until:
        raise SettingError("--from must be before --to (or, without it, the newest reading)")
    return Span(since, until)


def nothing(span: Span, first: datetime, last: datetime) -> NothingToDraw:
    """Say that a span is empty, and what there is instead."""
    return NothingToDraw(
        f"nothing of this patient between {told(span.start)} and {told(span.end)}; "
        f"there are readings from {told(first)} to {told(last)}"
    )


def told(time: datetime) -> str:
    """Write a time to the second, UTC.

    >>> told(datetime(2026, 11, 24, 3, tzinfo=UTC))
    '2026-11-24T03:00:00Z'
    """
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def bars(steps: Iterable[Step], span: Span) -> list[Bar]:
    """Make bars of the steps of alerts, in their order; alerts that do not touch the span go.

    The first to start comes first.
    """
    found: dict[str, Bar] = {}
    for step in steps:
        bar = found.setdefault(step.alert, Bar(step.rule, step.kind, []))
        stretches = bar.stretches
        if stretches and step.phase in {*CHANGES, Phase.END} and stretches[-1].end is None:
            stretches[-1] = stretches[-1]._replace(end=step.time)
        if step.phase in CHANGES:
            stretches.append(Stretch(step.time, None, step.priority))
    touching = [bar for bar in found.values() if _touches(bar, span)]
    return sorted(touching, key=lambda bar: (bar.stretches[0].start, bar.rule))


def _touches(bar: Bar, span: Span) -> bool:
    if not bar.stretches or bar.stretches[0].start > span.end:
        return False
    end = bar.stretches[-1].end
    return end is None or end >= span.start
