"""River's Page-Hinkley test, with sums that are kept elsewhere."""

from __future__ import annotations

from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from river.stats import Mean  # noqa: TID251 (this folder is where River lives)

if TYPE_CHECKING:
    from river.drift import PageHinkley  # noqa: TID251 (as above)


def _loaded_alone(package: str, name: str) -> Any:
    """Load one module of a package without what the package itself imports.

    `river.drift` imports data sets and with them scipy and scikit-learn: most of a second, in the
    middle of a stream, and 75 MB of memory in each worker. Raises ImportError.
    """
    parent = find_spec(package)
    places = None if parent is None else parent.submodule_search_locations
    spec = None if places is None else PathFinder.find_spec(f"{package}.{name}", list(places))
    if spec is None or spec.loader is None:
        raise ImportError(f"no module {name} in {package}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if not TYPE_CHECKING:
    PageHinkley = _loaded_alone("river.drift", "page_hinkley").PageHinkley


class Step(NamedTuple):
    """The test after a value: how far the mean moved, the sum on either side, whether it fired."""

    moved: float
    up: float
    down: float
    fired: bool


class LevelTest(PageHinkley):
    """Page's test for a change of level in either direction.

    One object serves all vitals of all patients: a step sets everything that River's object
    remembers from its arguments, so that nothing stays in it from one to the next, and what is kept
    of a vital is three numbers. River's sums count from their extreme: with no forgetting
    (`alpha` = 1) only the distance from it matters, which is what is kept.

    References
    ----------
    Page, E. S. Continuous inspection schemes. Biometrika 41, 100-115, 1954.

    Examples
    --------
    >>> test = LevelTest(threshold=8.0, allowance=0.5, least=6)
    >>> up, levels = 0.0, 12
    >>> for _ in range(3):
    ...     step = test.step(levels, up, 0.0, 4.0)
    ...     up, levels = step.up, levels + 1
    >>> round(up, 2), step.fired
    (9.64, True)
    """

    def __init__(self, threshold: float, allowance: float, least: int) -> None:
        super().__init__(min_instances=least, delta=allowance, threshold=threshold, alpha=1.0)

    def step(self, levels: int, up: float, down: float, off: float) -> Step:
        """Take in a value that lies `off` the mean of `levels` earlier ones."""
        self._x_mean = Mean()
        self._x_mean.update(0.0, levels)
        self._sum_increase, self._min_increase = up, 0.0
        self._sum_decrease, self._max_decrease = -down, 0
        self._drift_detected = False
        PageHinkley.update(self, off)
        return Step(
            self._x_mean.get(),
            self._sum_increase - self._min_increase,
            self._max_decrease - self._sum_decrease,
            self._drift_detected,
        )
