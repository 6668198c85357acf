"""What should have come and has not: devices, vitals, prescriptions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from detectors.base import Feed, Moment, Sample
from detectors.findings import Against, Kind, Pattern, Priority
from detectors.hearing import WARM, State, begun, without
from detectors.prescriptions import lacking
from detectors.profiles.loading import SHIPPED
from detectors.silence import CLOCKS, Options, Silence
from ingest.readings import Vital
from ingest.registry.entities import Patient, Prescription, Profile

if TYPE_CHECKING:
    from detectors.base import Score
    from detectors.findings import Finding

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
WARD = Patient("p-1")
HEART = Patient("p-1", Profile.HOME_HEART)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
NONE: frozenset[str] = frozenset()


class Told:
    """A detector and its feed: tells what is heard, asks what is missing."""

    def __init__(
        self, settings: Patient = WARD, state: State | None = None, **options: object
    ) -> None:
        self.settings = settings
        self.detector = Silence(msgspec.convert(options, Options), state)
        self.fed_behind = 0.0

    def heard(
        self,
        second: float,
        *vitals: str,
        device: str = "dev-1",
        measured: float | None = None,
        opened: frozenset[str] = NONE,
        frozen: bool = False,
    ) -> dict[str, Score]:
        at = second if measured is None else measured
        time = START + timedelta(seconds=at)
        samples = tuple(Sample(vital, 70.0) for vital in sorted(vitals or ("heart_rate",)))
        fed = second - self.fed_behind
        moment = Moment(time, time.timestamp(), device, samples, fed, frozen, opened)
        scores = self.detector.score(self.settings, moment, {})
        self.detector.learn(self.settings, moment, scores)
        return {one.rule: one for one in scores}

    def asked(self, second: float, opened: frozenset[str] = NONE) -> dict[str, Score]:
        feed = Feed(START + timedelta(seconds=second), second - self.fed_behind)
        return {one.rule: one for one in self.detector.overdue(self.settings, feed, opened)}

    def missing(self, second: float, opened: frozenset[str] = NONE) -> set[str]:
        scores = self.asked(second, opened).values()
        return {one.rule for one in scores if one.finding is not None}

    def due(self) -> float | None:
        return self.detector.due(self.settings)


def finding(one: Score) -> Finding:
    assert one.finding is not None
    return one.finding


def monitored(until: int, forget_hours: float = 168) -> Told:
    told = Told(at_least_minutes=5, forget_hours=forget_hours)
    for second in range(until + 1):
        told.heard(second, "heart_rate", "spo2")
    return told


def test_a_device_that_has_stopped_is_told_of_once_it_is_late_and_not_before() -> None:
    told = monitored(600)
    assert told.due() == 600 + 300
    assert not told.asked(899)
    (score,) = told.asked(900).values()
    found = finding(score)
    assert (score.rule, found.kind, found.priority) == (
        "silence.device",
        Kind.TECHNICAL,
        Priority.MEDIUM,
    )
    assert (found.pattern, found.against) == (Pattern.SILENT, Against.EXPECTED)
    assert found.since == START + timedelta(seconds=600)
    (evidence,) = found.evidence
    assert (evidence.device, evidence.value, evidence.time) == ("dev-1", 70.0, found.since)


def test_nobody_is_called_silent_while_the_feed_itself_is_dead() -> None:
    told = monitored(600)
    told.fed_behind = 3600.0
    assert not told.asked(600 + 3600 + 200)
    assert told.missing(600 + 3600 + 301) == {"silence.device"}


def test_a_device_that_is_heard_again_ends_its_silence() -> None:
    told = monitored(600)
    opened = frozenset({"silence.device", "news2"})
    answered = told.heard(2000, opened=opened)
    assert {rule: one.finding for rule, one in answered.items()} == {"silence.device": None}
    assert not told.missing(2001), "its saturation may come with the next moment"
    for second in range(2001, 2400):
        told.heard(second)
    assert told.missing(2400) == {"silence.spo2"}


def test_while_another_device_is_silent_the_rule_stays_open() -> None:
    told = Told(at_least_minutes=5)
    for n in range(40):
        told.heard(n * 10.0, device="a")
        told.heard(n * 10.0, device="b")
    opened = frozenset({"silence.device"})
    assert {e.device for e in finding(told.asked(1000)["silence.device"]).evidence} == {"a", "b"}
    assert not told.heard(1000, device="a", opened=opened)
    assert [e.device for e in finding(told.asked(1002)["silence.device"]).evidence] == ["b"]
    assert told.heard(1004, device="b", opened=opened).keys() == opened


def test_what_was_told_already_does_not_hide_what_is_late_next() -> None:
    told = Told(at_least_minutes=5)
    for second in range(0, 2000, 10):
        told.heard(second, device="a")
        if second < 700:
            told.heard(second, device="b")
    assert told.due() == 1990 + 300


def test_a_vital_that_has_stopped_while_its_device_goes_on_is_told_by_itself() -> None:
    told = monitored(600)
    for second in range(601, 1000):
        told.heard(second, "heart_rate")
    assert told.missing(1000) == {"silence.spo2"}
    assert finding(told.asked(1000)["silence.spo2"]).evidence[0].vital == "spo2"
    opened = frozenset({"silence.spo2"})
    assert not told.heard(1001, "heart_rate", opened=opened)
    assert told.heard(1002, "spo2", opened=opened).keys() == opened


def test_what_an_artefact_explains_is_not_silent_besides() -> None:
    told = monitored(600)
    for second in range(601, 1000):
        told.heard(second, "heart_rate")
    assert not told.missing(1000, frozenset({"artefact.off.spo2"}))


def test_a_vital_of_a_silent_device_is_told_with_the_device() -> None:
    assert monitored(600).missing(10_000) == {"silence.device"}


def test_the_interval_is_learned_and_nothing_is_expected_until_it_is() -> None:
    told = Told(at_least_minutes=1)
    for n in range(WARM):
        told.heard(n * HOUR)
        assert told.due() is None
    told.heard(WARM * HOUR)
    assert told.due() == WARM * HOUR + 3 * HOUR
    assert not told.missing(WARM * HOUR + 2.9 * HOUR)
    assert told.missing(WARM * HOUR + 3.1 * HOUR) == {"silence.device"}


def test_an_interval_that_is_set_holds_from_the_first_reading_on() -> None:
    told = Told(at_least_minutes=1, vital_minutes={"temperature": 240})
    told.heard(0, "temperature")
    assert told.due() == 12 * HOUR
    assert told.missing(12.1 * HOUR) == {"silence.temperature"}


def test_readings_that_are_sent_at_once_do_not_shorten_the_interval() -> None:
    told = Told(at_least_minutes=1)
    for day in range(30):
        for second in range(20):
            told.heard(day * DAY + 2 * second)
    assert not told.missing(29 * DAY + 2 * DAY)
    assert told.missing(29 * DAY + 4 * DAY) == {"silence.device"}


def test_one_holiday_does_not_make_the_patient_unreachable_afterwards() -> None:
    told = Told(at_least_minutes=1)
    for day in [*range(30), *range(60, 70)]:
        told.heard(day * DAY)
    assert told.missing(73.6 * DAY) == {"silence.device"}


def test_what_is_stated_when_it_changes_is_expected_at_no_interval() -> None:
    told = Told(at_least_minutes=1)
    for hour in range(20):
        told.heard(hour * HOUR, "heart_rate", "supplemental_oxygen")
    for hour in range(20, 60):
        told.heard(hour * HOUR, "heart_rate")
    assert not told.missing(60 * HOUR)


def test_an_interval_is_not_learned_while_the_patient_is_in_an_alert() -> None:
    told = Told(at_least_minutes=1)
    for n in range(20):
        told.heard(n * HOUR)
    for n in range(1000):
        told.heard(20 * HOUR + n * MINUTE, frozen=True)
    assert not told.missing(20 * HOUR + 999 * MINUTE + 2.5 * HOUR)


def test_a_device_that_stays_away_for_long_is_taken_to_be_no_longer_used() -> None:
    told = monitored(600, forget_hours=24)
    assert told.missing(20 * HOUR) == {"silence.device"}
    answered = told.asked(600 + 24.1 * HOUR, frozenset({"silence.device"}))
    assert [one.finding for one in answered.values()] == [None]


def test_many_devices_take_no_more_room_than_a_few() -> None:
    told, sizes = Told(at_least_minutes=1), []
    for n in range(300):
        told.heard(n * MINUTE, device=f"dev-{n:03}")
        sizes.append(len(msgspec.msgpack.encode(told.detector.snapshot())))
    assert sizes[-1] <= sizes[40]


def test_a_missed_weight_is_told_after_its_grace_and_ends_with_the_next() -> None:
    told = Told(HEART, begun(Feed(START, 0.0)), prescriptions={"weight": {"every_hours": 24}})
    told.heard(0, "weight")
    assert told.due() == 36 * HOUR + CLOCKS
    assert not told.asked(36 * HOUR - 1)
    (score,) = told.asked(36 * HOUR + 2).values()
    found = finding(score)
    assert (found.rule, found.kind, found.pattern) == (
        "silence.weight",
        Kind.TECHNICAL,
        Pattern.MISSED,
    )
    assert found.since == START + timedelta(hours=24), "when it should have come"
    assert found.missing == ("weight",)
    opened = frozenset({"silence.weight"})
    assert not told.heard(37 * HOUR, "heart_rate", opened=opened)
    assert told.heard(38 * HOUR, "weight", opened=opened).keys() == opened
    assert not told.missing(39 * HOUR)


def test_a_prescription_is_judged_by_when_it_was_measured() -> None:
    told = Told(HEART, begun(Feed(START, 0.0)))
    told.heard(40 * HOUR, "weight", measured=20 * HOUR)
    assert not told.missing((20 + 48) * HOUR - 1)
    assert told.missing((20 + 48) * HOUR + 2) == {"silence.weight"}


def test_a_dead_feed_does_not_put_off_a_prescription() -> None:
    told = Told(HEART, begun(Feed(START, 0.0)))
    told.heard(0, "weight")
    told.fed_behind = 40 * HOUR
    assert told.missing(48 * HOUR + 2) == {"silence.weight"}


def test_a_patient_who_never_sent_anything_is_noticed_too() -> None:
    told = Told(HEART, begun(Feed(START, 0.0)))
    assert told.due() == 48 * HOUR + CLOCKS
    (score,) = told.asked(48 * HOUR + 2).values()
    assert finding(score).evidence == ()
    assert finding(score).missing == ("weight",)


def test_of_a_patient_who_is_not_watched_yet_nothing_is_said() -> None:
    told = Told(HEART)
    assert told.due() is None
    assert not told.asked(100 * DAY)


@pytest.mark.parametrize(
    ("own", "profile_s", "hours"),
    [
        pytest.param(None, None, 48, id="mandatory"),
        pytest.param(Prescription(12, 1), None, 13, id="a stricter one of the patient's"),
        pytest.param(None, Prescription(24, 6), 30, id="a stricter one of the profile's"),
        pytest.param(Prescription(240, 12), Prescription(24, 6), 48, id="a laxer one is none"),
        pytest.param(None, Prescription(24, 2400), 48, id="nor is one that is told too late"),
    ],
)
def test_the_weight_in_heart_failure_cannot_be_switched_off(
    own: Prescription | None, profile_s: Prescription | None, hours: float
) -> None:
    settings = Patient("p-1", Profile.HOME_HEART, prescriptions={Vital.WEIGHT: own} if own else {})
    told = Told(settings, begun(Feed(START, 0.0)))
    if profile_s is not None:
        options = Options(prescriptions={Vital.WEIGHT: profile_s})
        told.detector = Silence(options, begun(Feed(START, 0.0)))
    assert not told.missing(hours * HOUR - 1)
    assert told.missing(hours * HOUR + 2) == {"silence.weight"}


def test_no_shipped_profile_lacks_what_is_mandatory() -> None:
    for profile, watched in SHIPPED.items():
        assert lacking(profile, watched.options("silence").prescriptions) is None
    said = lacking(Profile.HOME_HEART, {})
    assert said is not None
    assert "cannot be switched off" in said


def test_a_prescription_that_was_taken_back_ends_its_alert() -> None:
    told = Told(Patient("p-1", prescriptions={Vital.GLUCOSE: Prescription(8, 1)}))
    told.heard(0, "heart_rate")
    assert told.missing(10 * HOUR) == {"silence.glucose"}
    told.settings = WARD
    answered = told.asked(11 * HOUR, frozenset({"silence.glucose"}))
    assert [one.finding for one in answered.values()] == [None]


def test_a_feed_that_began_anew_is_believed() -> None:
    told = monitored(600)
    told.fed_behind = 600.0
    told.heard(601)
    assert not told.missing(800)
    assert told.missing(601 + 301) == {"silence.device"}


def test_of_a_device_that_was_taken_off_nothing_is_expected_any_more() -> None:
    told = monitored(600)
    for second in range(0, 601, 2):
        told.heard(second, "temperature", device="dev-2")
    opened = frozenset({"silence.device", "silence.spo2"})
    assert told.missing(1000) == {"silence.device"}
    without(told.detector.snapshot(), ["dev-1"])
    assert told.missing(1000) == {"silence.device"}, "the other one"
    assert [e.device for e in finding(told.asked(1000)["silence.device"]).evidence] == ["dev-2"]
    without(told.detector.snapshot(), ["dev-2"])
    assert {rule: one.finding for rule, one in told.asked(1000, opened).items()} == {
        "silence.device": None,
        "silence.spo2": None,
    }
    assert told.due() is None
    for second in range(2000, 2400):
        told.heard(second)
    assert told.missing(2400 + 300) == {"silence.device"}, "it is worn again"


def test_a_prescription_does_not_begin_anew_when_the_scale_is_exchanged() -> None:
    told = Told(HEART, begun(Feed(START, 0.0)))
    told.heard(20 * HOUR, "weight", device="scale")
    without(told.detector.snapshot(), ["scale"])
    assert not told.missing((20 + 48) * HOUR - 1)
    assert told.missing((20 + 48) * HOUR) == {"silence.weight"}
