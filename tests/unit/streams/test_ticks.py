"""Time that passes, as the worker sees it: ticks of the log, and who does not send."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from alerts.events import AlertEvent, Phase
from alerts.watch import Watch
from detectors.silence import CLOCKS
from ingest.kafka import partition_of
from ingest.readings import Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Patient,
    Prescription,
    Profile,
    Purpose,
    key,
)
from ingest.registry.memory import Registry
from streams import metrics
from streams.batch import Progress, Record, Work, apply
from streams.state import Stored, Watches
from tests.unit.streams.log import bundle, context, message, moment, progress, stored, tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.base import Feed

HOUR = 3600
# Of partition 0.
HEART = Patient("p-9", Profile.HOME_HEART)
WARD = Patient("p-21")
ELSEWHERE = Patient("p-1", Profile.HOME_HEART)


def registry(*records: Patient) -> Registry:
    made = Registry()
    for offset, patient in enumerate(records):
        made.apply(offset, key(patient), patient)
    return made


def ticks(first: int, seconds: Sequence[float], revision: int) -> list[Record]:
    return [tick(first + n, revision, second) for n, second in enumerate(seconds)]


def every_two_seconds(first: int, start: int, end: int, revision: int = 1) -> list[Record]:
    return ticks(first, range(start, end, 2), revision)


def phases(work: Work) -> list[tuple[Phase, str]]:
    return [(event.phase, event.finding.rule) for event, _ in work.events]


def test_the_patients_of_these_tests_are_of_this_partition() -> None:
    assert [partition_of(one.id) for one in (HEART, WARD)] == [0, 0]
    assert partition_of(ELSEWHERE.id) != 0


def test_who_never_sends_is_watched_from_the_tick_that_names_the_settings_on() -> None:
    known = registry(WARD, HEART, ELSEWHERE)
    work = apply(progress(), [tick(0, 1, 0)], Watches(0, {}), context(known))
    assert not work.snapshots, "the tick names the first record only"
    watches = Watches(0, {})
    work = apply(progress(), [tick(0, 1, 0), tick(1, 3, 2)], watches, context(known))
    assert [(p, one.due) for p, one in work.snapshots.items()] == [("p-9", 2 + 36 * HOUR + CLOCKS)]
    assert not work.events


def test_a_weight_that_does_not_come_is_an_alert_with_its_patient_s_settings() -> None:
    known, watches = registry(HEART), Watches(0, {})
    end = 37 * HOUR
    work = apply(progress(), every_two_seconds(0, 0, end), watches, context(known))
    ((event, settings),) = work.events
    assert (event.phase, event.finding.rule) == (Phase.START, "silence.weight")
    assert (event.time - event.started).total_seconds() == 0
    assert settings == HEART
    assert work.after.fed == end - 2
    watches.commit(work.after.next_offset, work.snapshots)
    later = apply(
        work.after,
        every_two_seconds(work.after.next_offset, end, end + 3 * HOUR),
        watches,
        context(known),
    )
    assert not later.events, "it is told of once"


def test_while_no_ticks_come_nobody_is_called_silent_for_it() -> None:
    """Twenty readings a second apart, and then the feed itself is dead for a day."""
    icu = Patient("p-9", Profile.ICU)
    known, watches, records = registry(icu), Watches(0, {}), [tick(0, 1, 0)]
    for second in range(1, 901):
        records.append(bundle(len(records), message(second, "p-9", spo2=95 + second % 5)))
        if second % 2 == 0:
            records.append(tick(len(records), 1, second))
    day = 24 * HOUR
    after = ticks(len(records), range(900 + day, 900 + day + 290, 2), 1)
    work = apply(progress(), [*records, *after], watches, context(known))
    assert not phases(work)
    late = ticks(work.after.next_offset, range(900 + day + 290, 900 + day + 330, 2), 1)
    work = apply(work.after, late, watches, context(known))
    assert phases(work) == [(Phase.START, "silence.device")]


def test_the_backfill_lane_never_ticks() -> None:
    work = apply(progress(), every_two_seconds(0, 0, 60), None, context(registry(HEART)))
    assert (work.after.tick, work.after.fed) == (None, 0.0)
    assert not work.events
    assert not work.snapshots


def test_who_does_not_agree_to_be_watched_is_not_asked() -> None:
    refuses = msgspec.structs.replace(HEART, consents=(Purpose.COLLECT,))
    work = apply(
        progress(), every_two_seconds(0, 0, 60), Watches(0, {}), context(registry(refuses))
    )
    assert not work.snapshots
    known, watches = registry(HEART), Watches(0, {})
    work = apply(progress(), every_two_seconds(0, 0, 60), watches, context(known))
    watches.commit(work.after.next_offset, work.snapshots)
    known.apply(1, key(refuses), refuses)
    later = every_two_seconds(work.after.next_offset, 60, 40 * HOUR)
    work = apply(work.after, later, watches, context(known))
    assert not work.events
    assert work.unwatched == ["p-9"]


def test_who_agrees_again_is_watched_again() -> None:
    refuses = msgspec.structs.replace(HEART, consents=(Purpose.COLLECT,))
    known, watches = registry(HEART, refuses), Watches(0, {})
    work = apply(progress(), [tick(0, 2, 0)], watches, context(known))
    assert not work.snapshots
    known.apply(2, key(HEART), HEART)
    work = apply(work.after, [tick(1, 3, 2)], watches, context(known))
    assert list(work.snapshots) == ["p-9"]


def test_a_prescription_that_is_new_is_asked_for_within_the_hour() -> None:
    glucose = msgspec.structs.replace(WARD, prescriptions={Vital.GLUCOSE: Prescription(2, 0)})
    known, watches = registry(WARD), Watches(0, {})
    records = [tick(0, 1, 0), bundle(1, message(1, "p-21", spo2=97))]
    work = apply(progress(), records, watches, context(known))
    assert work.snapshots["p-21"].due is None
    watches.commit(2, work.snapshots)
    known.apply(1, key(glucose), glucose)
    work = apply(work.after, every_two_seconds(2, 2, 4 * HOUR, 2), watches, context(known))
    assert phases(work) == [(Phase.START, "silence.glucose")]


def test_what_is_newly_prescribed_was_not_missed_before() -> None:
    """A patient of a month, of whom glucose was measured long ago, gets a prescription."""
    glucose = msgspec.structs.replace(WARD, prescriptions={Vital.GLUCOSE: Prescription(2, 0)})
    for reading in (message(1, "p-21", spo2=97.0), message(1, "p-21", glucose=90.0)):
        known, watches = registry(WARD), Watches(0, {})
        records = [tick(0, 1, 0), bundle(1, reading)]
        work = apply(progress(), records, watches, context(known))
        watches.commit(2, work.snapshots)
        month = 30 * 24 * HOUR
        known.apply(1, key(glucose), glucose)
        early = every_two_seconds(2, month, month + 2 * HOUR - 2, 2)
        before = apply(work.after, early, watches, context(known))
        assert not before.events
        again = Watches(before.after.next_offset, before.snapshots, fed=before.after.fed)
        late = every_two_seconds(before.after.next_offset, month + 2 * HOUR, month + 3 * HOUR, 2)
        for one in (watches, again):
            one.commit(before.after.next_offset, before.snapshots)
            assert phases(apply(before.after, late, one, context(known))) == [
                (Phase.START, "silence.glucose")
            ]


def test_a_prescription_comes_to_the_same_where_the_batch_was_tried_again() -> None:
    """The patient has a prescription, so is asked; a second one comes with the failed batch."""
    one = msgspec.structs.replace(WARD, prescriptions={Vital.WEIGHT: Prescription(24, 0)})
    two = msgspec.structs.replace(
        WARD, prescriptions=one.prescriptions | {Vital.GLUCOSE: Prescription(2, 0)}
    )
    known, watches = registry(one), Watches(0, {})
    work = apply(progress(), [tick(0, 1, 0), tick(1, 1, 2)], watches, context(known))
    watches.commit(2, work.snapshots)
    known.apply(1, key(two), two)
    second = [tick(2, 2, 8 * HOUR)]
    straight = apply(work.after, second, watches, context(known))
    again = apply(work.after, second, Watches(2, work.snapshots), context(known))
    assert again.snapshots == straight.snapshots != {}


def test_a_watch_that_cannot_begin_stops_nobody() -> None:
    panel, episodes = msgspec.msgpack.decode(Watch("p-9").snapshot())[1:]
    panel[1]["silence/1"] = "broken"
    broken = stored({"p-9": msgspec.msgpack.encode([2, panel, episodes])})
    work = apply(progress(0, 1), [tick(0, 1, 0)], Watches(0, broken), context(registry(HEART)))
    assert work.after.next_offset == 1


def test_a_watch_of_an_older_version_is_begun_when_the_worker_starts() -> None:
    older = stored({"p-9": Watch("p-9").snapshot()})
    work = apply(progress(0, 1), [tick(0, 1, 0)], Watches(0, older), context(registry(HEART)))
    assert work.snapshots["p-9"].due == 36 * HOUR + CLOCKS


def test_a_watch_that_is_asked_in_vain_is_not_written_again() -> None:
    known, watches = registry(HEART), Watches(0, {})
    work = apply(progress(), every_two_seconds(0, 0, 2 * HOUR), watches, context(known))
    assert list(work.snapshots) == ["p-9"]
    watches.commit(work.after.next_offset, work.snapshots)
    later = every_two_seconds(work.after.next_offset, 2 * HOUR, 8 * HOUR)
    assert not apply(work.after, later, watches, context(known)).snapshots


ICU = Patient("p-9", Profile.ICU)
WORN = Device("d-1", "monitor", (Assignment("p-9", moment(0)),))
OFF_AFTER = 1000


def taken_off(known: Registry, second: int = OFF_AFTER) -> None:
    off = Device("d-1", "monitor", (Assignment("p-9", moment(0), moment(second)),))
    known.apply(known.revision, key(off), off)


def worn() -> Registry:
    known = registry(ICU)
    known.apply(1, key(WORN), WORN)
    return known


def monitored(revision: int = 2) -> list[Record]:
    """Tell of a quarter of an hour on a monitor."""
    records = [tick(0, revision, 0)]
    for second in range(1, 901):
        records.append(bundle(len(records), message(second, "p-9", spo2=95 + second % 5)))
        if second % 2 == 0:
            records.append(tick(len(records), revision, second))
    return records


def test_a_monitor_that_was_taken_off_is_not_called_silent() -> None:
    records = monitored()
    for revision, expected in ((2, [(Phase.START, "silence.device")]), (3, [])):
        known = worn()
        taken_off(known)
        work = apply(progress(), records, Watches(0, {}), context(known))
        later = every_two_seconds(len(records), 902, 2 * HOUR, revision)
        watches = Watches(len(records), work.snapshots, fed=work.after.fed)
        assert phases(apply(work.after, later, watches, context(known))) == expected


def test_an_assignment_that_ends_as_was_foreseen_ends_what_is_expected_too() -> None:
    known, records = worn(), monitored(3)
    taken_off(known, 1100)
    later = every_two_seconds(len(records), 902, 2 * HOUR, 3)
    work = apply(progress(), [*records, *later], Watches(0, {}), context(known))
    assert not phases(work)


@pytest.mark.parametrize("second", range(1200, 5400, 300))
def test_an_alert_of_a_silent_monitor_ends_once_it_is_taken_off(second: int) -> None:
    known, records = worn(), monitored()
    records += every_two_seconds(len(records), 902, second, 2)
    taken_off(known, second)
    records += every_two_seconds(len(records), second, second + 2 * HOUR + 60, 3)
    work = apply(progress(), records, Watches(0, {}), context(known))
    assert phases(work) == [(Phase.START, "silence.device"), (Phase.END, "silence.device")]
    assert work.snapshots["p-9"].due is None


class Broken(Watch):
    """Fails at every tick, after it has forgotten everything."""

    def tick(self, settings: Patient, feed: Feed) -> tuple[AlertEvent, ...]:
        """Fail."""
        self.begin(settings, feed)
        self._panel = type(self._panel)()
        raise ZeroDivisionError


def test_a_watch_that_fails_at_a_tick_stops_nobody_and_is_as_it_was() -> None:
    failed = metrics.TICKS_FAILED._value.get()
    other = msgspec.structs.replace(HEART, id="p-31")
    known, watches = registry(HEART, other), Watches(0, {}, Broken)
    records = [*every_two_seconds(0, 0, 40 * HOUR, 2)]
    work = apply(progress(), records, watches, context(known))
    assert not work.events
    assert metrics.TICKS_FAILED._value.get() > failed + 2
    assert work.snapshots["p-9"].due == 36 * HOUR + CLOCKS, "what it knew is there"


class Unsure(Watch):
    """Does not know when it must be asked."""

    def due(self, settings: Patient) -> float | None:
        """Fail."""
        del settings
        raise ZeroDivisionError


def test_a_watch_that_does_not_know_when_it_is_due_is_asked_every_hour() -> None:
    watches = Watches(0, {}, Unsure)
    records = every_two_seconds(0, 0, 50 * HOUR)
    work = apply(progress(), records, watches, context(registry(HEART)))
    assert phases(work) == [(Phase.START, "silence.weight")]


def story(seed: int) -> list[Record]:
    """Tell of three days of two patients who weigh themselves when they think of it."""
    random = Random(seed)
    records = [tick(0, 2, 0)]
    second = 0.0
    for _ in range(8000):
        second += random.choice([2, 600, 3 * HOUR]) if random.random() < 0.01 else 9
        if random.random() < 0.0004:
            who = random.choice(["p-9", "p-31"])
            records.append(bundle(len(records), message(int(second), who, weight=80.0)))
        records.append(tick(len(records), 2, second))
    return records


@pytest.mark.parametrize("seed", range(4))
def test_however_the_log_is_cut_and_wherever_it_is_begun_again_the_same_comes_of_it(
    seed: int,
) -> None:
    random = Random(seed)
    known = registry(HEART, msgspec.structs.replace(HEART, id="p-31"))
    records = story(seed)
    whole = apply(progress(), records, Watches(0, {}), context(known))
    place: Progress = progress()
    kept: dict[str, Stored] = {}
    watches, events, at = Watches(0, {}), list[AlertEvent](), 0
    while at < len(records):
        size = random.randint(1, 900)
        work = apply(place, records[at : at + size], watches, context(known))
        at, place = at + size, work.after
        events += [event for event, _ in work.events]
        kept |= work.snapshots
        watches.commit(place.next_offset, work.snapshots)
        if random.random() < 0.3:
            watches = Watches(place.next_offset, kept, fed=place.fed)
    assert events == [event for event, _ in whole.events]
    assert len(events) >= 2
    assert place == whole.after
    assert kept == whole.snapshots
