"""One measured figure: ours beside what it is measured against, in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Figure:
    """`ours` and `other` are rates in `unit`; machines are noisy, so the ratio is what counts."""

    what: str
    ours: float
    against: str
    other: float
    unit: str

    @property
    def ratio(self) -> float:
        """How many times the other's rate ours is."""
        return self.ours / self.other if self.other else float("nan")


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of a latency, in seconds, under a steady load that is named in `what`."""

    what: str
    seconds: tuple[float, ...]

    @property
    def percentiles(self) -> tuple[float, float, float]:
        """The 50th, 95th and 99th percentile, in seconds."""
        cuts = quantiles(self.seconds, n=100, method="inclusive")
        return cuts[49], cuts[94], cuts[98]


def middle(rates: Sequence[float]) -> float:
    """Return the median of a few runs: one run on a shared machine says little."""
    return sorted(rates)[len(rates) // 2]
