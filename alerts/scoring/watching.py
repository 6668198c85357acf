"""The worker's watch as a table needs it: by given profiles, and asked how the patient stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from alerts.watch import Watch
from detectors.base import Moment, label
from detectors.news2 import RULE, News2Detector

if TYPE_CHECKING:
    from datetime import datetime

    from alerts.episode import Episode
    from detectors.base import Score
    from ingest.registry.entities import Patient

_LABEL = label(News2Detector)


class TableWatch(Watch):
    """The worker's own watch, that also says how the patient stands at any time."""

    def open_alerts(self) -> list[Episode]:
        """Return the open alerts, the most urgent first, each with its last abnormal finding."""
        episodes = self._episodes.snapshot().episodes
        if not episodes:
            return []
        return sorted(episodes.values(), key=lambda one: (-one.priority.rank, one.finding.rule))

    def news2(self, settings: Patient, time: datetime) -> Score | None:
        """Ask NEWS2 over what is known and still valid, at a time at which nothing of it came.

        None: nothing is known. Costs a snapshot.
        """
        options: Any = self.profiles[settings.profile].options(News2Detector.name)
        if options is None:
            return None
        state = self._panel.snapshot().states.get(_LABEL)
        if state is None:
            return None
        known = msgspec.msgpack.decode(state, type=News2Detector.state_type)
        moment = Moment(time, time.timestamp(), "", ())
        scores = News2Detector(options, known).score(settings, moment, {})
        return next((score for score in scores if score.rule == RULE), None)
