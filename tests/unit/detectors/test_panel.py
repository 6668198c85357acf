"""One patient's detectors together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detectors.panel import Panel, PanelState
from ingest.readings import Instant, Quality, Vital
from ingest.registry.entities import Limit, Patient

START = datetime(2026, 11, 24, tzinfo=UTC)
SETTINGS = Patient("p-1", limits={Vital.SPO2: Limit(low=88)})
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def instant(
    second: float, values: dict[Vital, float], quality: dict[Vital, int] | None = None
) -> Instant:
    return Instant(START + timedelta(seconds=second), values, quality or {})


def state(panel: Panel) -> bytes:
    return _encoder.encode(panel.snapshot())


def test_only_rules_that_could_be_asked_are_judged() -> None:
    panel = Panel()
    assert panel.feed(SETTINGS, "d", instant(0, {Vital.BATTERY: 80.0})).judged == frozenset()
    assert panel.feed(SETTINGS, "d", instant(1, {Vital.HEART_RATE: 80.0})).judged == {"news2"}
    spo2 = panel.feed(SETTINGS, "d", instant(2, {Vital.SPO2: 97.0}))
    assert spo2.judged == {"news2", "limits.spo2"}
    assert not spo2.findings


def test_what_nobody_can_score_has_no_assessment() -> None:
    assert Panel().feed(SETTINGS, "d", instant(0, {Vital.BATTERY: 80.0})).assessment is None


def test_the_assessment_names_what_is_missing() -> None:
    assessment = Panel().feed(SETTINGS, "d", instant(0, {Vital.SPO2: 90.0})).assessment
    assert assessment is not None
    assert assessment.news2 == 3
    assert Vital.CONSCIOUSNESS in assessment.news2_missing
    assert assessment.anomaly is None


def test_a_message_sent_again_changes_nothing() -> None:
    panel = Panel()
    first = instant(0, {Vital.SPO2: 80.0})
    panel.feed(SETTINGS, "d", first)
    before = state(panel)
    again = panel.feed(SETTINGS, "d", first)
    assert not again.judged
    assert not again.findings
    assert again.assessment is None
    assert state(panel) == before


def test_a_late_reading_of_the_same_device_is_not_scored_but_one_of_another_device_is() -> None:
    panel = Panel()
    panel.feed(SETTINGS, "d-1", instant(10, {Vital.SPO2: 97.0}))
    assert not panel.feed(SETTINGS, "d-1", instant(9, {Vital.SPO2: 80.0})).judged
    assert panel.feed(SETTINGS, "d-2", instant(9, {Vital.HEART_RATE: 70.0})).judged


def test_a_vital_that_comes_later_than_the_others_of_its_instant_is_scored() -> None:
    panel = Panel()
    panel.feed(SETTINGS, "d", instant(0, {Vital.SPO2: 97.0}))
    late = panel.feed(SETTINGS, "d", instant(0, {Vital.SPO2: 97.0, Vital.HEART_RATE: 135.0}))
    assert [finding.rule for finding in late.findings] == ["news2"]


def test_a_suspect_value_alarms_but_is_not_learned() -> None:
    panel, clean = Panel(), Panel()
    for second in range(400):
        normal = instant(second, {Vital.SPO2: 97.0})
        panel.feed(SETTINGS, "d", normal)
        clean.feed(SETTINGS, "d", normal)
    doubtful = instant(400, {Vital.SPO2: 45.0}, {Vital.SPO2: int(Quality.SUSPECT)})
    found = panel.feed(SETTINGS, "d", doubtful)
    assert {finding.rule for finding in found.findings} == {"news2", "limits.spo2"}
    assert "baseline.spo2" not in found.judged
    assert panel.snapshot().usual == clean.snapshot().usual


def test_nothing_is_learned_while_frozen() -> None:
    panel = Panel()
    for second in range(400):
        panel.feed(SETTINGS, "d", instant(second, {Vital.SPO2: 97.0}))
    before = panel.snapshot().usual
    judgement = panel.feed(SETTINGS, "d", instant(400, {Vital.SPO2: 96.0}), frozen=True)
    assert "baseline.spo2" in judgement.judged
    assert panel.snapshot().usual == before


def test_a_bound_that_is_prescribed_no_longer_is_judged_normal_where_its_alert_is_open() -> None:
    low = instant(0, {Vital.SPO2: 87.0})
    without = Patient("p-1")
    assert "limits.spo2" not in Panel().feed(without, "d", low).judged
    judgement = Panel().feed(without, "d", low, still_open={"limits.spo2"})
    assert "limits.spo2" in judgement.judged
    assert "limits.spo2" not in {finding.rule for finding in judgement.findings}


def test_two_devices_at_one_moment_share_the_largest_anomaly() -> None:
    panel = Panel()
    for second in range(400):
        values = {Vital.SPO2: 97.0, Vital.HEART_RATE: 70.0}
        panel.feed(SETTINGS, "d-1", instant(second, values))
    far = panel.feed(SETTINGS, "d-1", instant(400, {Vital.HEART_RATE: 85.0})).assessment
    near = panel.feed(SETTINGS, "d-2", instant(400, {Vital.SPO2: 97.0})).assessment
    assert far is not None
    assert near is not None
    assert near.anomaly == far.anomaly == 5.0


def test_devices_that_are_silent_for_months_are_forgotten() -> None:
    panel = Panel()
    for day in range(0, 1000, 5):
        panel.feed(SETTINGS, f"d-{day}", instant(86_400 * day, {Vital.WEIGHT: 80.0}))
    assert len(panel.snapshot().seen) < 15


def test_an_instant_without_values_leaves_no_trace() -> None:
    panel = Panel()
    before = state(panel)
    panel.feed(SETTINGS, "d", instant(0, {}))
    assert state(panel) == before


values = st.dictionaries(
    st.sampled_from(list(Vital)), st.floats(allow_nan=True, allow_infinity=True), max_size=8
)
instants = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5000), values), max_size=40)


@given(instants)
def test_no_sequence_raises_and_the_order_of_vitals_does_not_matter(
    sequence: list[tuple[str, int, dict[Vital, float]]],
) -> None:
    one, other = Panel(), Panel()
    settings = Patient("p-1", limits=dict.fromkeys(Vital, Limit(low=80, high=90)))
    for device, second, measured in sequence:
        turned = dict(reversed(measured.items()))
        judged = one.feed(settings, device, instant(second, measured))
        assert _encoder.encode(judged.findings) == _encoder.encode(
            other.feed(settings, device, instant(second, turned)).findings
        )
    assert state(one) == state(other)


def test_a_restored_panel_goes_on_the_same() -> None:
    straight, stopped = Panel(), Panel()
    for second in range(1000):
        now = instant(second, {Vital.SPO2: 95.0 + second % 4, Vital.HEART_RATE: 60.0 + second % 9})
        assert straight.feed(SETTINGS, "d", now) == stopped.feed(SETTINGS, "d", now)
        if second % 83 == 0:
            stopped = Panel.restore(msgspec.msgpack.decode(state(stopped), type=PanelState))
    assert state(straight) == state(stopped)
