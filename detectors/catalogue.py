"""The detectors that there are, in the order in which they look at a moment: one line each.

What explains others comes first (a value that `artefact` explains reaches nobody else), what reads
others' scores comes last.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from detectors.anomaly import Anomaly
from detectors.artefact import Artefact
from detectors.baseline import Baseline
from detectors.drift import Drift
from detectors.limits import Limits
from detectors.news2 import News2Detector
from detectors.population import Population
from detectors.risk import Risk
from detectors.silence import Silence
from detectors.trends import Trends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.base import Detector

_ORDER: tuple[type[Detector], ...] = (
    Artefact,
    News2Detector,
    Limits,
    Trends,
    Baseline,
    Drift,
    Population,
    Risk,
    Silence,
    Anomaly,
)
CATALOGUE: Mapping[str, type[Any]] = MappingProxyType({one.name: one for one in _ORDER})
