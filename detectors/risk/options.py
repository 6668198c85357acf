"""The section `[risk]` of a profile: what is asked, and when an answer becomes a finding."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec

from detectors.risk.model import BadModel, RiskModel, Scorer, Thresholds, read, shipped


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What is asked, and when a risk becomes a finding.

    `models` are files of a site's own questions (`vigie train`; whole paths): each is asked besides
    the shipped ones, or instead of the shipped one of the same name. They are read once, with the
    profile. `thresholds` goes before the model's own, by question (probabilities). A finding that
    ended does not begin again within `again_hours`, so that a risk at its threshold does not flap
    (engineering choice). `hold_minutes`: where readings come more often than that, a threshold must
    have been passed for so long: the models were fitted to hourly charts, in which a value stands
    for an hour, and on a monitor one of a second would.

    Raises ValueError for a file that is no model, and for thresholds of a question not asked.
    """

    models: tuple[str, ...] = ()
    thresholds: dict[str, Thresholds] = {}
    again_hours: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    hold_minutes: Annotated[float, msgspec.Meta(ge=0, le=1440)] = 0.0

    def __post_init__(self) -> None:
        """Read the models, so that a wrong file is told with the profile and not at a bedside."""
        unasked = sorted(self.thresholds.keys() - set(self.questions))
        if unasked:
            asked = ", ".join(self.questions)
            raise ValueError(f"thresholds of `{unasked[0]}`, which is not asked; asked are {asked}")

    @cached_property
    def scorers(self) -> tuple[Scorer, ...]:
        """The models made ready, in the order of their questions' names."""
        asked = {model.question: model for model in shipped()}
        own: set[str] = set()
        for name in self.models:
            model = _own(name)
            if model.question in own:
                raise ValueError(f"two models ask `{model.question}`")
            own.add(model.question)
            asked[model.question] = model
        return tuple(Scorer(asked[question]) for question in sorted(asked))

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """The names of what is asked: the rule is `risk.NAME`, the column `risk_NAME`."""
        return tuple(scorer.model.question for scorer in self.scorers)


def _own(name: str) -> RiskModel:
    path = Path(name)
    if not path.is_absolute():
        raise ValueError(f"`{name}`: write the whole path of the model's file")
    try:
        return read(path)
    except BadModel as error:
        raise ValueError(str(error)) from None
