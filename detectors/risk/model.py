"""One question's model as a file that can be read: features, weights, calibration, thresholds."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from math import copysign, exp, isfinite
from typing import TYPE_CHECKING, Annotated

import msgspec

from detectors.findings import Part
from detectors.risk.features import FEATURES
from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from river.compose import Pipeline  # noqa: TID251 (this folder is where River lives)

SCHEMA = "risk/1"
# A standardised feature counts for no more than this many standard deviations, so that an absurd
# value cannot decide alone (engineering choice; no normal distribution comes so far).
CLIP = 5.0
# Log-odds beyond this are no more certain, and exp() of them would overflow further out.
CERTAIN = 30.0

# What a question may be called: a part of rules and, after `risk_`, of columns.
NAMED = r"^[a-z][a-z0-9_-]{0,40}\Z"

_BY_NAME = {one.name: (place, one.group) for place, one in enumerate(FEATURES)}

Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class BadModel(VigieError):
    """The text is no risk model; the message says what is wrong with it."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Platt's scaling: calibrated log-odds = slope x raw log-odds + intercept.

    References
    ----------
    Platt, J. Probabilistic outputs for support vector machines. Advances in Large Margin
    Classifiers, MIT Press, 1999.
    """

    slope: Positive
    intercept: float


class Weight(msgspec.Struct, frozen=True, array_like=True):
    """A feature, how it is standardised (mean, standard deviation), and its weight."""

    name: str
    mean: float
    scale: Positive
    weight: float


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Probabilities at which a finding begins (`alert`) and, lower, ends (`release`).

    Raises ValueError where it would end above where it begins.
    """

    alert: Share
    release: Share

    def __post_init__(self) -> None:
        """Check the order, in a model's file and in a profile alike."""
        if self.release > self.alert:
            raise ValueError("a finding would end above where it begins")


class RiskModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A logistic regression over standardised features, calibrated.

    `data` and `licence` say what it was fitted to, `patients` and `rows` how many, `seed` how the
    patients were put into folds.
    """

    schema: str
    question: Annotated[str, msgspec.Meta(pattern=NAMED)]
    version: Annotated[int, msgspec.Meta(ge=1)]
    data: str
    licence: str
    patients: int
    rows: int
    seed: int
    intercept: float
    calibration: Calibration
    thresholds: Thresholds
    features: tuple[Weight, ...]

    def pipeline(self) -> Pipeline:
        """Make River's pipeline of this model: it says the same before calibration, and can learn.

        It goes on from what the file has (`learn_one`), feature by feature; see
        `detectors.risk.online`.
        """
        from detectors.risk.online import pipeline  # noqa: PLC0415 (River's import takes 0.6 s)

        return pipeline(self)


class Scorer:
    """A model made ready: what each feature gives, by its place among `FEATURES`."""

    def __init__(self, model: RiskModel) -> None:
        self.model = model
        self._features = tuple(
            (*_BY_NAME[w.name], w.mean, w.scale, w.weight) for w in model.features
        )

    def log_odds(self, vector: Sequence[float | None]) -> float:
        """Return the calibrated log-odds of the features, in the order of `FEATURES`."""
        total = self.model.intercept
        for place, _, mean, scale, weight in self._features:
            value = vector[place]
            if value is not None:
                off = (value - mean) / scale
                total += weight * (off if -CLIP < off < CLIP else copysign(CLIP, off))
        return self.model.calibration.slope * total + self.model.calibration.intercept

    def parts(self, vector: Sequence[float | None]) -> tuple[float, list[Part]]:
        """Take the calibrated log-odds apart: what all patients share, and each group's part.

        Knots of one curve, and statistics of one vital over one time, are one group: their single
        weights mean nothing alone. The sum of all is `log_odds`. Largest first.
        """
        calibration = self.model.calibration
        groups: dict[str, float] = {}
        for place, group, mean, scale, weight in self._features:
            value = vector[place]
            if value is not None:
                off = min(max((value - mean) / scale, -CLIP), CLIP)
                groups[group] = groups.get(group, 0.0) + calibration.slope * weight * off
        parts = [Part(name, weight) for name, weight in groups.items()]
        parts.sort(key=lambda one: (-one.weight, one.name))
        return calibration.slope * self.model.intercept + calibration.intercept, parts


def probability(log_odds: float) -> float:
    """Return the probability of log-odds.

    >>> probability(0.0), round(probability(-3.0), 4)
    (0.5, 0.0474)
    """
    return 1.0 / (1.0 + exp(-min(max(log_odds, -CERTAIN), CERTAIN)))


def parse(text: str) -> RiskModel:
    """Read a model's file. Raises BadModel.

    >>> parse("question = 3")
    Traceback (most recent call last):
    detectors.risk.model.BadModel: no risk model: Expected `str`, got `int` - at `$.question`
    """
    try:
        model = msgspec.convert(tomllib.loads(text), RiskModel)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadModel(f"no risk model: {error}") from None
    if model.schema != SCHEMA:
        raise BadModel(f"no risk model: the schema is not {SCHEMA}")
    names = [one.name for one in model.features]
    unknown = sorted(set(names) - {one.name for one in FEATURES})
    if unknown:
        raise BadModel(f"no risk model: no feature is called `{unknown[0]}`")
    if len(set(names)) != len(names):
        raise BadModel("no risk model: a feature is listed twice")
    figures = [model.intercept, model.calibration.slope, model.calibration.intercept]
    figures += [figure for one in model.features for figure in (one.mean, one.scale, one.weight)]
    if not all(map(isfinite, figures)):
        raise BadModel("no risk model: a figure is not finite")
    return model


def text(model: RiskModel) -> str:
    """Write a model's file; `parse` of it is the model again."""
    calibration, thresholds = model.calibration, model.thresholds
    lines = [
        "# Fitted by `vigie train`; its model card says what it may be used for.",
        f'schema = "{model.schema}"',
        f'question = "{model.question}"',
        f"version = {model.version}",
        f"data = {_quoted(model.data)}",
        f"licence = {_quoted(model.licence)}",
        *(f"{name} = {getattr(model, name)}" for name in ("patients", "rows", "seed")),
        f"intercept = {model.intercept!r}",
        "# feature, mean, standard deviation, weight of the standardised feature in log-odds",
        "features = [",
        *(f'  ["{w.name}", {w.mean!r}, {w.scale!r}, {w.weight!r}],' for w in model.features),
        "]",
        "",
        "[calibration]",
        f"slope = {calibration.slope!r}",
        f"intercept = {calibration.intercept!r}",
        "",
        "[thresholds]",
        f"alert = {thresholds.alert!r}",
        f"release = {thresholds.release!r}",
    ]
    return "\n".join(lines) + "\n"


def read(path: Path) -> RiskModel:
    """Read a site's own model. Raises BadModel, which names the file."""
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise BadModel(f"{path} cannot be read as text") from None
    except BadModel as error:
        raise BadModel(f"{path}: {error}") from None


@cache
def shipped() -> tuple[RiskModel, ...]:
    """Read the models that Vigie comes with, the newest version of each question."""
    newest: dict[str, RiskModel] = {}
    for file in files("detectors.risk").joinpath("models").iterdir():
        if file.name.endswith(".toml"):
            model = parse(file.read_text("utf-8"))
            known = newest.get(model.question)
            if known is None or known.version < model.version:
                newest[model.question] = model
    return tuple(newest[question] for question in sorted(newest))


def _quoted(value: str) -> str:
    # A JSON string is a TOML basic string.
    return msgspec.json.encode(value).decode()
