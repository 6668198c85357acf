"""The same model as River's pipeline: to go on learning, and to check one against the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectors.risk.features import NAMES
from detectors.risk.model import CLIP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from river.compose import Pipeline  # noqa: TID251 (this folder is where River lives)

    from detectors.risk.model import RiskModel

# A step of plain stochastic gradient descent. The hours of one stay are nearly one observation, so
# a step must be small: with 0.001 the sepsis model went from an AUROC of 0.699 down to 0.666 over
# one fold of patients.
LEARNING_RATE = 0.0001


def pipeline(model: RiskModel, rate: float = LEARNING_RATE) -> Pipeline:
    """Make `standardise | LogisticRegression` with the model's weights.

    What it predicts is the raw probability, before calibration. Features that are not known are
    left out: they give nothing. Importing River's linear models takes 0.6 s.
    """
    from river.compose import FuncTransformer  # noqa: PLC0415, TID251
    from river.linear_model import LogisticRegression  # noqa: PLC0415, TID251
    from river.optim import SGD  # noqa: PLC0415, TID251

    known = {one.name: (one.mean, one.scale) for one in model.features}

    def standardise(given: dict[str, float]) -> dict[str, float]:
        return {
            name: min(max((value - known[name][0]) / known[name][1], -CLIP), CLIP)
            for name, value in given.items()
            if name in known
        }

    regression: Any = LogisticRegression(
        optimizer=SGD(rate), intercept_init=model.intercept, intercept_lr=rate
    )
    # River's weights are a mapping that grows with the features it meets.
    for one in model.features:
        regression._weights[one.name] = one.weight  # noqa: SLF001 (no public way to load weights)
    found: Pipeline = FuncTransformer(standardise) | regression
    return found


def named(vector: Sequence[float | None]) -> dict[str, float]:
    """Give River the features by name, without those that are not known."""
    return {name: value for name, value in zip(NAMES, vector, strict=True) if value is not None}
