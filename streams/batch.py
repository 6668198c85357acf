"""From records of the log to what one transaction must write. No I/O and no clock of its own.

>>> place("vigie.readings", 3, 41)
'vigie.readings/3/41'
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from detectors.base import Feed
from ingest.codec import Bundle, Refused, Rejected, decode_record, encode
from ingest.kafka import partition_of
from ingest.ports import MalformedRecord
from ingest.readings import Refusal
from streams import consent
from streams.errors import DetectorFailed, OffsetGap, RegistryBehind
from streams.feed import alive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from alerts.events import AlertEvent
    from detectors.findings import Assessment
    from ingest.codec import Message, Tick
    from ingest.registry.entities import Patient
    from ingest.registry.memory import Registry
    from streams.state import Stored, Watches

# What is kept of a refused record: in base64 it still fits Kafka's default limit of 1 MiB.
KEPT_BYTES = 512 * 1024
# The column's type is smallint.
HIGHEST_QUALITY = 2**15 - 1


class Record(NamedTuple):
    """One record of the log, as the consumer hands it over."""

    partition: int
    offset: int
    value: bytes | None


class Progress(NamedTuple):
    """Where a partition stands: the next offset to apply, and what its last tick said.

    `tick` is None before the first tick. `fed` is for how many seconds ticks have come (see
    `streams.feed`).
    """

    partition: int
    next_offset: int
    revision: int
    tick: datetime | None
    fed: float = 0.0


@dataclass(slots=True)
class Work:
    """What the records of one partition come to.

    `before` is where the partition stood (compared when `after` is set). `received` counts
    readings, `refused` those of them that their patient does not agree to, and `lost` the records
    that Kafka deleted before they came. `snapshots` are the states of the patients that were heard
    of or asked; of those in `unwatched` nothing may be remembered, and no alert stays open.
    """

    before: Progress
    after: Progress
    messages: list[Message] = field(default_factory=list)
    assessments: list[tuple[str, Assessment]] = field(default_factory=list)
    events: list[tuple[AlertEvent, Patient]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    snapshots: dict[str, Stored] = field(default_factory=dict)
    unwatched: list[str] = field(default_factory=list)
    received: int = 0
    refused: int = 0
    lost: int = 0
    # The time received of the oldest message of each bundle.
    arrivals: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Context:
    """What a batch is judged with: the registry, the log's name, and who refuses when.

    `reached` is the registry revision that has been read, all of it. `poison` names
    (partition, offset) of records that the database would not take.
    """

    registry: Registry
    reached: int
    topic: str
    by: str
    now: datetime
    poison: Collection[tuple[int, int]] = ()
    # Partition -> first offset that Kafka still has, where that is known.
    log_starts: dict[int, int] = field(default_factory=dict)


def apply(
    progress: Progress, records: Sequence[Record], watches: Watches | None, context: Context
) -> Work:
    """Work out what the records of one partition, in order of offset, add to what is stored.

    `watches` is None in the backfill lane: its readings are stored and shown to nobody, and ticks
    mean nothing there.

    Records below the next offset were applied before and are skipped. Raises OffsetGap when a
    record is missing that Kafka may still have, and RegistryBehind when a tick names settings that
    are not here yet; `watches` must be dropped then, as after any failure.
    """
    if progress.revision > context.reached:
        raise RegistryBehind(progress.revision)
    work = Work(progress, progress)
    for record in records:
        due = work.after.next_offset
        if record.offset < due:
            continue
        if record.offset > due:
            # What retention deleted cannot come: everything below the log's start is lost.
            if context.log_starts.get(record.partition, 0) < record.offset:
                raise OffsetGap(record.partition, due, record.offset)
            work.lost += record.offset - due
        _take(work, record, watches, context)
        work.after = work.after._replace(next_offset=record.offset + 1)
    if watches is not None and work.after != work.before:
        _unwatch(work, watches, context)
        work.snapshots = dict(watches.changed())
    return work


def place(topic: str, partition: int, offset: int) -> str:
    """Name a record of the log for the one who looks into the quarantine."""
    return f"{topic}/{partition}/{offset}"


def _take(work: Work, record: Record, watches: Watches | None, context: Context) -> None:
    try:
        decoded = _decode(record, context)
    except MalformedRecord:
        work.rejected.append(_undecodable(record, context))
        return
    if not isinstance(decoded, Bundle):
        if watches is not None:
            _tick(work, decoded, context)
            _ask(work, watches, context)
        return
    if decoded.messages:
        work.arrivals.append(decoded.messages[0].received)
    for message in decoded.messages:
        _message(work, message, record, watches, context)


def _tick(work: Work, tick: Tick, context: Context) -> None:
    """Move the partition's time and settings forward; a gateway that lags behind moves neither."""
    if tick.revision > context.reached:
        raise RegistryBehind(tick.revision)
    before = work.after
    work.after = before._replace(
        revision=max(before.revision, tick.revision),
        tick=tick.time if before.tick is None else max(before.tick, tick.time),
        fed=alive(before.fed, before.tick, tick.time),
    )


def _ask(work: Work, watches: Watches, context: Context) -> None:
    """Let watches look at the time that has passed."""
    now = work.after
    if now.tick is None:
        return
    feed = Feed(now.tick, now.fed)

    def settings_of(patient: str) -> Patient | None:
        settings = consent.agreed(context.registry, patient, now.revision)
        return settings if consent.watched(settings) else None

    def taken_off(device: str, patient: str) -> bool:
        return context.registry.taken_off(device, patient, now.revision, feed.time)

    if watches.begun_of < now.revision:
        _begin(work, watches, context.registry, feed, settings_of)
    work.events.extend(watches.tick(feed, settings_of, taken_off))


def _begin(
    work: Work,
    watches: Watches,
    registry: Registry,
    feed: Feed,
    settings_of: Callable[[str], Patient | None],
) -> None:
    """Watch whoever must send something, also those who never did, as the settings now say.

    At first everyone is looked through: an older version of this program may have left out some.
    """
    now, first = work.after, watches.begun_of < 0
    since = work.before.revision if first else watches.begun_of
    changed = registry.changed(since, now.revision)
    before = registry.changed(0, since) if first else set[str]()
    for patient in sorted(changed | before):
        known = watches.knows(patient)
        if not known and partition_of(patient) != now.partition:
            continue
        settings = settings_of(patient)
        if settings is None:
            continue
        wanted = watches.wanted(settings)
        if (wanted and not watches.expects(patient)) or (known and patient in changed):
            watches.begin(settings, feed)
    watches.begun_of = now.revision


def _message(
    work: Work, message: Message, record: Record, watches: Watches | None, context: Context
) -> None:
    """Store the message's readings, and show them to the patient's watch, as far as it agrees."""
    settings = consent.agreed(context.registry, message.patient, work.after.revision)
    readings = sum(len(instant.values) for instant in message.readings)
    work.received += readings
    if not consent.kept(settings):
        work.refused += readings
        return
    work.messages.append(message)
    if watches is None or not consent.watched(settings):
        return
    try:
        outcomes = watches.observe(settings, message, work.after.fed)
    except DetectorFailed:
        work.rejected.append(_failed(message, record, context))
        return
    for outcome in outcomes:
        if outcome.assessment is not None:
            work.assessments.append((message.patient, outcome.assessment))
        work.events.extend((event, settings) for event in outcome.events)


def _unwatch(work: Work, watches: Watches, context: Context) -> None:
    """Let go of patients who no longer agree to be watched, whether they are heard of or not.

    The registry is looked through when it has moved; ticks come every two seconds, and with each
    change, so it does not take longer.
    """
    if watches.consents_of == context.reached:
        return
    for patient in watches.patients():
        settings = consent.agreed(context.registry, patient, work.after.revision)
        if not consent.watched(settings):
            work.unwatched.append(patient)
            work.events.extend((event, settings) for event in watches.end(patient))
    watches.consents_of = context.reached


def _decode(record: Record, context: Context) -> Bundle | Tick:
    """Read a record and refuse what the database could never hold. Raises MalformedRecord."""
    if (record.partition, record.offset) in context.poison:
        raise MalformedRecord("the database refuses it")
    decoded = decode_record(record.value)
    # PostgreSQL's text has no NUL, and our gateway writes none.
    if record.value is not None and b"\\u0000" in record.value:
        raise MalformedRecord("a text holds NUL")
    if isinstance(decoded, Bundle):
        if not all(_storable(message) for message in decoded.messages):
            raise MalformedRecord("a time has no zone, or a quality is out of range")
    elif decoded.time.tzinfo is None:
        raise MalformedRecord("the time has no zone")
    return decoded


def _storable(message: Message) -> bool:
    return message.received.tzinfo is not None and all(
        instant.time.tzinfo is not None
        and (
            not instant.quality
            or all(0 <= flags <= HIGHEST_QUALITY for flags in instant.quality.values())
        )
        for instant in message.readings
    )


def _undecodable(record: Record, context: Context) -> Rejected:
    payload = consent.without_refused(record.value or b"", context.registry)
    return _refused(Refusal.UNDECODABLE, payload, record, context)


def _failed(message: Message, record: Record, context: Context) -> Rejected:
    refused = _refused(Refusal.DETECTOR_FAILED, encode(message), record, context)
    return structs.replace(refused, device=message.device, seq=message.seq)


def _refused(reason: Refusal, payload: bytes, record: Record, context: Context) -> Rejected:
    return Rejected(
        device="",
        topic=context.topic,
        refused=(Refused(reason),),
        time=context.now,
        by=context.by,
        size=len(payload),
        payload=payload[:KEPT_BYTES],
        place=place(context.topic, record.partition, record.offset),
    )
