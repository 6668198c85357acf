"""How vitals lie, and go together, in a population: the figures, and the distance from them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ingest.ports import VigieError
from ingest.readings import Vital

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The columns of the model, in this order.
VITALS: tuple[Vital, ...] = (
    Vital.HEART_RATE,
    Vital.RESPIRATORY_RATE,
    Vital.SPO2,
    Vital.TEMPERATURE,
    Vital.SYSTOLIC,
    Vital.DIASTOLIC,
    Vital.MEAN_PRESSURE,
)
SHIPPED = "population-1.json"


class BadModel(VigieError):
    """The text is no population model; the message says what is wrong."""


class Marginal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vital in the population: the median, and a spread to either side of it.

    A spread is what holds the middle 68 % on that side (one standard deviation, were it normal):
    oxygen saturation has little room above its median and much below.
    """

    centre: float
    below: float
    above: float


class Joint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Vitals taken together: each one's marginal, and how they go along with each other.

    `correlation` has one row for each vital. `far` is the distance that one row in two hundred of
    those it was fitted on exceeds.
    """

    marginals: tuple[Marginal, ...]
    correlation: tuple[tuple[float, ...], ...]
    far: float
    rows: int


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A population: `others` over the values themselves, `own` over distances from the own usual.

    A distance from the patient's own usual is signed and counted in half-widths of what the
    baseline expects: 0 in the middle, 1 on the upper bound.
    """

    version: int
    data: str
    patients: int
    vitals: tuple[str, ...]
    others: Joint
    own: Joint


class Distance(NamedTuple):
    """How far off, in robust units; each known vital's share of it and its own spreads."""

    value: float
    shares: dict[int, float]
    spreads: dict[int, float]


class Reference:
    """Measures how far a patient's vitals, as many as are known, lie from a population.

    The squared Mahalanobis distance d2 of the k known vitals, with the correlation of just these:
    for a normal distribution that is the exact answer with the others integrated out, so a vital
    that never comes is neither usual nor unusual. Distances over different numbers of vitals
    compare after Wilson and Hilferty's cube root, which makes d2 a standard normal figure were the
    population normal. It is not, its tails are heavier; so what is `far` was read off the data.
    0 and less is said as 0; there is no upper end.

    Cost: 5 us for three vitals, 10 for seven. It fails on what is usual in groups (a mixture would
    see that; it was no better, see decision 14), and for populations other than the fitted one.

    References
    ----------
    Mahalanobis, P. C. On the generalised distance in statistics. Proc. Nat. Inst. Sci. India 2(1),
    49-55, 1936. Wilson, E. B. and Hilferty, M. M. The distribution of chi-square. PNAS 17(12),
    684-688, 1931.

    Examples
    --------
    >>> usual = Marginal(0.0, 1.0, 2.0)
    >>> pair = Joint((usual, usual), ((1.0, 0.8), (0.8, 1.0)), far=4.0, rows=100)
    >>> reference = Reference(pair)
    >>> together, apart = {0: 4.0, 1: 4.0}, {0: 4.0, 1: -2.0}
    >>> round(reference.distance(together).value, 2), round(reference.distance(apart).value, 2)
    (1.25, 5.48)
    >>> reference.distance({1: -2.0}).shares
    {1: 1.0}
    """

    def __init__(self, joint: Joint) -> None:
        self.joint = joint
        # At most 127 sets of known vitals, of which a patient shows a few.
        self._precisions: dict[tuple[int, ...], list[list[float]]] = {}

    def distance(self, known: Mapping[int, float]) -> Distance:
        """Measure the vitals that are known, by column; at least one, all finite."""
        columns = tuple(known)
        marginals = self.joint.marginals
        spreads = {one: _spreads(marginals[one], known[one]) for one in columns}
        precision = self._precisions.get(columns)
        if precision is None:
            correlation = self.joint.correlation
            precision = inverse([[correlation[a][b] for b in columns] for a in columns])
            self._precisions[columns] = precision
        z = list(spreads.values())
        parts = [
            here * sum([weight * there for weight, there in zip(row, z, strict=True)])
            for here, row in zip(z, precision, strict=True)
        ]
        squared, count = max(sum(parts), 0.0), len(z)
        shares = {
            one: part / squared if squared else 0.0
            for one, part in zip(columns, parts, strict=True)
        }
        return Distance(_normal(squared, count), shares, spreads)


def _spreads(marginal: Marginal, value: float) -> float:
    off = value - marginal.centre
    return off / (marginal.above if off > 0 else marginal.below)


def _normal(squared: float, count: int) -> float:
    """Turn a squared distance over `count` vitals into one that compares with any count."""
    spare = 2.0 / (9.0 * count)
    root: float = (squared / count) ** (1 / 3)
    return max((root - 1.0 + spare) / sqrt(spare), 0.0)


def inverse(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """Invert a small positive definite matrix (Gauss and Jordan; no pivots are needed for these).

    In plain Python, so that the same figures come out on every machine.

    >>> inverse([[2.0, 0.0], [0.0, 4.0]])
    [[0.5, 0.0], [0.0, 0.25]]
    """
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        pivot = rows[i][i]
        rows[i] = [one / pivot for one in rows[i]]
        for j in range(size):
            if j != i and (factor := rows[j][i]):
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[size:] for row in rows]


def parse(text: str | bytes) -> Model:
    """Read a model. Raises BadModel."""
    try:
        model = msgspec.json.decode(text, type=Model)
    except msgspec.DecodeError as error:
        raise BadModel(f"population model: {error}") from None
    size = len(VITALS)
    if model.vitals != VITALS:
        raise BadModel("population model: `vitals` are not those of this program, in its order")
    for joint in (model.others, model.own):
        if [len(joint.marginals), *map(len, joint.correlation)] != [size] * (size + 1):
            raise BadModel("population model: one marginal and one row for each vital")
        if min(min(one.below, one.above) for one in joint.marginals) <= 0:
            raise BadModel("population model: a spread is above 0")
    return model


def text(model: Model) -> bytes:
    """Write a model as it is shipped."""
    return msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"


@cache
def shipped() -> Model:
    """Read the model that Vigie comes with: once in a process."""
    return parse((files("detectors") / "models" / SHIPPED).read_bytes())
