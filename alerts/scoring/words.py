"""What the open alerts rest on, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.explain import Language, explain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from alerts.scoring.watching import TableWatch
    from detectors.findings import Priority


def explained(
    watches: Iterable[TableWatch], language: str, time: datetime
) -> tuple[Priority | None, str]:
    """Return the highest priority of the open alerts and their explanations, most urgent first.

    They are told as at `time` (UTC), in `en` or `fr`; no alert is open: None and "".
    """
    alerts = [alert for watch in watches for alert in watch.open_alerts()]
    if not alerts:
        return None, ""
    alerts.sort(key=lambda one: -one.priority.rank)
    reader = Language(language)
    told = (explain(alert.finding, reader, moment=time) for alert in alerts)
    return alerts[0].priority, " ".join(told)
