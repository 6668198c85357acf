"""One patient's detectors together: what reaches whom, in which order, and what is remembered."""

from __future__ import annotations

import math

import msgspec
import pytest

from detectors.catalogue import CATALOGUE
from detectors.combine import Rules
from detectors.findings import Kind, Priority
from detectors.panel import Panel, PanelState
from detectors.profiles.loading import SHIPPED, Watched
from ingest.readings import Vital
from ingest.registry.entities import Patient, Profile
from tests.unit.detectors.plain import Above, Other, Plain, instant, panel, state

PLAIN = Patient("p-1")
TECHNICAL = Above(kind=Kind.TECHNICAL, priority=Priority.LOW)


def test_a_rule_is_judged_where_a_detector_has_something_to_say() -> None:
    judgement = panel([(Plain, Above())]).feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0}))
    assert judgement.judged == {"plain.spo2"}
    assert not judgement.findings


def test_what_nobody_can_score_has_no_assessment() -> None:
    assert Panel().feed(PLAIN, "d", instant(0, {Vital.BATTERY: 80.0})).assessment is None


def test_a_message_sent_again_changes_nothing() -> None:
    one = panel([(Plain, Above())])
    first = instant(0, {Vital.HEART_RATE: 120.0})
    assert one.feed(PLAIN, "d", first).findings
    before = state(one)
    again = one.feed(PLAIN, "d", first)
    assert not again.judged
    assert not again.findings
    assert again.assessment is None
    assert state(one) == before


def test_a_late_reading_of_the_same_device_is_not_scored_but_one_of_another_device_is() -> None:
    one = panel([(Plain, Above())])
    one.feed(PLAIN, "d-1", instant(10, {Vital.SPO2: 97.0}))
    assert not one.feed(PLAIN, "d-1", instant(9, {Vital.SPO2: 80.0})).judged
    assert one.feed(PLAIN, "d-2", instant(9, {Vital.HEART_RATE: 70.0})).judged


def test_a_vital_that_comes_later_than_the_others_of_its_instant_is_scored() -> None:
    one = panel([(Plain, Above())])
    one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0}))
    late = one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0, Vital.HEART_RATE: 135.0}))
    assert [finding.rule for finding in late.findings] == ["plain.heart_rate"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_reaches_no_detector(value: float) -> None:
    one = panel([(Plain, Above())])
    judgement = one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0, Vital.TEMPERATURE: value}))
    assert judgement.judged == {"plain.spo2"}


def test_what_a_technical_finding_explains_reaches_no_later_detector() -> None:
    noisy = instant(0, {Vital.HEART_RATE: 300.0, Vital.SPO2: 97.0})
    judgement = panel([(Plain, TECHNICAL), (Other, Above())]).feed(PLAIN, "d", noisy)
    assert [finding.rule for finding in judgement.findings] == ["plain.heart_rate"]
    assert judgement.judged == {"plain.heart_rate", "plain.spo2", "other.spo2"}


def test_with_the_rule_switched_off_it_does() -> None:
    noisy = instant(0, {Vital.HEART_RATE: 300.0})
    free = panel([(Plain, TECHNICAL), (Other, Above())], Rules(inhibit=False))
    judgement = free.feed(PLAIN, "d", noisy)
    assert [one.rule for one in judgement.findings] == ["plain.heart_rate", "other.heart_rate"]


def test_a_rule_that_nobody_asks_any_more_is_answered_normal_where_its_alert_is_open() -> None:
    one = panel([(Plain, Above())])
    judgement = one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0}), still_open={"gone.spo2"})
    assert "gone.spo2" in judgement.judged
    later = one.feed(PLAIN, "d", instant(1, {Vital.SPO2: 97.0}), still_open={"plain.weight"})
    assert "plain.weight" not in later.judged


def test_devices_that_are_silent_for_months_are_forgotten() -> None:
    one = panel([(Plain, Above())])
    for day in range(0, 1000, 5):
        one.feed(PLAIN, f"d-{day}", instant(86_400 * day, {Vital.WEIGHT: 80.0}))
    assert len(one.snapshot().seen) < 15


def test_an_instant_without_values_leaves_no_trace() -> None:
    one = Panel()
    before = state(one)
    one.feed(PLAIN, "d", instant(0, {}))
    assert state(one) == before


def test_a_restored_panel_that_was_not_fed_keeps_what_it_was_given() -> None:
    one = Panel()
    one.feed(PLAIN, "d", instant(0, {Vital.HEART_RATE: 70.0}))
    known = state(one)
    assert state(Panel.restore(msgspec.msgpack.decode(known, type=PanelState))) == known


def test_a_state_of_another_version_is_left_out_and_its_detector_starts_anew() -> None:
    one = panel([(Plain, Above()), (Other, Above())])
    one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0}))
    known = msgspec.msgpack.decode(state(one), type=PanelState)
    known.states["plain/0"] = known.states.pop("plain/1")
    again = panel([(Plain, Above()), (Other, Above())], state=known)
    again.feed(PLAIN, "d", instant(1, {Vital.SPO2: 97.0}))
    learned = {name: msgspec.msgpack.decode(raw) for name, raw in again.snapshot().states.items()}
    assert learned == {"plain/1": 1, "other/1": 2, "combine/1": {}}


def test_a_state_that_its_detector_cannot_read_is_left_out_too() -> None:
    one = panel([(Plain, Above()), (Other, Above())])
    one.feed(PLAIN, "d", instant(0, {Vital.SPO2: 97.0}))
    known = msgspec.msgpack.decode(state(one), type=PanelState)
    known.states["plain/1"] = msgspec.Raw(msgspec.msgpack.encode({"of": "another shape"}))
    again = panel([(Plain, Above()), (Other, Above())], state=known)
    again.feed(PLAIN, "d", instant(1, {Vital.SPO2: 97.0}))
    learned = {name: msgspec.msgpack.decode(raw) for name, raw in again.snapshot().states.items()}
    assert learned == {"plain/1": 1, "other/1": 2, "combine/1": {}}


def test_a_patient_who_moves_to_another_profile_keeps_what_both_know() -> None:
    both = Watched("both", "b", ((Plain, Above()), (Other, Above())), Rules())
    few = Watched("few", "f", ((Plain, Above()),), Rules())
    one = Panel(profiles={Profile.ICU: both, Profile.WARD: few})
    bed = Patient("p-1", Profile.ICU)
    one.feed(bed, "d", instant(0, {Vital.SPO2: 97.0}))
    one.feed(msgspec.structs.replace(bed, profile=Profile.WARD), "d", instant(1, {Vital.SPO2: 97}))
    one.feed(bed, "d", instant(2, {Vital.SPO2: 97.0}))
    learned = {name: msgspec.msgpack.decode(raw) for name, raw in one.snapshot().states.items()}
    assert learned == {"plain/1": 3, "other/1": 1, "combine/1": {}}


def test_every_shipped_profile_has_only_known_detectors_in_the_order_of_the_catalogue() -> None:
    order = list(CATALOGUE)
    for profile in Profile:
        names = [kind.name for kind, _ in SHIPPED[profile].detectors]
        assert names == [name for name in order if name in names]
        assert "news2" in names


def test_news2_of_nothing_is_unknown_and_not_zero() -> None:
    """A child's open alert of NEWS2 is closed by a judgement, not by a figure."""
    one, low = Panel(), {Vital.SPO2: 80.0}
    assert one.feed(PLAIN, "d", instant(0, low)).findings
    child = Patient("p-1", born=2020)
    closed = one.feed(child, "d", instant(1, low), still_open={"news2"})
    assert "news2" in closed.judged
    assert closed.assessment is None or closed.assessment.news2 is None


def test_a_risk_of_nothing_is_unknown_and_not_zero() -> None:
    """As above, for a patient of whom no risk is asked any more."""
    one, ill = Panel(), {Vital.SPO2: 85.0, Vital.HEART_RATE: 140.0, Vital.RESPIRATORY_RATE: 32.0}
    assert one.feed(PLAIN, "d", instant(0, ill)).findings
    opened = {"news2", "risk.deterioration", "risk.sepsis"}
    pregnant = Patient("p-1", pregnant=True)
    closed = one.feed(pregnant, "d", instant(1, ill), still_open=opened)
    assert "risk.deterioration" in closed.judged
    assert closed.assessment is None or not closed.assessment.risks
