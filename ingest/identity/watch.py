"""Until when devices can come in at all: what the authority's folder says, for Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ingest.ports import SystemClock, VigieError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.identity.index import Issued
    from ingest.ports import Clock

FILES = ("ca.crt", "ca.crl", "server.crt", "issued.jsonl")


class Ends(Collector):
    """Tells the ends of the authority's own, and how many devices have theirs within a month.

    A process that does not see the folder tells nothing. The folder is read when it has changed.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._read: tuple[int, ...] = ()
        self._ends: dict[str, datetime] = {}
        self._newest: list[Issued] = []

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the series without reading anything."""
        yield self._moments()
        yield self._soon()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read what has changed, and tell it."""
        try:
            self._refresh()
        except (OSError, VigieError):
            return
        from ingest.identity.authority import WARNED  # noqa: PLC0415 (only where there is one)

        moments = self._moments()
        for what, end in self._ends.items():
            moments.add_metric([what], end.timestamp())
        yield moments
        now = self._clock.now().astimezone(UTC)
        soon = self._soon()
        ending = [one for one in self._newest if one.until and one.until < now + WARNED]
        soon.add_metric([], sum(one.reason is None for one in ending))
        yield soon

    def _refresh(self) -> None:
        stamps = tuple((self._folder / name).stat().st_mtime_ns for name in FILES)
        if stamps == self._read:
            return
        from ingest.identity.authority import Authority  # noqa: PLC0415 (as above)

        authority = Authority(self._folder, clock=self._clock)
        self._ends = authority.ends()
        self._newest = list({one.device: one for one in authority.issued}.values())
        self._read = stamps

    @staticmethod
    def _moments() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "vigie_identity_ends_timestamp_seconds",
            "When the authority, its revocation list, the broker's certificate end (Unix time).",
            labels=["what"],
        )

    @staticmethod
    def _soon() -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "vigie_identity_devices_ending",
            "Devices whose newest certificate has ended, or ends within 30 days; none revoked.",
            labels=[],
        )


def expose(folder: str) -> None:
    """Tell of the authority in this folder on /metrics; of none, while there is none."""
    REGISTRY.register(Ends(Path(folder)))
