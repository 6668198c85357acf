"""What a patient agrees to decides what the worker keeps and watches, in both lanes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.events import EndReason, Phase, State
from alerts.watch import Watch
from ingest.codec import Bundle, Message, decode_record
from ingest.readings import Instant, Vital
from ingest.registry.entities import USUAL, Limit, Patient, Purpose, key
from ingest.registry.memory import Registry
from streams import consent
from streams.batch import Record, Work, apply
from streams.state import Watches
from tests.unit.streams.log import (
    Counting,
    bundle,
    context,
    message,
    moment,
    progress,
    stored,
    tick,
)

AGREES = Patient("p-1")
NO_COLLECT = Patient("p-1", consents=(Purpose.MONITOR, Purpose.SHARE))
NO_MONITOR = Patient("p-1", consents=(Purpose.COLLECT, Purpose.SHARE))
LIMITED = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})


def registry(*records: Patient) -> Registry:
    """Make a registry of these records, one after the other."""
    made = Registry()
    for offset, patient in enumerate(records):
        made.apply(offset, key(patient), patient)
    return made


@pytest.mark.parametrize("lane", [True, False], ids=["live", "backfill"])
def test_without_collect_nothing_of_a_reading_is_kept_but_the_count(*, lane: bool) -> None:
    watches = Watches(0, {}, Counting) if lane else None
    told = bundle(0, message(1, spo2=97, heart_rate=70), message(2, patient="p-2"))
    work = apply(progress(), [told], watches, context(registry(NO_COLLECT)))
    assert (work.received, work.refused) == (3, 2)
    assert [m.patient for m in work.messages] == ["p-2"]
    assert "p-1" not in work.snapshots
    assert "p-1" not in dict(work.assessments)


def test_a_withdrawal_holds_for_what_stands_in_the_log_before_it() -> None:
    """The tick still names the revision at which the patient agreed."""
    withdrawn = registry(AGREES, NO_COLLECT)
    records = [tick(0, 1), bundle(1, message(1))]
    work = apply(progress(), records, Watches(0, {}, Counting), context(withdrawn))
    assert (work.received, work.refused) == (1, 1)


def test_a_record_in_quarantine_holds_nothing_of_who_does_not_agree_to_it() -> None:
    """The database would not take the record: all of it is kept for a replay but for p-1's."""
    told = bundle(0, message(1, spo2=97), message(2, patient="p-2", spo2=96))
    poisoned = replace(context(registry(NO_COLLECT)), poison={(0, 0)})
    (rejected,) = apply(progress(), [told], None, poisoned).rejected
    kept = decode_record(rejected.payload)
    assert isinstance(kept, Bundle)
    assert [m.patient for m in kept.messages] == ["p-2"]


@pytest.mark.parametrize(
    ("records", "after", "moved"),
    [
        ([bundle(0, message(1))], NO_COLLECT, True),
        ([bundle(0, message(1))], NO_MONITOR, True),
        ([bundle(0, message(1))], LIMITED, False),
        ([bundle(0, message(1, patient="p-2"))], NO_COLLECT, False),
    ],
)
def test_work_that_rests_on_a_consent_withdrawn_since_is_told_from_other_work(
    records: list[Record], after: Patient, *, moved: bool
) -> None:
    known = registry(AGREES)
    work = apply(progress(), records, Watches(0, {}, Counting), context(known))
    assert not consent.withdrawn(known, [work])
    known.apply(1, key(after), after)
    assert consent.withdrawn(known, [work]) == moved


def test_a_record_in_quarantine_too_rests_on_what_its_patients_agree_to() -> None:
    known = registry(AGREES)
    poisoned = replace(context(known), poison={(0, 0)})
    work = apply(progress(), [bundle(0, message(1))], None, poisoned)
    assert not consent.withdrawn(known, [work])
    known.apply(1, key(NO_COLLECT), NO_COLLECT)
    assert consent.withdrawn(known, [work])


def test_limits_are_those_of_the_log_and_consents_those_of_now() -> None:
    then = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
    found = consent.agreed(registry(then, NO_MONITOR), "p-1", 1)
    assert found.limits == then.limits
    assert found.consents == NO_MONITOR.consents


def test_without_monitor_readings_are_stored_and_shown_to_no_detector() -> None:
    told = bundle(0, message(1), message(2, patient="p-2"))
    work = apply(progress(), [told], Watches(0, {}, Counting), context(registry(NO_MONITOR)))
    assert [m.patient for m in work.messages] == ["p-1", "p-2"]
    assert work.refused == 0
    assert [patient for patient, _ in work.assessments] == ["p-2"]
    assert work.snapshots.keys() == {"p-2"}


def test_what_may_not_be_stored_is_not_watched_whatever_else_is_agreed_to() -> None:
    assert not consent.watched(NO_COLLECT)
    assert not consent.watched(Patient("p-1", consents=()))
    assert consent.watched(Patient("p-1", consents=USUAL))


def low(second: int) -> Message:
    instant = Instant(moment(second), {Vital.SPO2: 70.0})
    return Message("p-1", "d-1", second + 1, moment(second), (instant,))


def watched_for_a_minute(watches: Watches, known: Registry) -> Work:
    records = [bundle(n, low(n)) for n in range(60)]
    work = apply(progress(), records, watches, context(known))
    watches.commit(60, work.snapshots)
    assert work.events
    return work


@pytest.mark.parametrize("after", [NO_MONITOR, NO_COLLECT], ids=["monitor", "collect"])
def test_a_withdrawal_ends_open_alerts_and_forgets_the_patient_though_nothing_comes_of_him(
    after: Patient,
) -> None:
    watches, known = Watches(0, {}, Watch), registry(AGREES)
    started = {event.alert for event, _ in watched_for_a_minute(watches, known).events}
    known.apply(1, key(after), after)
    work = apply(progress(60), [tick(60, 2, 60)], watches, context(known))
    assert work.unwatched == ["p-1"]
    assert work.snapshots == {}
    ends = [event for event, _ in work.events]
    assert {event.alert for event in ends} == started
    for event in ends:
        assert (event.phase, event.reason) == (Phase.END, EndReason.CONSENT_WITHDRAWN)
        assert event.state is not State.ACTIVE
        assert event.finding.evidence == (), "what it rested on is not told once more"
    watches.commit(61, work.snapshots)
    assert watches.patients() == []


def test_who_agrees_again_is_watched_anew() -> None:
    watches, known = Watches(0, stored({"p-1": b"10"}), Counting), registry(NO_MONITOR)
    work = apply(progress(), [bundle(0, message(1))], watches, context(known))
    watches.commit(1, work.snapshots)
    known.apply(1, key(AGREES), AGREES)
    work = apply(progress(1), [bundle(1, message(2))], watches, context(known))
    assert work.snapshots == stored({"p-1": b"1"})
    assert work.unwatched == []


def test_a_batch_of_nothing_new_ends_nothing_as_nothing_of_it_would_be_written() -> None:
    watches = Watches(5, stored({"p-1": b"10"}), Counting)
    work = apply(progress(5), [bundle(3, message())], watches, context(registry(NO_MONITOR)))
    assert work.unwatched == []
    assert watches.patients() == ["p-1"]
