"""A patient's readings once more through the worker's own watch, to see what it expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from alerts.plotting.chart import Band, Chart, Point, Step
from alerts.plotting.chart import bars as bars_of
from alerts.watch import Watch
from detectors.base import Feed
from detectors.baseline import Baseline
from detectors.profiles.loading import SHIPPED
from ingest.readings import Quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from alerts.events import AlertEvent
    from detectors.base import Before, Moment, Score, Scores
    from detectors.findings import Assessment
    from detectors.profiles.loading import Watched
    from ingest.readings import Instant
    from ingest.registry.entities import Patient, Profile

NEWS2, ANOMALY, RISK = "news2", "anomaly", "risk_"
# Only these bits make a value doubtful; that it came late does not.
DOUBTFUL = int(Quality.SUSPECT | Quality.AHEAD)


class Measured(NamedTuple):
    """What the devices measured at one moment (UTC)."""

    time: datetime
    devices: Mapping[str, Instant]


def watched(chart: Chart, settings: Patient, readings: Iterable[Measured], *, only: bool) -> None:
    """Fill in series and bands, and with them scores and alerts, unless `only` those.

    Parameters
    ----------
    chart
        The picture; only its span is drawn, but the readings before it are looked at too, so that
        what is usual is known when it begins.
    settings
        The patient's, of whom the profile says who watches.
    readings
        In order of time.
    only
        The scores and the alerts are known already (a database has them): leave them.
    """
    found: list[tuple[datetime, Score]] = []
    watch = Watch.by(_listening(found))(settings.id)
    steps: list[Step] = []
    for time, devices in readings:
        if time > chart.span.end:
            break
        at = time.timestamp()
        due = watch.due(settings)
        if due is not None and due <= at:
            steps += map(step, watch.tick(settings, Feed(time, at)))
        for device, instant in devices.items():
            outcome = watch.observe(settings, device, instant, at)
            steps += map(step, outcome.events)
            if time in chart.span:
                put(chart, instant)
                if not only and outcome.assessment is not None:
                    assessed(chart, outcome.assessment)
    _bands(chart, found)
    if not only:
        chart.bars = bars_of(steps, chart.span)


def put(chart: Chart, instant: Instant) -> None:
    """Put what one device measured into the series."""
    for vital, value in instant.values.items():
        doubtful = bool(int(instant.quality.get(vital, 0)) & DOUBTFUL)
        chart.series.setdefault(str(vital), []).append(Point(instant.time, value, doubtful))


def assessed(chart: Chart, found: Assessment) -> None:
    """Put the scores of one moment into the picture; what is unknown is not there."""
    values = {NEWS2: found.news2, ANOMALY: found.anomaly}
    values |= {f"{RISK}{name}": risk for name, risk in found.risks.items()}
    for name, value in values.items():
        if value is not None:
            chart.scores.setdefault(name, []).append(Point(found.time, float(value)))


def step(event: AlertEvent) -> Step:
    """Keep of an event what the picture shows."""
    rule, kind = event.finding.rule, event.kind.value
    return Step(str(event.alert), rule, kind, event.time, event.phase.value, event.priority)


def _bands(chart: Chart, found: Iterable[tuple[datetime, Score]]) -> None:
    for time, score in found:
        known = score.vital is not None and score.low is not None and score.high is not None
        if known and time in chart.span:
            band = Band(time, score.low or 0.0, score.high or 0.0)
            chart.bands.setdefault(str(score.vital), []).append(band)


def _listening(into: list[tuple[datetime, Score]]) -> Mapping[Profile, Watched]:
    """Return the shipped profiles with a baseline detector that lets us hear what it expects."""

    class Listening(Baseline):
        """The baseline detector, overheard; its scores and its state are its own."""

        def score(self, settings: Patient, moment: Moment, before: Before) -> Scores:
            scores = super().score(settings, moment, before)
            into.extend((moment.time, score) for score in scores)
            return scores

    return {
        profile: one._replace(
            detectors=tuple(
                (Listening if kind is Baseline else kind, options)
                for kind, options in one.detectors
            )
        )
        for profile, one in SHIPPED.items()
    }
