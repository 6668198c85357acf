"""The detectors of one patient: fed instant by instant, asked for a judgement."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from detectors import baseline, limits, news2
from detectors.base import Sample
from detectors.findings import Assessment, Judgement
from ingest.readings import Quality, Vital

if TYPE_CHECKING:
    from collections.abc import Collection

    from detectors.findings import Finding
    from ingest.readings import Instant
    from ingest.registry.entities import Patient

# A device that has been silent for this long is forgotten, so that a patient's state stays small
# through years of exchanged devices. Far longer than a device keeps what it could not send.
FORGOTTEN = timedelta(days=60)


class PanelState(msgspec.Struct, array_like=True):
    """Everything that the panel knows, as plain values: the body of a snapshot.

    `seen` has the newest time of each vital of each device. `moment` and `anomaly` are the time of
    the last instant and the largest distance in it so far: two devices may share a moment.
    """

    seen: dict[str, dict[Vital, datetime]]
    inputs: dict[Vital, news2.Input]
    usual: dict[Vital, baseline.Usual]
    moment: datetime | None = None
    anomaly: float | None = None


@dataclass(slots=True)
class _Round:
    """One instant's questions and answers."""

    settings: Patient
    frozen: bool
    still_open: Collection[str]
    judged: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def answer(self, rule: str, finding: Finding | None) -> None:
        self.judged.add(rule)
        if finding is not None:
            self.findings.append(finding)


class Panel:
    """One patient's set of detectors.

    Time is the devices'. A reading that is not newer than the last one of the same device and
    vital is late or sent again: it changes nothing here (it is stored elsewhere). Values that are
    not finite are passed over like values that were not sent.
    """

    def __init__(self, state: PanelState | None = None) -> None:
        state = state if state is not None else PanelState({}, {}, {})
        self._seen = state.seen
        self._news2 = news2.News2Detector.restore(state.inputs)
        self._limits = limits.Limits()
        self._baseline = baseline.Baseline.restore(state.usual)
        self._moment, self._anomaly = state.moment, state.anomaly

    def feed(
        self,
        settings: Patient,
        device: str,
        instant: Instant,
        *,
        frozen: bool = False,
        still_open: Collection[str] = (),
    ) -> Judgement:
        """Judge what one device measured at one moment, then learn from it.

        Parameters
        ----------
        settings
            The patient's settings as they hold at this place in the log.
        device
            The id of the device.
        instant
            Its values; their order does not matter.
        frozen
            True while the patient is in a physiological alert: what is measured now is not usual,
            so the baseline learns nothing.
        still_open
            Rules with an open alert: a bound that is no longer prescribed is judged once more
            where its alert is open, as "normal".
        """
        samples = self._fresh(device, instant)
        if not samples:
            return Judgement(instant.time, None, frozenset(), ())
        asked = _Round(settings, frozen, still_open)
        anomaly = self._anomaly if self._moment == instant.time else None
        for sample in samples:
            self._judge_limits(asked, sample)
            # An artefact must not become what is usual; limits and NEWS2 take the safe side.
            if not instant.quality.get(sample.vital, 0) & Quality.SUSPECT:
                distance = self._judge_baseline(asked, sample)
                if distance is not None and (anomaly is None or distance > anomaly):
                    anomaly = distance
            self._news2.learn(sample)
        total, finding = self._news2.judge(settings)
        if not news2.ASKED.isdisjoint(sample.vital for sample in samples):
            asked.answer(news2.RULE, finding)
        self._moment, self._anomaly = instant.time, anomaly
        assessment = None
        if total.total is not None or anomaly is not None:
            assessment = Assessment(instant.time, total.total, total.missing, anomaly)
        return Judgement(instant.time, assessment, frozenset(asked.judged), tuple(asked.findings))

    def snapshot(self) -> PanelState:
        """Return the state; it shares nothing that a later `feed` would change but `seen`."""
        return PanelState(
            self._seen,
            self._news2.snapshot(),
            self._baseline.snapshot(),
            self._moment,
            self._anomaly,
        )

    @classmethod
    def restore(cls, state: PanelState) -> Panel:
        """Make a panel that goes on where the one of the snapshot stood."""
        return cls(state)

    def _fresh(self, device: str, instant: Instant) -> list[Sample]:
        """Take the values that are newer than what this device sent before, in a fixed order."""
        time = instant.time
        seen = self._seen.get(device, {})
        samples = []
        for vital in sorted(instant.values):
            value, last = float(instant.values[vital]), seen.get(vital)
            if (last is None or time > last) and math.isfinite(value):
                seen[vital] = time
                samples.append(Sample(vital, value, time, device))
        if samples and device not in self._seen:
            self._forget(time)
            self._seen[device] = seen
        return samples

    def _forget(self, now: datetime) -> None:
        """Drop devices that have been silent for long; called when a new one comes."""
        oldest = now - FORGOTTEN
        for device in [d for d, times in self._seen.items() if max(times.values()) < oldest]:
            del self._seen[device]

    def _judge_limits(self, asked: _Round, sample: Sample) -> None:
        rule = limits.RULES[sample.vital]
        score = self._limits.score(asked.settings, sample)
        if score is not None:
            asked.answer(rule, self._limits.finding(sample, score))
        elif rule in asked.still_open:
            asked.answer(rule, None)

    def _judge_baseline(self, asked: _Round, sample: Sample) -> float | None:
        """Score one value, then learn from it where that is wise; return the distance."""
        score = self._baseline.score(asked.settings, sample)
        finding = None
        if score is not None:
            finding = self._baseline.finding(sample, score)
            asked.answer(baseline.RULES[sample.vital], finding)
        if not asked.frozen:
            if finding is None:
                self._baseline.learn(sample)
            else:
                self._baseline.pass_over(sample)
        return None if score is None else score.value
