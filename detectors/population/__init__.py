"""Whether a patient is unusual among others, all vitals taken together.

`detector` asks the question of one patient, `model` holds the answer's figures (one small text
file, the same for everybody), `fitting` makes such a file from recordings.
"""

from __future__ import annotations

from detectors.population.detector import Options, Population
from detectors.population.memory import Kept, Memory
from detectors.population.model import Joint, Marginal, Model, Reference, shipped

__all__ = [
    "Joint",
    "Kept",
    "Marginal",
    "Memory",
    "Model",
    "Options",
    "Population",
    "Reference",
    "shipped",
]
