"""Whatever comes, in whatever order: the panel does not raise, and calls only as its rules say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.base import Feed
from detectors.findings import Kind, Priority
from detectors.panel import Panel, PanelState
from ingest.readings import SPECS, Quality, Vital
from ingest.registry.entities import Limit, Patient, Prescription, Profile, Trend
from tests.unit.detectors.plain import START, instant, state

if TYPE_CHECKING:
    from detectors.findings import Finding, Judgement

_encoder = msgspec.msgpack.Encoder(order="deterministic")

# What each family of rules may call for at most; docs/how-to/read-an-alert.md says it in words.
MAY = {
    "news2": (Kind.PHYSIOLOGICAL, {Priority.HIGH, Priority.MEDIUM}),
    "limits": (Kind.PHYSIOLOGICAL, {Priority.HIGH, Priority.MEDIUM}),
    "trends": (Kind.PHYSIOLOGICAL, {Priority.MEDIUM, Priority.LOW}),
    "risk": (None, {Priority.MEDIUM, Priority.LOW}),
    "combine": (Kind.PHYSIOLOGICAL, {Priority.MEDIUM}),
    "baseline": (Kind.ADVISORY, {Priority.LOW}),
    "drift": (Kind.ADVISORY, {Priority.LOW}),
    "population": (Kind.ADVISORY, {Priority.LOW}),
    "anomaly": (None, {Priority.MEDIUM, Priority.LOW}),
    "artefact": (Kind.TECHNICAL, {Priority.MEDIUM, Priority.LOW}),
    "silence": (Kind.TECHNICAL, {Priority.MEDIUM, Priority.LOW}),
}

patients = st.builds(
    Patient,
    st.just("p-1"),
    st.sampled_from(Profile),
    st.dictionaries(
        st.sampled_from(Vital),
        st.builds(Limit, st.floats(30, 60), st.floats(60, 90), urgent=st.booleans()),
        max_size=3,
    ),
    spo2_scale=st.integers(1, 2),
    born=st.sampled_from([None, 1950, 2010, 2020]),
    pregnant=st.booleans(),
    trends=st.just({Vital.WEIGHT: Trend(3, rise=2.0, fall=3.0)}),
    prescriptions=st.just({Vital.WEIGHT: Prescription(24, 6)}),
)
believable = st.sampled_from(Vital).flatmap(
    lambda vital: st.tuples(st.just(vital), st.floats(*SPECS[vital].hard))
)
odd = st.tuples(st.sampled_from(Vital), st.floats(allow_nan=True, allow_infinity=True))
values = st.lists(st.one_of(believable, believable, odd), max_size=8).map(dict)
moments = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 5_000) | st.integers(0, 40_000_000),
    values,
    st.booleans(),
)


def within(finding: Finding, patient: Patient) -> bool:
    """Whether a finding calls for no more than its family's rule says."""
    family, _, rest = finding.rule.partition(".")
    kind, priorities = MAY[family]
    if finding.priority not in priorities or (kind is not None and finding.kind is not kind):
        return False
    if family == "news2":
        assert finding.score is not None
        return (finding.score >= 7) == (finding.priority is Priority.HIGH)
    if family == "limits" and rest in patient.limits:
        urgent = patient.limits[Vital(rest)].urgent
        return urgent == (finding.priority is Priority.HIGH)
    return True


@settings(max_examples=150, deadline=None)
@given(patients, st.lists(moments, max_size=30))
def test_no_sequence_raises_the_order_of_vitals_is_nothing_and_priorities_are_the_rules(
    patient: Patient, sequence: list[tuple[str, int, dict[Vital, float], bool]]
) -> None:
    one, other = Panel(), Panel()
    for number, (device, second, measured, doubtful) in enumerate(sequence):
        quality = dict.fromkeys(measured, int(Quality.SUSPECT)) if doubtful else {}
        turned = dict(reversed(measured.items()))
        fed = float(second)
        judged = one.feed(patient, device, instant(second, measured, quality), fed=fed)
        again = other.feed(patient, device, instant(second, turned, quality), fed=fed)
        assert _encoder.encode(told(judged)) == _encoder.encode(told(again))
        assert all(within(finding, patient) for finding in judged.findings)
        assert {finding.rule for finding in judged.findings} <= judged.judged
        figures = judged.assessment
        if figures is not None:
            assert figures.anomaly is None or 0 <= figures.anomaly < math.inf
            assert all(0 <= risk <= 1 for risk in figures.risks.values())
            assert figures.news2 is None or 0 <= figures.news2 <= 20
        if number % 5 == 4:
            feed = Feed(START, fed + 3600)
            ticked = one.tick(patient, feed)
            assert told(ticked) == told(other.tick(patient, feed))
            assert all(within(finding, patient) for finding in ticked.findings)
            due = one.due(patient)
            assert due is None or math.isfinite(due)
    assert state(one) == state(other)
    restored = Panel.restore(msgspec.msgpack.decode(state(one), type=PanelState))
    assert state(restored) == state(one)


def told(judgement: Judgement) -> tuple[object, ...]:
    """Return what a judgement says, in an order of its own."""
    return judgement.assessment, sorted(judgement.judged), judgement.findings


@pytest.mark.parametrize("profile", Profile)
def test_nobody_who_is_well_is_called_for(profile: Profile) -> None:
    """A steady patient, measured as often as the profile means: no finding above advice."""
    every = {Profile.ICU: 1, Profile.WARD: 4 * 3600}.get(profile, 24 * 3600)
    patient, panel = Patient("p-1", profile), Panel()
    steady = {
        Vital.HEART_RATE: 72.0,
        Vital.PULSE_RATE: 72.0,
        Vital.RESPIRATORY_RATE: 15.0,
        Vital.SPO2: 97.0,
        Vital.TEMPERATURE: 36.8,
        Vital.SYSTOLIC: 124.0,
        Vital.DIASTOLIC: 76.0,
        Vital.WEIGHT: 80.0,
        Vital.CONSCIOUSNESS: 0.0,
    }
    for n in range(200):
        # A living body is never the same twice: each vital moves by a step of its resolution.
        now = {vital: value + (n * 7 + len(vital)) % 3 * 0.1 for vital, value in steady.items()}
        now[Vital.CONSCIOUSNESS] = 0.0
        judged = panel.feed(
            patient,
            "d",
            instant(n * every, now),
            fed=float(n * every),
        )
        assert not [one for one in judged.findings if one.priority is not Priority.LOW]
