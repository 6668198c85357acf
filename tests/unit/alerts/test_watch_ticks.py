"""What a watch says because time has passed, and nothing came."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from alerts.events import Phase
from alerts.watch import Watch, expected
from detectors.base import Feed
from detectors.findings import Kind, Priority
from detectors.silence import CLOCKS
from ingest.readings import Vital
from ingest.registry.entities import Patient, Profile
from tests.unit.alerts.patients import START, at

HEART = Patient("p-1", Profile.HOME_HEART)


def feed(hours: float) -> Feed:
    return Feed(START + timedelta(hours=hours), hours * 3600)


def test_who_never_sends_the_prescribed_weight_is_told_of_once_and_no_more_when_it_comes() -> None:
    assert expected(HEART)
    watch = Watch("p-1")
    assert watch.due(HEART) is None
    watch.begin(HEART, feed(0))
    assert watch.due(HEART) == 36 * 3600 + CLOCKS
    assert not watch.tick(HEART, feed(35.999))
    (start,) = watch.tick(HEART, feed(36))
    assert (start.phase, start.kind, start.priority, start.finding.rule) == (
        Phase.START,
        Kind.TECHNICAL,
        Priority.MEDIUM,
        "silence.weight",
    )
    assert not watch.tick(HEART, feed(40))
    weighed = watch.observe(HEART, "scales", at(41 * 3600, {Vital.WEIGHT: 80.0}), 41 * 3600)
    assert [(e.phase, e.alert) for e in weighed.events] == [(Phase.END, start.alert)]
    assert watch.due(HEART) == (41 + 36) * 3600 + CLOCKS


def test_a_weight_that_came_late_ends_its_alert_at_the_next_tick() -> None:
    watch = Watch("p-1")
    watch.begin(HEART, feed(0))
    assert watch.tick(HEART, feed(37))
    measured = at(35 * 3600, {Vital.WEIGHT: 80.0})
    assert not watch.observe(HEART, "scales", measured, 38 * 3600).events, "older than the alert"
    assert [e.phase for e in watch.tick(HEART, feed(38))] == [Phase.END]


ICU = Patient("p-1", Profile.ICU)


def on_a_monitor(minutes: int) -> Watch:
    watch = Watch("p-1")
    for second in range(60 * minutes + 1):
        values = {Vital.SPO2: 96.0 + second % 4}
        watch.observe(ICU, "dev-1", at(second, values), float(second))
    return watch


def test_an_alert_of_a_device_that_was_taken_off_is_asked_for_until_it_has_ended() -> None:
    watch = on_a_monitor(10)
    minute = 1 / 60
    assert [e.phase for e in watch.tick(ICU, feed(15 * minute))] == [Phase.START]
    assert watch.release(lambda device: device == "dev-1") == ("dev-1",)
    assert not watch.release(lambda _: True), "it is not known any more"
    assert not watch.tick(ICU, feed(15.1 * minute)), "an alert is not taken back within seconds"
    assert watch.due(ICU) == 0.0, "nothing is expected, and yet it must be asked"
    assert [e.phase for e in watch.tick(ICU, feed(16 * minute))] == [Phase.END]
    assert watch.due(ICU) is None


def test_a_device_that_is_still_worn_is_expected_as_before() -> None:
    watch = on_a_monitor(10)
    before = watch.snapshot()
    assert not watch.release(lambda _: False)
    assert not Watch("p-2").release(lambda _: True), "nothing was heard of it"
    assert watch.snapshot() == before


def test_what_is_known_is_not_lost_by_beginning_once_more() -> None:
    watch = Watch("p-1")
    watch.observe(HEART, "scales", at(0, {Vital.WEIGHT: 80.0}))
    watch.begin(HEART, feed(1))
    state = watch.snapshot()
    watch.begin(HEART, feed(20))
    assert watch.snapshot() == state


@pytest.mark.parametrize("seed", range(3))
def test_ticks_too_give_the_same_bytes_wherever_the_watch_was_stored(seed: int) -> None:
    random = Random(seed)
    straight, stopped = Watch("p-1"), Watch("p-1")
    for watch in (straight, stopped):
        watch.begin(HEART, feed(0))
    hour, phases = 0.0, []
    for _ in range(300):
        hour += random.choice([1.0, 7.0, 24.0, 50.0])
        if random.random() < 0.5:
            stopped = Watch.restore("p-1", stopped.snapshot())
        if random.random() < 0.4:
            instant = at(hour * 3600, {Vital.WEIGHT: 80.0 + random.random()})
            one = straight.observe(HEART, "scales", instant, hour * 3600)
            assert one == stopped.observe(HEART, "scales", instant, hour * 3600)
            phases += [event.phase for event in one.events]
        else:
            told = straight.tick(HEART, feed(hour))
            assert told == stopped.tick(HEART, feed(hour))
            phases += [event.phase for event in told]
        assert straight.due(HEART) == stopped.due(HEART)
    assert {Phase.START, Phase.END} <= set(phases)
    assert straight.snapshot() == stopped.snapshot()
