"""How devices conduct themselves: who is there, who floods, whose clock is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from ingest import broker, metrics, presence
from ingest.clocks import TIMES, Clocks
from ingest.presence import Presence, State
from ingest.quotas import Quotas
from ingest.topics import PREFIX

if TYPE_CHECKING:
    from datetime import datetime

    from ingest.bundles import Flush
    from ingest.door import Passed

log = structlog.get_logger()


class Conduct:
    """What the gateway notices of its devices beside their readings.

    `quota` is what a device may send for ever, in values a second. All `now` are monotonic seconds.
    """

    def __init__(self, quota: float) -> None:
        self._quotas, self._clocks, self._presence = Quotas(quota), Clocks(), Presence()

    def heard(self, topic: str, payload: bytes) -> bool:
        """Take in what is no message of readings; False for everything else."""
        if topic.startswith("$SYS/"):
            broker.take(topic, payload)
            return True
        if topic.endswith(presence.SUFFIX) and topic.startswith(PREFIX):
            device = topic.removeprefix(PREFIX).removesuffix(presence.SUFFIX)
            if "/" not in device:  # else it is a template that is called so
                self._presence.take(device, payload)
                return True
        return False

    def over(self, device: str, now: float) -> bool:
        """Whether what this device sends now is above its quota."""
        return self._quotas.over(device, now)

    def shipped(self, flush: Flush, received: datetime) -> None:
        """Take note of what a flush had of each device."""
        now = flush.began
        for device, heard in flush.heard.items():
            if heard.live:
                self._quotas.spend(device, heard.live, now)
            if heard.last is not None and self._clocks.due(device, now):
                self._look(heard.last, received, now)

    def _look(self, passed: Passed, received: datetime, now: float) -> None:
        """Hold the device's clock against ours."""
        heaps = passed.live or passed.late
        if heaps:
            newest = max(i.time for instants in heaps.values() for i in instants)
            self._clocks.saw(passed.device, newest, received, now)
        elif any(one.reason in TIMES for one in passed.refused):
            self._clocks.refused(passed.device, now)

    def tell(self, now: float) -> None:
        """Bring the gauges up to date, and log what is new; devices are named, patients never."""
        metrics.DEVICES_CONNECTED.set(self._presence.count(State.ONLINE))
        metrics.DEVICES_LOST.set(self._presence.count(State.LOST))
        metrics.FLOODING.set(len(self._quotas.flooding(now)))
        metrics.WRONG_CLOCKS.set(self._clocks.wrong)
        for device in self._quotas.news(now):
            log.warning("a device goes on sending above its quota", device=device)
        for wrong in self._clocks.news():
            ahead = None if wrong.ahead is None else round(wrong.ahead.total_seconds())
            log.warning("a device's clock is wrong", device=wrong.device, ahead_seconds=ahead)
