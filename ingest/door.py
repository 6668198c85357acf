"""The door: what of a message passes, whose it is, and what is refused. No I/O, no clock.

The gateway asks it for each message, and `vigie rejected replay` asks again once a cause is mended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from ingest.codec import Refused
from ingest.formats.port import Decoded, limited
from ingest.readings import SPECS, Instant, Quality, Refusal
from ingest.topics import PREFIX
from ingest.units import plain

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ingest.formats.catalogue import Formats
    from ingest.formats.port import Decode
    from ingest.readings import Vital
    from ingest.registry.entities import Format, Listing
    from ingest.registry.memory import Registry
    from ingest.registry.standing import Standing, Wearer

log = structlog.get_logger()

# Topics that were taken apart are remembered, up to so many: a stranger can invent any number.
WAYS = 100_000


class _Way(NamedTuple):
    """A topic, taken apart: whose it is, and how its messages are read."""

    device: str
    format: Format
    decode: Decode


class Passed(msgspec.Struct, gc=False):
    """What became of one message.

    `live` and `late` are the instants to keep, by patient: late ones are older than the live window
    and are marked; `values` counts those of both. `seq` and `id` are the message's own names, for
    its receipt. Nothing of a `secret` message may be kept: a patient has not agreed to it.
    """

    device: str
    seq: int | None = None
    id: str | None = None
    live: dict[str, list[Instant]] = {}
    late: dict[str, list[Instant]] = {}
    refused: list[Refused] = []
    values: int = 0
    secret: bool = False


class Door:
    """Judges messages by the newest registry and the formats that are known."""

    def __init__(self, registry: Registry, formats: Formats) -> None:
        self._registry, self._formats = registry, formats
        self._ways: dict[str, _Way | Refusal] = {}

    def open(self, topic: str, payload: bytes, received: datetime) -> Passed:
        """Judge one message, received at `received` (UTC). Never raises."""
        way = self._ways.get(topic)
        if way is None:
            way = self._way(topic)
        if isinstance(way, Refusal):
            return self._nowhere(topic, way, received)
        standing = self._registry.standing(way.device)
        offset = standing.offset
        decoded = self._decoded(way, payload, received if offset is None else received - offset)
        closed = standing.closed(way.format, received)
        if closed is not None:
            return _closed(way.device, closed, decoded, standing, received)
        passed = Passed(way.device, decoded.seq, decoded.id, refused=decoded.refused)
        faulty = bool(decoded.refused)
        if standing.simple is None or not _all_live(passed, decoded, standing.simple, received):
            for place, instant in zip(decoded.places, decoded.instants, strict=True):
                _sort(passed, place, instant, standing, received)
        if passed.refused:
            limited(passed.refused)
            passed.secret = passed.secret or standing.silent(received, faulty=faulty)
        return passed

    def _nowhere(self, topic: str, reason: Refusal, received: datetime) -> Passed:
        """Refuse what nothing can read; whose it is still says whether it may be kept."""
        device = topic.removeprefix(PREFIX).partition("/")[0] if topic.startswith(PREFIX) else ""
        secret = self._registry.standing(device).silent(received, faulty=True)
        return Passed(device, refused=[Refused(reason)], secret=secret)

    def _way(self, topic: str) -> _Way | Refusal:
        """Take a topic apart: `vigie/v1/{device}/{format}`."""
        device, _, rest = topic.removeprefix(PREFIX).partition("/")
        kind, decode = self._formats.format_of(rest), self._formats.find(rest)
        if not topic.startswith(PREFIX) or not device or kind is None:
            return Refusal.UNKNOWN_TOPIC
        if decode is None:
            return Refusal.UNKNOWN_TEMPLATE
        if len(self._ways) >= WAYS:
            self._ways.clear()
        way = self._ways[topic] = _Way(device, kind, decode)
        return way

    @staticmethod
    def _decoded(way: _Way, payload: bytes, received: datetime) -> Decoded:
        try:
            return way.decode(payload, way.device, received)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not stop the line)
            # No trace: it may quote a value. The bytes are in quarantine for whoever mends it.
            log.error("a decoder has a fault", format=way.format, error=type(error).__name__)  # noqa: TRY400
            return Decoded(None, [], [Refused(Refusal.UNDECODABLE)])


def _closed(
    device: str, reason: Refusal, decoded: Decoded, standing: Standing, received: datetime
) -> Passed:
    """Refuse a message whole; it was read for its number, and for whose readings it holds."""
    offset = standing.offset
    times = [i.time if offset is None else i.time + offset for i in decoded.instants]
    worn = [standing.wearer(time) for time in times]
    secret = any(wearer is not None and not wearer.collects for wearer in worn)
    faulty = bool(decoded.refused)
    return Passed(
        device,
        decoded.seq,
        decoded.id,
        refused=[Refused(reason)],
        secret=secret or standing.silent(received, faulty=faulty),
    )


def _all_live(passed: Passed, decoded: Decoded, wearer: Wearer, received: datetime) -> bool:
    """Take the common case whole: the one wearer's, all of it within the live window."""
    first = max(wearer.start, received - wearer.window)
    values = 0
    for instant in decoded.instants:
        if instant.time < first:
            return False
        values += len(instant.values)
    if values:
        passed.live = {wearer.patient: decoded.instants}
        passed.values = values
    return True


def _sort(
    passed: Passed, place: int | str, instant: Instant, standing: Standing, received: datetime
) -> None:
    """Lay an instant on its patient's heap, or refuse it."""
    marks = Quality.GOOD
    if standing.offset is not None:
        instant = _moved(instant, standing.offset)
        marks |= Quality.CORRECTED
    wearer = standing.wearer(instant.time)
    if wearer is None:
        passed.refused.append(Refused(Refusal.NOT_ASSIGNED, named(place)))
        return
    if not wearer.collects:
        passed.secret = True
        passed.refused.append(Refused(Refusal.NO_CONSENT, named(place)))
        return
    if standing.narrow is not None:
        _narrowed(passed, place, instant, standing)
        if not instant.values:
            return
    _lay(passed, instant, wearer, received, marks)


def _lay(
    passed: Passed, instant: Instant, wearer: Wearer, received: datetime, marks: Quality
) -> None:
    late = received - instant.time > wearer.window
    if late:
        marks |= Quality.BACKFILLED
    if marks:
        instant = marked(instant, marks)
    passed.values += len(instant.values)
    heap = passed.late if late else passed.live
    known = heap.get(wearer.patient)
    if known is None:
        heap[wearer.patient] = [instant]
    else:
        known.append(instant)


def _narrowed(passed: Passed, place: int | str, instant: Instant, standing: Standing) -> None:
    """Take out what the device's model is not listed for; each value is refused with its place."""
    assert standing.narrow is not None  # noqa: S101 (asked before)
    for vital, value in list(instant.values.items()):
        listing = standing.narrow.get(vital)
        reason = None
        if listing is None:
            reason = Refusal.VITAL_NOT_LISTED
        elif listing.units and not _listed(vital, instant, listing):
            reason = Refusal.UNIT_NOT_LISTED
        elif (listing.low is not None and value < listing.low) or (
            listing.high is not None and value > listing.high
        ):
            reason = Refusal.OUT_OF_RANGE
        if reason is not None:
            del instant.values[vital]
            instant.quality.pop(vital, None)
            instant.original.pop(vital, None)
            passed.refused.append(Refused(reason, f"{named(place)}.{vital}"))


def _listed(vital: Vital, instant: Instant, listing: Listing) -> bool:
    """Whether a model is listed for the unit in which this value came."""
    original = instant.original.get(vital)
    unit = SPECS[vital].unit if original is None else original.unit
    return unit in listing.units or plain(unit) in listing.units


def _moved(instant: Instant, offset: timedelta) -> Instant:
    return Instant(instant.time + offset, instant.values, instant.quality, instant.original)


def marked(instant: Instant, marks: Quality) -> Instant:
    """Return the instant with these marks on each of its values."""
    quality = {vital: instant.quality.get(vital, 0) | int(marks) for vital in instant.values}
    return Instant(instant.time, instant.values, quality, instant.original)


def named(place: int | str) -> str:
    """Write a place as receipts and quarantine name it.

    >>> named(3), named("entry[0].resource")
    ('readings[3]', 'entry[0].resource')
    """
    return place if isinstance(place, str) else f"readings[{place}]"
