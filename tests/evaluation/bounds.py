"""What a figure has to reach, and whether it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.evaluation.record import Figure


class Bound(NamedTuple):
    """What was asked of a figure.

    `words` are the table's. `value` is the bound itself, or a share of the baseline
    (`of_baseline`). `less`: the figure has to be as low as that, not as high. `strictly`: as good
    as the bound is not enough.
    """

    words: str
    value: float
    of_baseline: bool = False
    less: bool = False
    strictly: bool = False

    def met(self, found: float, held: float | None) -> bool:
        """Whether a figure reaches it; `held` is the baseline's.

        >>> Bound("a third", 1 / 3, of_baseline=True, less=True).met(0.9, 2.8)
        True
        >>> MORE.met(0.5, 0.5)
        False
        """
        if self.of_baseline and held is None:
            return False
        bound = self.value * (held or 0.0) if self.of_baseline else self.value
        if found == bound:
            return not self.strictly
        return (found < bound) is self.less

    def surely(self, found: Figure, held: float | None) -> bool:
        """Whether the worse end of the figure's interval reaches it too; it has to have one."""
        worse = found[2] if self.less else found[1]
        return worse is not None and self.met(worse, held)


def at_least(words: str) -> Bound:
    """Ask for a number, as it is written in the table.

    >>> at_least("0.675").met(0.69, None)
    True
    """
    return Bound(words, float(words))


MORE = Bound("more than that", 1.0, of_baseline=True, strictly=True)
THIRD = Bound("a third", 1 / 3, of_baseline=True, less=True)
TENTH = Bound("a tenth", 1 / 10, of_baseline=True, less=True)
NO_MORE = Bound("no more than that", 1.0, of_baseline=True, less=True)
